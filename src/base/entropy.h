// Source of random bytes, passed in so that tests and fuzzers can replay.
#pragma once

#include "base/bytes.h"

namespace sandtrap::base {

class Entropy {
 public:
  virtual ~Entropy() = default;
  virtual void fill(MutableByteView out) = 0;
};

// getrandom(2), buffered so that small requests do not each cost a system call. One per thread.
class SystemEntropy final : public Entropy {
 public:
  void fill(MutableByteView out) override;

 private:
  std::uint8_t pool_[512];
  std::size_t left_ = 0;
};

// Random identifier of `hex_digits` lower-case hexadecimal digits (session ids: 12, as Cowrie's).
std::string random_id(Entropy& entropy, std::size_t hex_digits);

}  // namespace sandtrap::base
