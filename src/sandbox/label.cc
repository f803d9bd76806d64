#include "sandbox/label.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <filesystem>

namespace sandtrap::sandbox {
namespace json = boost::json;
namespace {

json::array strings(const std::vector<std::string>& values) {
  json::array out;
  for (const std::string& value : values) out.emplace_back(value);
  return out;
}

struct Fields {  // latches its first failure, as the wire cursor does
  const json::object& object;
  bool good = true;

  std::string text(std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr) return {};  // an older writer may not have known it
    if (!value->is_string()) {
      good = false;
      return {};
    }
    return std::string(value->get_string());
  }
  std::vector<std::string> texts(std::string_view key) {
    std::vector<std::string> out;
    const json::value* value = object.if_contains(key);
    if (value == nullptr) return out;
    if (!value->is_array()) {
      good = false;
      return out;
    }
    for (const json::value& item : value->get_array()) {
      if (item.is_string()) {
        out.emplace_back(item.get_string());
      } else {
        good = false;
      }
    }
    return out;
  }
};

base::Status write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return base::fail_errno("write", errno);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

std::string to_json(const Label& label) {
  json::object out;
  out["sandbox"] = label.sandbox;
  out["case"] = label.case_id;
  out["source_ip"] = label.source_ip;
  out["created"] = label.created;
  out["claimed"] = label.claimed;
  out["ended"] = label.ended;
  out["hostname"] = label.hostname;
  if (!label.image.empty()) out["image"] = label.image;
  out["sessions"] = strings(label.sessions);
  out["recordings"] = strings(label.recordings);
  return json::serialize(out) + "\n";
}

base::Result<Label> label_from_json(std::string_view text) {
  if (text.size() > kMaxLabelBytes) return base::fail(base::Errc::kLimit, "label: too long");
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) {
    return base::fail(base::Errc::kInvalid, "label: not a JSON object");
  }
  Fields fields{value.get_object()};
  Label label;
  label.sandbox = fields.text("sandbox");
  label.case_id = fields.text("case");
  label.source_ip = fields.text("source_ip");
  label.created = fields.text("created");
  label.claimed = fields.text("claimed");
  label.ended = fields.text("ended");
  label.hostname = fields.text("hostname");
  label.image = fields.text("image");
  label.sessions = fields.texts("sessions");
  label.recordings = fields.texts("recordings");
  if (!fields.good) return base::fail(base::Errc::kInvalid, "label: a value has the wrong type");
  return label;
}

base::Status write_label(const std::string& directory, std::string_view file_name,
                         const Label& label) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return base::fail_errno("create " + directory, error.value());
  ::chmod(directory.c_str(), 0700);
  const base::Fd dir(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return base::fail_errno("open " + directory, errno);

  const std::string name(file_name);
  const std::string temporary = "." + name + ".new";
  const base::Fd file(
      ::openat(dir.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return base::fail_errno("create " + directory + "/" + temporary, errno);
  if (auto written = write_all(file.get(), to_json(label)); !written) {
    return base::wrap(directory + "/" + temporary, written.error());
  }
  if (::fsync(file.get()) != 0) return base::fail_errno("fsync " + temporary, errno);
  if (::renameat(dir.get(), temporary.c_str(), dir.get(), name.c_str()) != 0) {
    return base::fail_errno("rename to " + directory + "/" + name, errno);
  }
  ::fsync(dir.get());
  return {};
}

base::Result<Label> read_label(const std::string& path) {
  const base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) {
    if (errno == ENOENT) return base::fail(base::Errc::kNotFound, path + ": no such file");
    return base::fail_errno("open " + path, errno);
  }
  std::string text;
  char chunk[4096];
  while (text.size() <= kMaxLabelBytes) {
    const ssize_t n = ::read(file.get(), chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno("read " + path, errno);
    if (n == 0) break;
    text.append(chunk, static_cast<std::size_t>(n));
  }
  auto label = label_from_json(text);
  if (!label) return base::wrap(path, label.error());
  return label;
}

}  // namespace sandtrap::sandbox
