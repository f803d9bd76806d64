#include "journal/gzip.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <vector>

namespace sandtrap::journal {
namespace {

using base::Errc;
using base::Result;
using base::Status;

constexpr std::size_t kBlock = 256 * 1024;
constexpr int kGzip = 16;  // zlib.h: added to the window's bits

Status write_all(int fd, const unsigned char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t n = ::write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno("write", errno);
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return {};
}

struct Deflate {
  z_stream stream{};
  bool good;
  Deflate()
      : good(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + kGzip, 8,
                          Z_DEFAULT_STRATEGY) == Z_OK) {}
  ~Deflate() {
    if (good) deflateEnd(&stream);
  }
  Deflate(const Deflate&) = delete;
  Deflate& operator=(const Deflate&) = delete;
};

}  // namespace

Result<std::uint64_t> compress_file(int from, int to) {
  Deflate deflater;
  if (!deflater.good) return base::fail(Errc::kUnsupported, "zlib");
  std::vector<unsigned char> in(kBlock), out(kBlock);
  z_stream& stream = deflater.stream;
  std::uint64_t total = 0;
  for (bool end = false; !end;) {
    const ssize_t n = ::pread(from, in.data(), in.size(), static_cast<off_t>(total));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno("read", errno);
    end = n == 0;
    total += static_cast<std::uint64_t>(n);
    stream.next_in = in.data();
    stream.avail_in = static_cast<uInt>(n);
    do {
      stream.next_out = out.data();
      stream.avail_out = static_cast<uInt>(out.size());
      if (deflate(&stream, end ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR) {
        return base::fail(Errc::kInvalid, "zlib");
      }
      if (auto ok = write_all(to, out.data(), out.size() - stream.avail_out); !ok) {
        return tl::unexpected(ok.error());
      }
    } while (stream.avail_out == 0);
  }
  return total;
}

void GzipReader::Close::operator()(void* file) const {
  gzclose(static_cast<gzFile>(file));
}

Result<GzipReader> GzipReader::open(base::Fd file) {
  const int fd = file.get();
  gzFile opened = gzdopen(fd, "rb");
  if (opened == nullptr) return base::fail(Errc::kIo, "gzip");
  file.release();
  gzbuffer(opened, kBlock);
  return GzipReader(opened);
}

Result<std::size_t> GzipReader::read(char* into, std::size_t size) {
  auto* file = static_cast<gzFile>(file_.get());
  const auto most =
      static_cast<unsigned>(std::min<std::size_t>(size, std::numeric_limits<int>::max()));
  const int n = gzread(file, into, most);
  int code = Z_OK;
  const char* text = gzerror(file, &code);
  if (n < 0 || (n == 0 && code != Z_OK && code != Z_STREAM_END)) {
    return base::fail(Errc::kInvalid, std::string("gzip: ") + text);
  }
  return static_cast<std::size_t>(n);
}

}  // namespace sandtrap::journal
