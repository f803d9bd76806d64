// How one direction's packets are encrypted and authenticated: a cipher, with a MAC unless the
// cipher brings its own tag. Everything works in place on a whole packet:
//   packet_length(4) padding_length(1) payload padding   [tag]
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "crypto/mac.h"

namespace sandtrap::ssh {

using base::ByteView;
using base::MutableByteView;

struct CipherSpec {
  enum class Kind : std::uint8_t { kCtr, kGcm, kChaChaPoly, kCbc };
  std::string_view name;
  Kind kind;
  std::uint8_t key_size, iv_size, block_size;
  bool authenticated() const { return kind == Kind::kGcm || kind == Kind::kChaChaPoly; }  // no MAC
};

const CipherSpec* find_cipher(std::string_view name);  // null: unknown
std::vector<std::string_view> cipher_names();

enum class Direction : std::uint8_t { kSeal, kOpen };

class PacketProtection {
 public:
  struct Shape {
    std::uint8_t block;  // the padded part is a multiple of it
    std::uint8_t head;   // bytes that must be there before packet_length can be known
    std::uint8_t tag;    // bytes behind the packet
    bool length_apart;   // packet_length is not part of the padded (encrypted) bytes
    // A wrong packet must not end the connection at once: when it ends would tell a guesser what
    // the first block decrypts to (CBC with a MAC over the plaintext; CVE-2008-5161).
    bool conceals_errors = false;
  };

  static std::unique_ptr<PacketProtection> none();  // before the first NEWKEYS
  // `mac` is ignored for authenticated ciphers, required for the others. `key` and `iv` hold at
  // least the cipher's sizes.
  static std::unique_ptr<PacketProtection> create(const CipherSpec& cipher,
                                                  const crypto::MacSpec* mac, Direction direction,
                                                  ByteView key, ByteView iv, ByteView mac_key);
  virtual ~PacketProtection() = default;

  const Shape& shape() const { return shape_; }
  virtual void seal(std::uint32_t sequence, MutableByteView packet, std::uint8_t* tag) = 0;
  // Exactly once per packet, before open(): may decrypt the shape().head bytes in place.
  virtual std::uint32_t read_length(std::uint32_t sequence, std::uint8_t* head) = 0;
  // False: the tag is wrong.
  [[nodiscard]] virtual bool open(std::uint32_t sequence, MutableByteView packet,
                                  const std::uint8_t* tag) = 0;
  // Spends the time of a MAC over `n` bytes; only where errors are concealed.
  virtual void spend(std::size_t n);

 protected:
  explicit PacketProtection(Shape shape) : shape_(shape) {}

 private:
  Shape shape_;
};

}  // namespace sandtrap::ssh
