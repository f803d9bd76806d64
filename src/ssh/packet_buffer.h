// A queue of bytes: appended at the end, taken from the front. Holds no memory while empty, so that
// ten thousand idle connections cost nothing here; storage is not zeroed before it is written.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace sandtrap::ssh {

using base::Bytes;
using base::ByteView;
using base::MutableByteView;

class PacketBuffer {
 public:
  // At least `n` writable bytes behind the content (all there are), then commit() what was written.
  MutableByteView space(std::size_t n);
  void commit(std::size_t n) { end_ += n; }
  void append(ByteView bytes);

  ByteView view() const { return {storage_.get() + begin_, end_ - begin_}; }
  MutableByteView writable() { return {storage_.get() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  std::size_t capacity() const { return capacity_; }

  void consume(std::size_t n);    // from the front; views of the rest stay valid
  void drop_tail(std::size_t n);  // from the end
  void release_if_empty();        // gives the storage back
  void clear() { begin_ = end_ = 0; }

 private:
  std::unique_ptr<std::uint8_t[]> storage_;
  std::size_t begin_ = 0, end_ = 0, capacity_ = 0;
  std::size_t last_capacity_ = 0;  // what the previous storage had grown to
};

}  // namespace sandtrap::ssh
