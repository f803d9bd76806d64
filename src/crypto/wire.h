// RFC 4251 §5 data types. Reader is a cursor over someone else's bytes that latches its first
// failure: read all fields in a row, ask done() once at the end. Writer builds a payload.
// Both are values; a Reader's views live as long as the bytes it was given. Here and not in ssh
// because key and signature blobs are built of the same types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace sandtrap::crypto {

using base::Bytes;
using base::ByteView;

inline constexpr std::size_t kMaxMpint = 2048;  // 16384 bits, as OpenSSH
inline constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);

class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}

  // After a failure every read returns zero or empty, and nothing more is taken.
  std::uint8_t byte();
  bool boolean() { return byte() != 0; }
  std::uint32_t u32();
  std::uint64_t u64();
  ByteView raw(std::size_t n);
  ByteView string(std::size_t max = kNoLimit);  // longer than `max` is a failure
  // A string that OpenSSH reads as a C string: a NUL byte inside is a failure. One at the very
  // end is cut off, as OpenSSH does (sshbuf_get_cstring).
  std::string_view text(std::size_t max = kNoLimit);
  // A non-negative mpint as its magnitude without leading zeros, which OpenSSH trims, however many.
  // Negative ones and magnitudes of more than `max` bytes are failures.
  ByteView mpint(std::size_t max = kMaxMpint);

  ByteView rest() const { return rest_; }
  std::size_t left() const { return rest_.size(); }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }  // all read, nothing behind it
  void fail();

 private:
  ByteView rest_;
  bool ok_ = true;
};

class Writer {
 public:
  Writer() = default;
  explicit Writer(std::uint8_t type) { byte(type); }

  Writer& byte(std::uint8_t v);
  Writer& boolean(bool v) { return byte(v ? 1 : 0); }
  Writer& u32(std::uint32_t v);
  Writer& u64(std::uint64_t v);
  Writer& raw(ByteView bytes);
  Writer& string(ByteView bytes);
  Writer& string(std::string_view text) { return string(base::as_bytes(text)); }
  Writer& mpint(ByteView magnitude);  // big-endian, unsigned; leading zeros are dropped
  Writer& name_list(const std::vector<std::string>& names);

  ByteView view() const { return out_; }
  std::size_t size() const { return out_.size(); }
  const Bytes& bytes() const { return out_; }
  Bytes take() { return std::move(out_); }
  void clear() { out_.clear(); }

 private:
  Bytes out_;
};

// The comma list split; empty names are kept as empty, "" gives no names.
std::vector<std::string_view> split_names(std::string_view list);
std::string join_names(const std::vector<std::string>& names);

void store_u32(std::uint8_t* out, std::uint32_t v);
std::uint32_t load_u32(const std::uint8_t* in);

}  // namespace sandtrap::crypto
