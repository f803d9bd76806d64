// gzip files (RFC 1952) by zlib: a whole file in, a whole file out, and reading one back in pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/fd.h"

namespace sandtrap::journal {

// Everything of `from`, from its beginning, compressed into `to`; not yet synced. How many bytes
// were read.
base::Result<std::uint64_t> compress_file(int from, int to);

// The bytes that were compressed, in order. A file that is cut off or no gzip is an error where
// that shows.
class GzipReader {
 public:
  static base::Result<GzipReader> open(base::Fd file);
  // As read(2); 0: the end.
  base::Result<std::size_t> read(char* into, std::size_t size);

 private:
  struct Close {
    void operator()(void* file) const;
  };
  explicit GzipReader(void* file) : file_(file) {}
  std::unique_ptr<void, Close> file_;
};

}  // namespace sandtrap::journal
