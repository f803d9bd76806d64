// Key material. Wiped on destruction and on move-out; compared in constant time; never printed.
#pragma once

#include <string.h>

#include <algorithm>
#include <utility>

#include "base/bytes.h"

namespace sandtrap::crypto {

using base::Bytes;
using base::ByteView;

// Equal in constant time for equal lengths; the length itself is not secret.
inline bool equal_in_constant_time(ByteView a, ByteView b) {
  if (a.size() != b.size()) return false;
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<std::uint8_t>(difference | (a[i] ^ b[i]));
  }
  return difference == 0;
}

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::size_t size) : bytes_(size) {}
  explicit Secret(ByteView from) : bytes_(from.begin(), from.end()) {}
  explicit Secret(Bytes&& from) : bytes_(std::move(from)) {}
  Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
  Secret& operator=(Secret&& other) noexcept {
    wipe();
    bytes_.swap(other.bytes_);
    return *this;
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(); }

  ByteView view() const { return bytes_; }
  base::MutableByteView writable() { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  bool equals(ByteView other) const { return equal_in_constant_time(bytes_, other); }

  void wipe() {
    if (!bytes_.empty()) ::explicit_bzero(bytes_.data(), bytes_.size());
    bytes_.clear();
  }

 private:
  Bytes bytes_;
};

}  // namespace sandtrap::crypto
