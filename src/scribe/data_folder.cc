#include "scribe/data_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <string_view>

#include "event/json_line.h"
#include "journal/names.h"
#include "scribe/files.h"

namespace sandtrap::scribe {
namespace {

using base::Fd;
using base::Result;
using base::Status;

constexpr std::string_view kPrefix = "recordings/";
constexpr std::size_t kMaxMarker = 64 * 1024;
constexpr int kMaxSameName = 1000;  // recordings of one channel number within one second

// Names are built from checked fields only, whatever the codec checked before.
Result<std::string> base_name(const Origin& origin, base::WallTime now) {
  if (origin.session.size() != 12 || !is_one_of(origin.session, "0123456789abcdef")) {
    return base::fail(base::Errc::kInvalid, "session is not 12 hex digits");
  }
  std::string source = origin.source_ip;
  if (source.size() > 45 || !is_one_of(source, "0123456789abcdefABCDEF.:")) {
    return base::fail(base::Errc::kInvalid, "source is not an address");
  }
  std::replace(source.begin(), source.end(), ':', '_');
  const std::string time = base::to_iso8601(now);  // 2026-11-21T23:01:45.012345Z
  return fmt::format("{}/{}{}{}-{}-{}-{}", time.substr(0, 10), time.substr(11, 2),
                     time.substr(14, 2), time.substr(17, 2), source, origin.session,
                     origin.channel);
}

std::string marker_of(const std::string& path) {  // recordings/DAY/NAME.cast → DAY_NAME
  std::string name = path.substr(kPrefix.size(), path.size() - kPrefix.size() - 5);
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

// The inverse; empty for a name that marker_of() did not make.
std::string path_of(std::string_view marker) {
  if (marker.size() < 12 || marker.size() > 200 || marker[10] != '_' || marker[11] == '.' ||
      !is_one_of(marker.substr(0, 10), "0123456789-") ||
      !is_one_of(marker.substr(11), "0123456789abcdefABCDEF._-")) {
    return {};
  }
  return fmt::format("{}{}/{}.cast", kPrefix, marker.substr(0, 10), marker.substr(11));
}

std::string file_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string to_marker(const Origin& origin) {
  std::string out;
  event::JsonLine line(out);
  line.text("session", origin.session);
  line.text("case", origin.case_id);
  line.text("sandbox", origin.sandbox);
  line.text("source_ip", origin.source_ip);
  line.number("source_port", origin.source_port);
  line.number("channel", origin.channel);
  line.end();
  out += '\n';
  return out;
}

void read_marker(std::string_view text, Unfinished& out) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return;  // died while it wrote it: the path says enough
  boost::json::error_code error;
  const auto value = boost::json::parse(text.substr(0, end), error);
  if (error || !value.is_object()) return;
  const auto& object = value.get_object();
  const auto text_at = [&object](std::string_view key) {
    const auto* field = object.if_contains(key);
    return field && field->is_string() ? std::string(field->get_string()) : std::string();
  };
  const auto number_at = [&object](std::string_view key) -> std::int64_t {
    const auto* field = object.if_contains(key);
    return field && field->is_int64() ? field->get_int64() : 0;
  };
  out.origin.session = text_at("session");
  out.origin.case_id = text_at("case");
  out.origin.sandbox = text_at("sandbox");
  out.origin.source_ip = text_at("source_ip");
  out.origin.source_port = static_cast<std::uint16_t>(number_at("source_port"));
  out.origin.channel = static_cast<std::uint32_t>(number_at("channel"));
  out.complete = text.substr(end + 1) == "complete\n";
}

std::string read_small(const Fd& fd) {
  std::string out(kMaxMarker, '\0');
  const ssize_t n = ::read(fd.get(), out.data(), out.size());
  out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return out;
}

Status write_small(const Fd& fd, std::string_view text) {
  const ssize_t n = ::write(fd.get(), text.data(), text.size());
  if (n < 0) return base::fail_errno("write", errno);
  if (static_cast<std::size_t>(n) != text.size()) return base::fail_errno("write", ENOSPC);
  return {};
}

}  // namespace

std::string sidecar_of(const std::string& cast_path) {
  return cast_path.substr(0, cast_path.size() - 5) + ".bin";
}

Result<DataFolder> DataFolder::open(const std::string& path) {
  DataFolder folder;
  folder.root_.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.root_) return base::fail_errno("open data folder " + path, errno);
  return folder;
}

Status DataFolder::prepare() {
  auto recordings = open_folder(root_, "recordings");
  if (!recordings) return base::wrap("data folder", recordings.error());
  recordings_ = std::move(*recordings);
  auto markers = open_folder(recordings_, ".open");
  if (!markers) return base::wrap("data folder", markers.error());
  markers_ = std::move(*markers);
  return {};
}

Result<Fd> DataFolder::open_log() const {
  return open_regular(root_, journal::kCurrent, O_WRONLY | O_APPEND | O_CREAT, 0640);
}

Result<Fd> DataFolder::open_log_for_repair() const {
  return open_regular(root_, journal::kCurrent, O_RDWR);
}

Result<NewRecording> DataFolder::create_recording(const Origin& origin, base::WallTime now) {
  const auto base = base_name(origin, now);
  if (!base) return tl::unexpected(base.error());
  auto day = open_folder(recordings_, base->substr(0, 10));
  if (!day) return tl::unexpected(day.error());
  constexpr int kNew = O_WRONLY | O_APPEND | O_CREAT | O_EXCL;
  for (int n = 1; n <= kMaxSameName; ++n) {
    const std::string name = n == 1 ? base->substr(11) : fmt::format("{}-{}", base->substr(11), n);
    NewRecording made;
    made.path = fmt::format("{}{}/{}.cast", kPrefix, base->substr(0, 10), name);
    const std::string marker_name = marker_of(made.path);
    auto marker = open_at(markers_, marker_name, kNew, 0640);
    if (!marker && marker.error().code == base::Errc::kExists) continue;
    if (!marker) return tl::unexpected(marker.error());
    auto cast = open_at(*day, name + ".cast", kNew, 0640);
    auto binary = cast ? open_at(*day, name + ".bin", kNew, 0640) : Fd();
    const Status written = write_small(*marker, to_marker(origin));
    if (cast && binary && written) {
      made.cast = std::move(*cast);
      made.binary = std::move(*binary);
      return made;
    }
    if (cast) ::unlinkat(day->get(), (name + ".cast").c_str(), 0);
    if (cast && binary) ::unlinkat(day->get(), (name + ".bin").c_str(), 0);
    ::unlinkat(markers_.get(), marker_name.c_str(), 0);
    const base::Error& error = !cast ? cast.error() : !binary ? binary.error() : written.error();
    if (error.code != base::Errc::kExists) return tl::unexpected(error);
  }
  return base::fail(base::Errc::kLimit, "too many recordings of one name");
}

Result<Fd> DataFolder::day_of(const std::string& path) const {
  const std::string inside = path.substr(kPrefix.size());
  return open_at(recordings_, inside.substr(0, inside.find('/')), O_RDONLY | O_DIRECTORY);
}

Result<RecordingFiles> DataFolder::open_recording(const std::string& path, int access) const {
  auto day = day_of(path);
  if (!day) return tl::unexpected(day.error());
  const std::string name = file_of(path);
  auto cast = open_regular(*day, name, access);
  if (!cast) return tl::unexpected(cast.error());
  RecordingFiles files;
  files.cast = std::move(*cast);
  auto binary = open_regular(*day, sidecar_of(name), access);
  if (!binary && binary.error().code != base::Errc::kNotFound) {
    return tl::unexpected(binary.error());
  }
  if (binary) files.binary = std::move(*binary);
  return files;
}

bool DataFolder::has_writer(const std::string& path) const {
  auto day = day_of(path);
  if (!day) return false;
  auto file = open_regular(*day, file_of(path), O_RDONLY);
  if (!file) return false;
  return scribe::has_writer(*file);
}

bool DataFolder::is_open(const std::string& path) const {
  return ::faccessat(markers_.get(), marker_of(path).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void DataFolder::mark_complete(const std::string& path) {
  auto marker = open_at(markers_, marker_of(path), O_WRONLY | O_APPEND);
  if (marker) static_cast<void>(write_small(*marker, "complete\n"));
}

void DataFolder::remove_sidecar(const std::string& path) {
  auto day = day_of(path);
  if (day) ::unlinkat(day->get(), sidecar_of(file_of(path)).c_str(), 0);
}

void DataFolder::finished(const std::string& path) {
  ::unlinkat(markers_.get(), marker_of(path).c_str(), 0);
}

std::vector<Unfinished> DataFolder::unfinished() const {
  std::vector<Unfinished> all;
  for (const std::string& name : names_in(markers_)) {
    Unfinished found;
    found.path = path_of(name);
    if (found.path.empty()) continue;
    auto marker = open_regular(markers_, name, O_RDONLY);
    if (marker) read_marker(read_small(*marker), found);
    all.push_back(std::move(found));
  }
  return all;
}

}  // namespace sandtrap::scribe
