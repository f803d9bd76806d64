// The binary packet protocol (RFC 4253 §6), one object per direction: framing, padding, sequence
// numbers, counters for rekeying, compression. Used by the server's transport and the test client.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/entropy.h"
#include "ssh/packet_buffer.h"
#include "ssh/packet_compression.h"
#include "ssh/packet_protection.h"

namespace sandtrap::ssh {

// What OpenSSH counts since the last NEWKEYS of a direction.
struct PacketCounters {
  std::uint64_t packets = 0;
  std::uint64_t blocks = 0;
};

class PacketWriter {
 public:
  explicit PacketWriter(base::Entropy& entropy);

  // Seals `head` + `body` as one payload straight into `out`.
  void write(PacketBuffer& out, ByteView head, ByteView body);
  void set_protection(std::unique_ptr<PacketProtection> protection, bool reset_sequence);
  void start_compression();  // anew; from the next packet on
  void stop_compression() { deflater_.reset(); }

  std::uint32_t sequence() const { return sequence_; }  // of the next packet
  const PacketCounters& counters() const { return counters_; }
  std::size_t block_size() const { return protection_->shape().block; }

 private:
  base::Entropy& entropy_;
  std::unique_ptr<PacketProtection> protection_ = PacketProtection::none();
  std::unique_ptr<Deflater> deflater_;
  std::uint32_t sequence_ = 0;
  PacketCounters counters_;
  bool encrypted_ = false;
};

class PacketReader {
 public:
  enum class Outcome {
    kNothing,  // no whole packet yet
    kPacket,
    kBadPadding,  // padding length below 4: sshd says so
    kCorrupt,     // bad length, alignment, tag or compression: sshd falls silent
  };
  struct Result {
    Outcome outcome = Outcome::kNothing;
    std::uint32_t sequence = 0;
    ByteView payload{};        // valid until `in` is written to, or the next read
    std::uint8_t padding = 0;  // of kBadPadding
    const char* reason = "";   // of kCorrupt, for the log
  };

  explicit PacketReader(std::uint32_t max_packet_length) : max_length_(max_packet_length) {}

  Result read(PacketBuffer& in);  // takes one packet off the front of `in`
  void set_protection(std::unique_ptr<PacketProtection> protection, bool reset_sequence);
  void start_compression();
  void stop_compression() { inflater_.reset(); }

  const PacketCounters& counters() const { return counters_; }
  std::size_t block_size() const { return protection_->shape().block; }

 private:
  Result open_packet(PacketBuffer& in);
  Result corrupt(PacketBuffer& in, const char* reason, std::size_t authenticated,
                 std::size_t discard);
  Result swallow(PacketBuffer& in);

  std::unique_ptr<PacketProtection> protection_ = PacketProtection::none();
  std::unique_ptr<Inflater> inflater_;
  std::uint32_t max_length_;
  std::uint32_t sequence_ = 0;
  std::uint32_t length_ = 0;  // packet_length of the packet at the front, once known
  PacketCounters counters_;
  // Once a packet was wrong and that is concealed: input still to be swallowed, and how many of its
  // bytes the MAC has already seen.
  std::size_t discard_ = 0, already_authenticated_ = 0;
  const char* concealed_ = nullptr;
};

}  // namespace sandtrap::ssh
