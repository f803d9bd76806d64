#include "ssh/packet_buffer.h"

#include <algorithm>

#include "base/error.h"

namespace sandtrap::ssh {
namespace {

constexpr std::size_t kSmallest = 512;
// A write of this size announces bulk data: start at the size that was needed last time.
constexpr std::size_t kBulk = 4096;
constexpr std::size_t kRemembered = 512 * 1024;

}  // namespace

MutableByteView PacketBuffer::space(std::size_t n) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (capacity_ - end_ >= n) return {storage_.get() + end_, capacity_ - end_};
  const std::size_t used = end_ - begin_;
  if (used + n <= capacity_ && used <= capacity_ / 2) {
    std::memmove(storage_.get(), storage_.get() + begin_, used);
  } else {
    std::size_t wanted = std::max({used + n, capacity_ * 2, kSmallest});
    if (capacity_ == 0 && n >= kBulk) wanted = std::max(wanted, last_capacity_);
    auto fresh = std::make_unique_for_overwrite<std::uint8_t[]>(wanted);
    if (used != 0) std::memcpy(fresh.get(), storage_.get() + begin_, used);
    storage_ = std::move(fresh);
    capacity_ = wanted;
  }
  begin_ = 0;
  end_ = used;
  return {storage_.get() + end_, capacity_ - end_};
}

void PacketBuffer::append(ByteView bytes) {
  if (bytes.empty()) return;
  std::memcpy(space(bytes.size()).data(), bytes.data(), bytes.size());
  commit(bytes.size());
}

void PacketBuffer::consume(std::size_t n) {
  SANDTRAP_CHECK(n <= size());
  begin_ += n;
}

void PacketBuffer::drop_tail(std::size_t n) {
  SANDTRAP_CHECK(n <= size());
  end_ -= n;
}

void PacketBuffer::release_if_empty() {
  if (!empty() || capacity_ == 0) return;
  last_capacity_ = std::min(capacity_, kRemembered);
  storage_.reset();
  begin_ = end_ = capacity_ = 0;
}

}  // namespace sandtrap::ssh
