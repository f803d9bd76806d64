#include "scribe/finisher.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "record/encoder.h"
#include "scribe/log_repair.h"
#include "scribe/write_behind.h"

namespace sandtrap::scribe {

using base::Result;

namespace {
constexpr std::uint64_t kDropStep = 4 << 20;  // a usual recording is far smaller, and stays cached
}

Result<FileSum> sum_file(int fd) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(),
                                                                       &EVP_MD_CTX_free);
  if (!digest || EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) != 1) {
    return base::fail(base::Errc::kUnsupported, "no SHA-256");
  }
  FileSum sum;
  std::uint64_t dropped = 0;
  std::vector<std::uint8_t> buffer(256 * 1024);
  while (true) {
    const ssize_t n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(sum.size));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno("read", errno);
    if (n == 0) break;
    sum.size += static_cast<std::uint64_t>(n);
    EVP_DigestUpdate(digest.get(), buffer.data(), static_cast<std::size_t>(n));
    if (sum.size - dropped >= kDropStep) {
      drop_from_memory(fd, dropped, sum.size);
      dropped = sum.size;
    }
  }
  std::uint8_t hash[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_DigestFinal_ex(digest.get(), hash, &length);
  sum.sha256 = base::to_hex({hash, length});
  return sum;
}

Result<Finished> finish_files(const RecordingFiles& files, const Origin& origin) {
  const auto left = trim_recording(files.cast.get());
  if (!left) return tl::unexpected(left.error());
  if (*left == 0) {
    record::Header header;
    header.session = origin.session;
    header.case_id = origin.case_id;
    header.sandbox = origin.sandbox;
    header.source_ip = origin.source_ip;
    header.channel = origin.channel;
    header.start = base::wall_now();
    const std::string line = record::Encoder(header, base::Instant()).header_line();
    if (::pwrite(files.cast.get(), line.data(), line.size(), 0) !=
        static_cast<ssize_t>(line.size())) {
      return base::fail_errno("write header", errno);
    }
  }
  Finished out;
  auto cast = sum_file(files.cast.get());
  if (!cast) return tl::unexpected(cast.error());
  out.cast = std::move(*cast);
  if (files.binary) {
    auto sidecar = sum_file(files.binary.get());
    if (!sidecar) return tl::unexpected(sidecar.error());
    if (sidecar->size > 0) out.sidecar = std::move(*sidecar);
  }
  return out;
}

}  // namespace sandtrap::scribe
