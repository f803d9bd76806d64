// settings.h: the only reading of files in this folder.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/fd.h"
#include "config/node.h"
#include "config/settings.h"

namespace sandtrap::config {
namespace {

// At most one byte more than is allowed: the reader then says so.
base::Result<std::string> read_text(const std::string& path) {
  // O_NONBLOCK: a named pipe must not stop the start (or a reload) for ever.
  const base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const auto failed = [](std::string why) { return base::fail(base::Errc::kIo, std::move(why)); };
  if (!file) return failed(fmt::format("cannot open: {}", std::strerror(errno)));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0 || S_ISDIR(info.st_mode)) return failed("is not a file");
  std::string text;
  char buffer[16 * 1024];
  while (text.size() <= kMaxDocument) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(fmt::format("cannot read: {}", std::strerror(errno)));
    if (got == 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

LoadResult load_file(const std::string& path) {
  const auto text = read_text(path);
  if (!text) return LoadResult{Settings{}, {Problem{path, 1, 1, text.error().context}}};
  LoadResult loaded = load(*text, path);
  const std::string persona = loaded.settings.server.persona_file;
  if (persona.empty()) return loaded;
  const auto document = read_text(persona);
  if (!document || document->empty()) {
    const std::string why = document ? std::string("is empty") : document.error().context;
    loaded.problems.push_back(Problem{persona, 1, 1, why});
    return loaded;
  }
  return load(*text, path, *document);
}

}  // namespace sandtrap::config
