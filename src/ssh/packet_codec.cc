#include "ssh/packet_codec.h"

#include <algorithm>

#include "base/error.h"
#include "ssh/wire.h"

namespace sandtrap::ssh {
namespace {

constexpr std::size_t kMinPadding = 4;
constexpr std::size_t kHeader = 5;  // packet_length and padding_length
// OpenSSH's PACKET_MAX_SIZE: what it swallows of a connection whose packet was wrong.
constexpr std::size_t kSwallowed = 256 * 1024;

}  // namespace

PacketWriter::PacketWriter(base::Entropy& entropy) : entropy_(entropy) {}

void PacketWriter::write(PacketBuffer& out, ByteView head, ByteView body) {
  if (deflater_) {
    body = deflater_->compress(head, body);
    head = {};
  }
  const PacketProtection::Shape& shape = protection_->shape();
  const std::size_t payload = head.size() + body.size();
  const std::size_t padded = kHeader + payload - (shape.length_apart ? 4 : 0);
  std::size_t padding = shape.block - padded % shape.block;
  if (padding < kMinPadding) padding += shape.block;
  const std::size_t size = kHeader + payload + padding;

  std::uint8_t* p = out.space(size + shape.tag).data();
  store_u32(p, static_cast<std::uint32_t>(size - 4));
  p[4] = static_cast<std::uint8_t>(padding);
  if (!head.empty()) std::memcpy(p + kHeader, head.data(), head.size());
  if (!body.empty()) std::memcpy(p + kHeader + head.size(), body.data(), body.size());
  // OpenSSH pads with zeros until there is a cipher, with random bytes from then on.
  const MutableByteView tail(p + kHeader + payload, padding);
  if (encrypted_) {
    entropy_.fill(tail);
  } else {
    std::fill(tail.begin(), tail.end(), std::uint8_t{0});
  }
  protection_->seal(sequence_, {p, size}, p + size);
  out.commit(size + shape.tag);
  ++sequence_;
  ++counters_.packets;
  counters_.blocks += size / shape.block;
}

void PacketWriter::set_protection(std::unique_ptr<PacketProtection> protection,
                                  bool reset_sequence) {
  protection_ = std::move(protection);
  encrypted_ = true;
  if (reset_sequence) sequence_ = 0;
  counters_ = {};
}

void PacketWriter::start_compression() {
  deflater_ = std::make_unique<Deflater>();
}

PacketReader::Result PacketReader::read(PacketBuffer& in) {
  const PacketProtection::Shape& shape = protection_->shape();
  if (concealed_ != nullptr) return swallow(in);
  if (length_ == 0) {
    if (in.size() < shape.head) return {};
    const std::uint32_t length = protection_->read_length(sequence_, in.writable().data());
    if (length < 5 || length > max_length_) return corrupt(in, "bad packet length", 0, kSwallowed);
    // sshd checks the alignment of what is still to come, which is the same as checking it all.
    const std::size_t padded = length + (shape.length_apart ? 0u : 4u);
    if (padded % shape.block != 0) return corrupt(in, "packet length not aligned", 0, kSwallowed);
    length_ = length;
  }
  if (in.size() < std::size_t{4} + length_ + shape.tag) return {};
  return open_packet(in);
}

PacketReader::Result PacketReader::open_packet(PacketBuffer& in) {
  const PacketProtection::Shape& shape = protection_->shape();
  const MutableByteView packet = in.writable().first(std::size_t{4} + length_);
  Result result{.outcome = Outcome::kPacket, .sequence = sequence_, .payload = {}};
  if (!protection_->open(sequence_, packet, packet.data() + packet.size())) {
    return corrupt(in, "bad MAC", packet.size(), kSwallowed + shape.head);
  }
  ++sequence_;
  ++counters_.packets;
  counters_.blocks += packet.size() / shape.block;
  in.consume(packet.size() + shape.tag);
  length_ = 0;

  const std::uint8_t padding = packet[4];
  if (padding < kMinPadding) {
    result.outcome = Outcome::kBadPadding;
    result.padding = padding;
    return result;
  }
  // At least the type byte has to remain.
  if (packet.size() < kHeader + padding + 1u)
    return {.outcome = Outcome::kCorrupt, .reason = "padding too long"};
  result.payload = packet.subspan(kHeader, packet.size() - kHeader - padding);
  if (inflater_ && (!inflater_->expand(result.payload, result.payload) || result.payload.empty())) {
    return {.outcome = Outcome::kCorrupt, .reason = "bad compressed data"};
  }
  return result;
}

// Where the cipher has nothing to conceal the connection ends at once. Else like OpenSSH's
// ssh_packet_start_discard: as many bytes go by whatever was wrong, and the time of a MAC over the
// longest packet is spent before the end. `discard` counts from the packet's front.
PacketReader::Result PacketReader::corrupt(PacketBuffer& in, const char* reason,
                                           std::size_t authenticated, std::size_t discard) {
  if (!protection_->shape().conceals_errors)
    return {.outcome = Outcome::kCorrupt, .reason = reason};
  concealed_ = reason;
  already_authenticated_ = authenticated;
  discard_ = discard;
  return swallow(in);
}

PacketReader::Result PacketReader::swallow(PacketBuffer& in) {
  const std::size_t n = std::min(in.size(), discard_);
  in.consume(n);
  discard_ -= n;
  if (discard_ > 0) return {};
  protection_->spend(kSwallowed - std::min(already_authenticated_, kSwallowed));
  return {.outcome = Outcome::kCorrupt, .reason = concealed_};
}

void PacketReader::set_protection(std::unique_ptr<PacketProtection> protection,
                                  bool reset_sequence) {
  protection_ = std::move(protection);
  if (reset_sequence) sequence_ = 0;
  counters_ = {};
}

void PacketReader::start_compression() {
  inflater_ = std::make_unique<Inflater>(max_length_);
}

}  // namespace sandtrap::ssh
