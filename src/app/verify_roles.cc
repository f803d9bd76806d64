#include "app/verify_roles.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "app/folders.h"
#include "app/roles.h"
#include "config/document.h"

namespace sandtrap::app {
namespace {

using verify::Observation;
using Clock = std::chrono::steady_clock;

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string link_of(const std::string& path) {
  std::error_code error;
  return std::filesystem::read_symlink(path, error).string();
}

Observation seen(bool good, std::string detail) {
  Observation out;
  out.kind = good ? Observation::Kind::kRefused : Observation::Kind::kDone;
  out.detail = std::move(detail);
  return out;
}

int free_port() {
  const base::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (!socket || ::bind(socket.get(), any, length) != 0 ||
      ::getsockname(socket.get(), any, &length) != 0)
    return 0;
  return ntohs(address.sin_port);
}

// A running `sandtrap serve`; ended with this.
class Served {
 public:
  explicit Served(const std::string& config) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    error_ = base::Fd(ends[0]);
    const base::Fd theirs(ends[1]);
    pid_ = ::fork();
    if (pid_ != 0) return;
    const base::Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    ::dup2(null.get(), 0);
    ::dup2(null.get(), 1);
    ::dup2(theirs.get(), 2);
    ::execl("/proc/self/exe", "sandtrap", "serve", "--config", config.c_str(),
            static_cast<char*>(nullptr));
    ::_exit(127);
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  ~Served() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    for (int i = 0; i < 1000; ++i) {
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  // What it said, when it is not ready within the time.
  std::optional<std::string> not_ready() {
    const auto end = Clock::now() + std::chrono::seconds(30);
    std::string said;
    while (said.find("sandtrap ready") == std::string::npos) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
      pollfd wait{error_.get(), POLLIN, 0};
      char block[4096];
      if (pid_ <= 0 || left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) <= 0) return said;
      const ssize_t got = ::read(error_.get(), block, sizeof block);
      if (got <= 0 || said.size() > 65536) return said;
      said.append(block, static_cast<std::size_t>(got));
    }
    return std::nullopt;
  }

  pid_t process_of(RoleKind role) const {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string number = entry.path().filename();
      if (number.find_first_not_of("0123456789") != std::string::npos) continue;
      const std::string stat = text_of("/proc/" + number + "/stat");
      const auto behind = stat.rfind(')');
      char state = 0;
      int parent = 0;
      if (behind == std::string::npos ||
          std::sscanf(stat.c_str() + behind + 1, " %c %d", &state, &parent) != 2 || parent != pid_)
        continue;
      const std::string line = text_of("/proc/" + number + "/cmdline");
      const std::string wanted = std::string("role") + '\0' + std::string(name(role)) + '\0';
      if (line.find(wanted) != std::string::npos) return std::stoi(number);
    }
    return -1;
  }

 private:
  pid_t pid_ = -1;
  base::Fd error_;
};

// Of one running role.
class Subject {
 public:
  Subject(std::string role, pid_t pid, const config::Settings& settings, verify::Observations& out)
      : role_(std::move(role)),
        proc_(fmt::format("/proc/{}", pid)),
        settings_(settings),
        status_("\n" + text_of(proc_ + "/status")),
        out_(out) {}

  void identity() {
    const std::string users = line("Uid"), groups = line("Gid"), more = line("Groups");
    const bool root = (" " + users + " " + groups + " ").find(" 0 ") != std::string::npos;
    note("user", !users.empty() && !root && more.empty(),
         fmt::format("users {}, groups {}, further groups {}", users, groups,
                     more.empty() ? "none" : more));
    std::string sets;
    bool empty = true;
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"}) {
      if (role_ == "scribe" && std::string_view(set) == "CapBnd") continue;  // void: no_new_privs
      const std::string bits = line(set);
      if (bits.empty() || bits.find_first_not_of('0') != std::string::npos) empty = false;
      sets += fmt::format("{}{} {}", sets.empty() ? "" : ", ", set, bits);
    }
    note("capabilities", empty, empty ? "none" : sets);
    note("no-new-privileges", line("NoNewPrivs") == "1", "NoNewPrivs " + line("NoNewPrivs"));
  }

  void confinement() {
    note("seccomp", line("Seccomp") == "2", "mode " + line("Seccomp"));
    std::string shared;
    for (const char* kind : {"mnt", "net", "ipc", "uts", "cgroup"}) {
      const std::string theirs = link_of(proc_ + "/ns/" + kind);
      if (theirs.empty() || theirs == link_of(std::string("/proc/self/ns/") + kind))
        shared += std::string(" ") + kind;
    }
    note("namespaces", shared.empty(), shared.empty() ? "its own" : "the host's:" + shared);
    std::error_code error;
    const std::filesystem::directory_iterator root(proc_ + "/root/", error), none;
    note("root", !error && root == none,
         error          ? error.message()
         : root == none ? "empty"
                        : "holds " + root->path().string());
    const std::string routes = text_of(proc_ + "/net/route");
    const std::string addresses = text_of(proc_ + "/net/if_inet6");
    // The table's head alone; not even that in a namespace that never had a route.
    const bool alone = std::count(routes.begin(), routes.end(), '\n') <= 1;
    const bool readable = !text_of(proc_ + "/net/dev").empty();
    note("network", readable && alone && addresses.empty(),
         !readable                    ? "not readable"
         : alone && addresses.empty() ? "none"
                                      : routes + addresses);
    const std::string limits = text_of(proc_ + "/limits");
    const bool bounded = zero(limits, "Max processes") && zero(limits, "Max core file size");
    note("limits", bounded, bounded ? "both 0" : "not 0");
    struct stat owner {};
    const bool hidden = ::stat((proc_ + "/environ").c_str(), &owner) == 0 && owner.st_uid == 0;
    note("memory", hidden, hidden ? "root's alone" : "its own user's");
  }

  void descriptors() {
    std::error_code error;
    std::string bad;
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(proc_ + "/fd", error)) {
      ++count;
      struct stat info {};
      const std::string target = link_of(entry.path());
      if (::stat(entry.path().c_str(), &info) != 0) continue;
      if (!harmless(info, target) && bad.empty())
        bad = entry.path().filename().string() + ": " + target;
    }
    note("descriptors", count > 0 && bad.empty(),
         bad.empty() ? fmt::format("{} of them", count) : bad);
  }

 private:
  bool harmless(const struct stat& info, const std::string& target) const {
    const auto below = [&target](const std::string& folder) {
      return target == folder || target.compare(0, folder.size() + 1, folder + "/") == 0;
    };
    if (S_ISSOCK(info.st_mode) || S_ISFIFO(info.st_mode)) return true;
    if (target.compare(0, 11, "anon_inode:") == 0) return true;
    if (S_ISREG(info.st_mode)) return below(settings_.data_dir) || below(settings_.run_dir);
    if (S_ISDIR(info.st_mode)) return role_ == "scribe" && below(settings_.data_dir);
    return S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);
  }

  static bool zero(const std::string& limits, const std::string& key) {
    const auto at = limits.find(key);
    if (at == std::string::npos) return false;
    std::istringstream fields(limits.substr(at + key.size()));
    std::string soft, hard;
    return fields >> soft >> hard && soft == "0" && hard == "0";
  }

  std::string line(const std::string& key) const {
    const auto at = status_.find("\n" + key + ":");
    if (at == std::string::npos) return {};
    const auto from = at + key.size() + 2;
    std::istringstream words(status_.substr(from, status_.find('\n', from) - from));
    std::string out;
    for (std::string word; words >> word;) out += (out.empty() ? "" : " ") + word;
    return out;
  }

  void note(const char* what, bool good, std::string detail) {
    out_[fmt::format("{}-{}", role_, what)] = seen(good, std::move(detail));
  }

  const std::string role_, proc_;
  const config::Settings& settings_;
  const std::string status_;
  verify::Observations& out_;
};

base::Result<std::string> write_configuration(config::Settings settings) {
  settings.server.listen = {fmt::format("127.0.0.1:{}", free_port())};
  settings.server.gates = 1;
  settings.container_pool.engine = "fake";
  settings.container_pool.size = 0;
  const std::string path = settings.run_dir + "/roles.yaml";
  const std::string text = config::dump(settings, config::Audience::kEveryone);
  const base::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return base::fail_errno(path, errno);
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return base::fail_errno(path, errno);
  return path;
}

}  // namespace

verify::Observations examine_roles(const config::Settings& settings) {
  verify::Observations out;
  std::string why;
  const auto path = write_configuration(settings);
  if (path) {
    Served served(*path);
    const auto silent = served.not_ready();
    const pid_t gate = silent ? -1 : served.process_of(RoleKind::kGate);
    const pid_t scribe = silent ? -1 : served.process_of(RoleKind::kScribe);
    if (gate > 0 && scribe > 0) {
      Subject first("gate", gate, settings, out);
      first.identity();
      first.confinement();
      first.descriptors();
      Subject second("scribe", scribe, settings, out);
      second.identity();
      second.descriptors();
      return out;
    }
    why = silent ? "the roles did not start: " +
                       silent->substr(silent->size() - std::min<std::size_t>(silent->size(), 300))
                 : "no running gate or scribe found";
    std::replace(why.begin(), why.end(), '\n', ' ');
  } else {
    why = path.error().context;
  }
  for (const verify::Check& check : verify::checks()) {
    if (check.where != verify::Where::kRole) continue;
    Observation none;
    none.detail = why;
    out.emplace(check.name, none);
  }
  return out;
}

}  // namespace sandtrap::app
