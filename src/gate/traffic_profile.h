// The shape of a connection's traffic, after JA4SSH: for each 200 packets the commonest payload
// length of each side, how many packets and how many bare acknowledgements each side sent. A packet
// is what one read gave or one write took, which is a segment as long as nobody is in a hurry.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sandtrap::gate {

struct AckCounts {  // bare acknowledgements since the connection began
  std::uint64_t in = 0, out = 0;
};

std::optional<AckCounts> bare_acknowledgements(int socket);

struct TrafficWindow {
  std::uint32_t number = 1;
  std::uint32_t mode_in = 0, mode_out = 0;  // payload bytes; the shorter of equally common ones
  std::uint32_t packets_in = 0, packets_out = 0;
  std::uint64_t acks_in = 0, acks_out = 0;
};

// "c36s36_c51s80_c69s0"
std::string ja4ssh(const TrafficWindow& window);

class TrafficProfile {
 public:
  static constexpr std::size_t kPackets = 200;
  static constexpr std::uint32_t kMaxWindows = 50;  // of one connection: a download is not noise

  void received(std::size_t bytes) { count(in_, bytes); }
  void sent(std::size_t bytes) { count(out_, bytes); }
  bool full() const { return in_.size() + out_.size() >= kPackets; }
  // The window so far, and begins the next one; nothing when it is empty or one of too many.
  std::optional<TrafficWindow> close(std::optional<AckCounts> acks);

 private:
  void count(std::vector<std::uint32_t>& side, std::size_t bytes) {
    if (windows_ < kMaxWindows) side.push_back(static_cast<std::uint32_t>(bytes));
  }

  std::vector<std::uint32_t> in_, out_;
  std::uint32_t windows_ = 0;
  AckCounts before_;
};

}  // namespace sandtrap::gate
