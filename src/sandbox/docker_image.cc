#include "sandbox/docker_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/json.hpp>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sandtrap::sandbox {
namespace json = boost::json;
namespace {

constexpr const char* kDigestLabel = "sandtrap.archive";
constexpr std::chrono::minutes kImportDeadline{10};

struct Archive {
  std::string path, digest;
};

// The digest that images/build.sh wrote beside the archive; without one, size and time stand in.
std::string digest_of(const std::string& path) {
  std::ifstream file(path + ".sha256");
  std::string digest;
  if (file >> digest && digest.size() == 64 &&
      digest.find_first_not_of("0123456789abcdef") == std::string::npos) {
    return digest;
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return "unknown";
  return fmt::format("{}-{}", info.st_size, info.st_mtim.tv_sec);
}

std::optional<Archive> find_archive(const DockerOptions& options) {
  for (const std::string& path : options.image_archives) {
    std::error_code error;
    if (std::filesystem::is_regular_file(path, error)) return Archive{path, digest_of(path)};
  }
  return std::nullopt;
}

Task<base::Status> import_image(DockerContext& context, Archive archive) {
  base::Fd file(::open(archive.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) co_return base::fail_errno("open " + archive.path, errno);
  context.log.info("docker: importing {} as {}; once, takes some seconds", archive.path,
                   context.options.image);
  const std::string& name = context.options.image;
  const auto colon = name.rfind(':');
  const std::string label = fmt::format("LABEL {}={}", kDigestLabel, archive.digest);
  net::HttpRequest request{"POST"};
  request.target = context.api.versioned(
      fmt::format("/images/create?fromSrc=-&repo={}&tag={}&changes={}",
                  net::percent_encode(name.substr(0, colon)),
                  net::percent_encode(name.substr(colon + 1)), net::percent_encode(label)));
  request.headers.push_back({"Content-Type", "application/x-tar"});
  auto response =
      co_await context.api.http().upload(std::move(request), std::move(file), kImportDeadline);
  if (!response) co_return base::wrap("docker: import", response.error());
  // The answer is 200 from the start; what went wrong later is a line of its progress report.
  const bool failed =
      response->status != 200 || response->body.find("\"error\"") != std::string::npos;
  if (failed) {
    std::string text = response->body.substr(0, 300);
    for (char& c : text) {
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    }
    co_return base::fail(base::Errc::kUnavailable, "docker: import: " + text);
  }
  co_return base::Status{};
}

}  // namespace

std::vector<std::string> DockerOptions::default_archives() {
  std::vector<std::string> paths;
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    const auto near = self.parent_path() / ".." / "guest" / "debian-12.tar";
    paths.push_back(near.lexically_normal());
  }
  paths.emplace_back("/var/lib/sandtrap/images/debian-12.tar");
  return paths;
}

Task<base::Status> ensure_docker_image(DockerContext& context) {
  const std::string& name = context.options.image;
  auto image = co_await context.api.get_object("/images/" + net::percent_encode(name) + "/json",
                                               DockerApi::kQuick);
  if (!image && image.error().code != base::Errc::kNotFound) {
    co_return tl::unexpected(image.error());
  }
  const bool is_default = name == kDockerDefaultImage;
  if (!is_default) {
    if (image) co_return base::Status{};
    co_return base::fail(base::Errc::kNotFound,
                         fmt::format("docker: there is no image {}; pull or import it, or leave "
                                     "docker.image at its default",
                                     name));
  }
  const auto archive = find_archive(context.options);
  std::string outdated;
  if (image) {
    if (!archive) co_return base::Status{};
    const json::object* config = docker_member(*image, "Config");
    const json::object* labels = config != nullptr ? docker_member(*config, "Labels") : nullptr;
    if (labels != nullptr && docker_text(*labels, kDigestLabel) == archive->digest) {
      co_return base::Status{};
    }
    outdated = docker_text(*image, "Id");
  }
  if (!archive) {
    co_return base::fail(
        base::Errc::kNotFound,
        fmt::format(
            "docker: there is no image {} and no archive to import it from (looked for {}); "
            "build it with `sandtrap image build`",
            name, fmt::join(context.options.image_archives, ", ")));
  }
  auto imported = co_await import_image(context, *archive);
  if (imported && !outdated.empty()) {
    // Refused while preserved sandboxes stand on it: then it stays, without a name.
    static_cast<void>(co_await context.api.send(
        "DELETE", "/images/" + net::percent_encode(outdated), {}, DockerApi::kQuick));
  }
  co_return imported;
}

}  // namespace sandtrap::sandbox
