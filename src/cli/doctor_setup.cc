// doctor.h: what the configuration asks of this machine.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "app/folders.h"
#include "app/installation.h"
#include "app/listening.h"
#include "app/locks.h"
#include "cli/doctor.h"
#include "cli/printable.h"
#include "config/value.h"
#include "net/http_client.h"
#include "sandbox/oci_host.h"

namespace sandtrap::cli {
namespace {

using Level = Finding::Level;
using std::chrono::milliseconds;

// One question to the Docker Engine.
base::Result<net::HttpResponse> ask_docker(const std::string& socket, const std::string& target) {
  boost::asio::io_context loop;
  net::HttpClient client(loop.get_executor(), socket);
  std::optional<base::Result<net::HttpResponse>> answer;
  net::HttpRequest request;
  request.target = target;
  request.headers = {{"Host", "docker"}};
  boost::asio::co_spawn(loop, client.request(std::move(request), milliseconds(5000)),
                        [&](std::exception_ptr error, base::Result<net::HttpResponse> result) {
                          if (!error) answer.emplace(std::move(result));
                          loop.stop();
                        });
  loop.run();
  if (!answer) return base::fail(base::Errc::kIo, "no answer");
  return std::move(*answer);
}

std::string field(const std::string& body, std::string_view key) {
  boost::system::error_code error;
  const auto value = boost::json::parse(body, error);
  if (error || !value.is_object()) return "?";
  const auto* text = value.get_object().if_contains(key);
  return text != nullptr && text->is_string() ? printable(std::string(text->get_string())) : "?";
}

// Whether a supervisor of ours runs with these folders.
bool is_running(const config::Settings& settings) {
  for (const char* role : {"gate", "warden", "scribe"}) {
    if (app::is_locked(fmt::format("{}/{}.lock", settings.run_dir, role))) return true;
  }
  return false;
}

// The nearest folder that exists: what is missing is made there.
std::string nearest_folder(const std::string& path) {
  std::filesystem::path at(path);
  std::error_code error;
  while (!at.empty() && at.has_relative_path() && !std::filesystem::exists(at, error)) {
    at = at.parent_path();
  }
  return at.empty() ? "." : at.string();
}

}  // namespace

Finding examine_engine(const config::Settings& s) {
  const std::string& engine = s.container_pool.engine;
  if (engine == "fake") {
    return {Level::kNote, "engine", "fake", "attackers would be on this very machine: tests only",
            "container_pool.engine: oci"};
  }
  if (engine == "oci") {
    const auto runtime = sandbox::find_runtime(s.oci.runtime);
    if (runtime) return {Level::kGood, "engine", "oci, " + *runtime, "", ""};
    return {Level::kPrevents, "engine", runtime.error().context, "no sandbox can be made",
            "apt-get install runc, or set oci.runtime"};
  }
  const auto answer = ask_docker(s.docker.socket, "/version");
  if (answer && answer->status == 200) {
    return {Level::kGood, "engine",
            fmt::format("Docker Engine {} at {}", field(answer->body, "Version"), s.docker.socket),
            "", ""};
  }
  return {Level::kPrevents, "engine",
          fmt::format("{}: {}", s.docker.socket,
                      answer ? fmt::format("status {}", answer->status) : answer.error().context),
          "no sandbox can be made", "start the Docker Engine, or set docker.socket"};
}

Finding examine_image(const config::Settings& s) {
  const std::string& engine = s.container_pool.engine;
  if (engine == "fake") return {Level::kGood, "image", "none is needed", "", ""};
  if (engine == "oci") {
    const auto image =
        sandbox::find_oci_image(s.oci.image, app::program_folder(), s.oci.userns_base);
    if (image) return {Level::kGood, "image", *image, "", ""};
    return {Level::kPrevents, "image", image.error().context, "there is no machine to show",
            "sandtrap image build"};
  }
  const auto answer = ask_docker(s.docker.socket, "/images/" + s.docker.image + "/json");
  if (answer && answer->status == 200) {
    return {Level::kGood, "image",
            fmt::format("{} ({})", s.docker.image, field(answer->body, "Id")), "", ""};
  }
  return {Level::kPrevents, "image", s.docker.image + " is not there",
          "there is no machine to show", "build or pull it, or set docker.image (docs/docker.md)"};
}

Findings examine_ports(const config::Settings& s) {
  Findings out;
  const bool ours = is_running(s);
  for (const std::string& address : s.server.listen) {
    const auto bound = app::bind_listening({address});
    if (bound) {
      out.push_back({Level::kGood, "port", address + " is free", "", ""});
    } else if (ours) {
      out.push_back({Level::kGood, "port", address + " is in use; sandtrap is running", "", ""});
    } else {
      out.push_back({Level::kPrevents, "port", bound.error().context, "the port cannot be opened",
                     "`ss -ltnp` shows who has it; the real sshd can be moved with Port in "
                     "/etc/ssh/sshd_config. Ports below 1024 need root"});
    }
  }
  return out;
}

Finding examine_accounts(const config::Settings& s) {
  const auto gate = app::find_account(s.server.gate_user),
             scribe = app::find_account(s.server.scribe_user);
  if (!gate || !scribe) {
    return {Level::kPrevents, "accounts", (!gate ? gate : scribe).error().context,
            "a role could not give up root", "make the account, or use a number"};
  }
  if (gate->uid == scribe->uid) {
    return {Level::kPrevents, "accounts", "server.gate_user and server.scribe_user are the same",
            "the gate could read the evidence", "use two accounts"};
  }
  return {Level::kGood, "accounts",
          fmt::format("gate {}, scribe {}", s.server.gate_user, s.server.scribe_user), "", ""};
}

Finding examine_data_folder(const config::Settings& s) {
  struct stat info {};
  if (::stat(s.data_dir.c_str(), &info) != 0) {
    if (errno == ENOENT) {
      return {Level::kGood, "data folder", fmt::format("{} is made at the first start", s.data_dir),
              "", ""};
    }
    return {Level::kPrevents, "data folder",
            fmt::format("{}: {}", s.data_dir, std::strerror(errno)), "nothing could be kept",
            "correct data_dir"};
  }
  if (!S_ISDIR(info.st_mode)) {
    return {Level::kPrevents, "data folder", s.data_dir + " is no folder", "nothing could be kept",
            "correct data_dir"};
  }
  struct statvfs volume {};
  if (::statvfs(s.data_dir.c_str(), &volume) == 0 && (volume.f_flag & ST_RDONLY) != 0) {
    return {Level::kPrevents, "data folder", s.data_dir + " is on a read-only file system",
            "nothing could be kept", "mount it writable"};
  }
  return {Level::kGood, "data folder", s.data_dir, "", ""};
}

Finding examine_disk(const config::Settings& s) {
  struct statvfs volume {};
  const std::string folder = nearest_folder(s.data_dir);
  if (::statvfs(folder.c_str(), &volume) != 0) {
    return {Level::kNote, "disk", fmt::format("{}: {}", folder, std::strerror(errno)), "", ""};
  }
  const std::uint64_t free = std::uint64_t{volume.f_bavail} * volume.f_frsize;
  const std::uint64_t evidence = s.disk.recordings_bytes + s.disk.logs_bytes +
                                 (s.preservation.enabled ? s.preservation.max_bytes : 0);
  const std::string found =
      fmt::format("{} MiB free of {} MiB, {}% of the inodes", free >> 20,
                  (std::uint64_t{volume.f_blocks} * volume.f_frsize) >> 20,
                  volume.f_files == 0 ? 100 : volume.f_favail * 100 / volume.f_files);
  if (free < s.disk.min_free_bytes) {
    return {Level::kPrevents, "disk", found,
            fmt::format("less than disk.min_free_bytes ({}): nobody would get a shell",
                        config::format_size(s.disk.min_free_bytes)),
            "make room, or lower the setting"};
  }
  if (free < evidence + s.disk.min_free_bytes) {
    return {Level::kNote, "disk", found,
            fmt::format("recordings, logs and preserved sandboxes may take {} MiB together",
                        evidence >> 20),
            "lower disk.recordings_bytes, disk.logs_bytes or preservation.max_bytes"};
  }
  if (volume.f_files != 0 && volume.f_favail * 20 < volume.f_files) {
    return {Level::kNote, "disk", found, "the inodes will be used up before the space",
            "make the file system anew with more inodes"};
  }
  return {Level::kGood, "disk", found, "", ""};
}

Finding examine_descriptors(const config::Settings& s) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const std::uint64_t wanted = std::uint64_t{s.server.max_connections} * 3 + 2048;
  const std::string found = fmt::format("at most {}", limit.rlim_max);
  if (limit.rlim_max >= wanted || ::geteuid() == 0) {
    return {Level::kGood, "descriptors", found, "", ""};
  }
  return {Level::kNote, "descriptors", found,
          fmt::format("{} connections may need {}", s.server.max_connections, wanted),
          "raise LimitNOFILE, or lower server.max_connections"};
}

Finding examine_terminals(const config::Settings& s) {
  std::ifstream most_file("/proc/sys/kernel/pty/max"), used_file("/proc/sys/kernel/pty/nr");
  std::uint64_t most = 0, used = 0;
  most_file >> most;
  used_file >> used;
  const std::string found = fmt::format("{} of {} in use", used, most);
  const std::uint64_t wanted = std::uint64_t{s.container.pids} * s.container_pool.max_total;
  if (most >= wanted) return {Level::kGood, "terminals", found, "", ""};
  return {Level::kNote, "terminals", found,
          fmt::format("{} sandboxes with {} processes each could take all of the machine's",
                      s.container_pool.max_total, s.container.pids),
          fmt::format("sysctl kernel.pty.max={}", wanted)};
}

}  // namespace sandtrap::cli
