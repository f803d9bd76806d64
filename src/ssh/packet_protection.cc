#include "ssh/packet_protection.h"

#include <algorithm>

#include "base/error.h"
#include "crypto/cipher.h"
#include "crypto/secret.h"
#include "ssh/wire.h"

namespace sandtrap::ssh {
namespace {

using Kind = CipherSpec::Kind;
using Shape = PacketProtection::Shape;

// The block size of chacha20-poly1305 is 8 for padding and rekeying (PROTOCOL.chacha20poly1305).
constexpr CipherSpec kCiphers[] = {
    {"chacha20-poly1305@openssh.com", Kind::kChaChaPoly, 64, 0, 8},
    {"aes128-ctr", Kind::kCtr, 16, 16, 16},
    {"aes192-ctr", Kind::kCtr, 24, 16, 16},
    {"aes256-ctr", Kind::kCtr, 32, 16, 16},
    {"aes128-gcm@openssh.com", Kind::kGcm, 16, 12, 16},
    {"aes256-gcm@openssh.com", Kind::kGcm, 32, 12, 16},
    // What ancient clients need; in no persona's own list.
    {"aes128-cbc", Kind::kCbc, 16, 16, 16},
    {"aes192-cbc", Kind::kCbc, 24, 16, 16},
    {"aes256-cbc", Kind::kCbc, 32, 16, 16},
    {"3des-cbc", Kind::kCbc, 24, 8, 8},
};

class Plain final : public PacketProtection {
 public:
  // sshd looks at the length only once it has a block of 8 (RFC 4253 §6).
  Plain() : PacketProtection(Shape{8, 8, 0, false}) {}
  void seal(std::uint32_t, MutableByteView, std::uint8_t*) override {}
  std::uint32_t read_length(std::uint32_t, std::uint8_t* head) override { return load_u32(head); }
  bool open(std::uint32_t, MutableByteView, const std::uint8_t*) override { return true; }
};

class ChaChaPoly final : public PacketProtection {
 public:
  explicit ChaChaPoly(ByteView key)
      : PacketProtection(Shape{8, 4, crypto::ChaChaPoly::kTag, true}), cipher_(key) {}
  void seal(std::uint32_t sequence, MutableByteView packet, std::uint8_t* tag) override {
    cipher_.seal(sequence, packet, tag);
  }
  std::uint32_t read_length(std::uint32_t sequence, std::uint8_t* head) override {
    return cipher_.length(sequence, head);
  }
  bool open(std::uint32_t sequence, MutableByteView packet, const std::uint8_t* tag) override {
    return cipher_.open(sequence, packet, tag);
  }

 private:
  crypto::ChaChaPoly cipher_;
};

class Gcm final : public PacketProtection {
 public:
  Gcm(ByteView key, ByteView iv, Direction direction)
      : PacketProtection(Shape{16, 4, crypto::AesGcm::kTag, true}),
        cipher_(key, iv, direction == Direction::kSeal) {}
  void seal(std::uint32_t, MutableByteView packet, std::uint8_t* tag) override {
    cipher_.seal(packet.first(4), packet.subspan(4), tag);
  }
  std::uint32_t read_length(std::uint32_t, std::uint8_t* head) override { return load_u32(head); }
  bool open(std::uint32_t, MutableByteView packet, const std::uint8_t* tag) override {
    return cipher_.open(packet.first(4), packet.subspan(4), tag);
  }

 private:
  crypto::AesGcm cipher_;
};

// RFC 4253 §6.4: the MAC is over the plaintext, the length is encrypted with the first block.
template <class Cipher>
class CipherThenMac final : public PacketProtection {
 public:
  CipherThenMac(Cipher cipher, const Shape& shape, const crypto::MacSpec& mac, ByteView mac_key)
      : PacketProtection(shape),
        cipher_(std::move(cipher)),
        mac_(crypto::Mac::create(mac, mac_key)) {}
  void seal(std::uint32_t sequence, MutableByteView packet, std::uint8_t* tag) override {
    mac_->compute(sequence, packet, tag);
    cipher_.apply(packet);
  }
  std::uint32_t read_length(std::uint32_t, std::uint8_t* head) override {
    cipher_.apply({head, shape().head});
    return load_u32(head);
  }
  bool open(std::uint32_t sequence, MutableByteView packet, const std::uint8_t* tag) override {
    cipher_.apply(packet.subspan(shape().head));
    std::uint8_t computed[crypto::kMaxTag];
    mac_->compute(sequence, packet, computed);
    return crypto::equal_in_constant_time({computed, shape().tag}, {tag, shape().tag});
  }
  void spend(std::size_t n) override {
    const base::Bytes filler(n, 'a');
    std::uint8_t unused[crypto::kMaxTag];
    mac_->compute(0, filler, unused);
  }

 private:
  Cipher cipher_;
  std::unique_ptr<crypto::Mac> mac_;
};

// OpenSSH PROTOCOL §1.5: the MAC is over the ciphertext, the length stays readable.
template <class Cipher>
class EncryptThenMac final : public PacketProtection {
 public:
  EncryptThenMac(Cipher cipher, const Shape& shape, const crypto::MacSpec& mac, ByteView mac_key)
      : PacketProtection(shape),
        cipher_(std::move(cipher)),
        mac_(crypto::Mac::create(mac, mac_key)) {}
  void seal(std::uint32_t sequence, MutableByteView packet, std::uint8_t* tag) override {
    cipher_.apply(packet.subspan(4));
    mac_->compute(sequence, packet, tag);
  }
  std::uint32_t read_length(std::uint32_t, std::uint8_t* head) override { return load_u32(head); }
  bool open(std::uint32_t sequence, MutableByteView packet, const std::uint8_t* tag) override {
    std::uint8_t computed[crypto::kMaxTag];
    mac_->compute(sequence, packet, computed);
    if (!crypto::equal_in_constant_time({computed, shape().tag}, {tag, shape().tag})) return false;
    cipher_.apply(packet.subspan(4));
    return true;
  }

 private:
  Cipher cipher_;
  std::unique_ptr<crypto::Mac> mac_;
};

template <class Cipher>
std::unique_ptr<PacketProtection> with_mac(Cipher cipher, const CipherSpec& spec,
                                           const crypto::MacSpec& mac, ByteView mac_key) {
  const std::uint8_t block = spec.block_size;
  if (mac.encrypt_then_mac) {
    const Shape shape{block, 4, mac.tag_size, true};
    return std::make_unique<EncryptThenMac<Cipher>>(std::move(cipher), shape, mac, mac_key);
  }
  const Shape shape{block, block, mac.tag_size, false, spec.kind == Kind::kCbc};
  return std::make_unique<CipherThenMac<Cipher>>(std::move(cipher), shape, mac, mac_key);
}

}  // namespace

const CipherSpec* find_cipher(std::string_view name) {
  const auto* it = std::find_if(std::begin(kCiphers), std::end(kCiphers),
                                [&](const CipherSpec& c) { return c.name == name; });
  return it == std::end(kCiphers) ? nullptr : it;
}

std::vector<std::string_view> cipher_names() {
  std::vector<std::string_view> names;
  for (const CipherSpec& cipher : kCiphers) names.push_back(cipher.name);
  return names;
}

void PacketProtection::spend(std::size_t) {}

std::unique_ptr<PacketProtection> PacketProtection::none() {
  return std::make_unique<Plain>();
}

std::unique_ptr<PacketProtection> PacketProtection::create(const CipherSpec& cipher,
                                                           const crypto::MacSpec* mac,
                                                           Direction direction, ByteView key,
                                                           ByteView iv, ByteView mac_key) {
  key = key.first(cipher.key_size);
  iv = iv.first(cipher.iv_size);
  switch (cipher.kind) {
    case Kind::kChaChaPoly:
      return std::make_unique<ChaChaPoly>(key);
    case Kind::kGcm:
      return std::make_unique<Gcm>(key, iv, direction);
    case Kind::kCtr:
    case Kind::kCbc:
      break;
  }
  SANDTRAP_CHECK(mac != nullptr);
  mac_key = mac_key.first(mac->key_size);
  if (cipher.kind == Kind::kCtr) return with_mac(crypto::AesCtr(key, iv), cipher, *mac, mac_key);
  const bool seal = direction == Direction::kSeal;
  return with_mac(crypto::BlockChain(key, iv, seal), cipher, *mac, mac_key);
}

}  // namespace sandtrap::ssh
