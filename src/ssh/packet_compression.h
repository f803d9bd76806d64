// zlib streams of one direction (RFC 4253 §6.2). Made only when compression was agreed on and the
// user is authenticated: a deflate state is a quarter of a megabyte.
#pragma once

#include <memory>

#include "base/bytes.h"

struct z_stream_s;

namespace sandtrap::ssh {

class Deflater {  // level 6, partial flush, as OpenSSH
 public:
  Deflater();
  ~Deflater();
  // One packet's payload, compressed; valid until the next call.
  base::ByteView compress(base::ByteView head, base::ByteView body);

 private:
  std::unique_ptr<z_stream_s> stream_;
  base::Bytes out_;
};

class Inflater {
 public:
  explicit Inflater(std::size_t max_output);
  ~Inflater();
  // The payload of one packet, valid until the next call; false: not a zlib stream, or more than
  // `max_output` bytes in one packet.
  [[nodiscard]] bool expand(base::ByteView packed, base::ByteView& payload);

 private:
  std::unique_ptr<z_stream_s> stream_;
  std::size_t max_output_;
  base::Bytes out_;
};

}  // namespace sandtrap::ssh
