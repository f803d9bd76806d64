#include "crypto/mac.h"

#include <nettle/umac.h>
#include <string.h>

#include <algorithm>

#include "base/error.h"

namespace sandtrap::crypto {
namespace {

constexpr HashName kNoHash = HashName::kSha256;  // unused by UMAC
constexpr MacSpec kMacs[] = {
    {"umac-64-etm@openssh.com", MacKind::kUmac64, kNoHash, 16, 8, true},
    {"umac-128-etm@openssh.com", MacKind::kUmac128, kNoHash, 16, 16, true},
    {"hmac-sha2-256-etm@openssh.com", MacKind::kHmac, HashName::kSha256, 32, 32, true},
    {"hmac-sha2-512-etm@openssh.com", MacKind::kHmac, HashName::kSha512, 64, 64, true},
    {"hmac-sha1-etm@openssh.com", MacKind::kHmac, HashName::kSha1, 20, 20, true},
    {"umac-64@openssh.com", MacKind::kUmac64, kNoHash, 16, 8, false},
    {"umac-128@openssh.com", MacKind::kUmac128, kNoHash, 16, 16, false},
    {"hmac-sha2-256", MacKind::kHmac, HashName::kSha256, 32, 32, false},
    {"hmac-sha2-512", MacKind::kHmac, HashName::kSha512, 64, 64, false},
    {"hmac-sha1", MacKind::kHmac, HashName::kSha1, 20, 20, false},
};

// RFC 2104, with both padded keys hashed ahead: a packet costs a copy of each state.
class Hmac final : public Mac {
 public:
  Hmac(HashName name, base::ByteView key) : inner_(name), outer_(name) {
    const std::size_t block = hash_block_size(name);
    SANDTRAP_CHECK(key.size() <= block);
    std::uint8_t pad[128];
    const auto absorb = [&](Hash& into, std::uint8_t mask) {
      std::fill_n(pad, block, mask);
      for (std::size_t i = 0; i < key.size(); ++i) {
        pad[i] = static_cast<std::uint8_t>(key[i] ^ mask);
      }
      into.update(base::ByteView(pad, block));
    };
    absorb(inner_, 0x36);
    absorb(outer_, 0x5c);
    ::explicit_bzero(pad, sizeof pad);
  }
  ~Hmac() override {
    ::explicit_bzero(static_cast<void*>(&inner_), sizeof inner_);
    ::explicit_bzero(static_cast<void*>(&outer_), sizeof outer_);
  }
  void compute(std::uint32_t sequence, base::ByteView packet, std::uint8_t* tag) override {
    Hash inner = inner_;
    const Digest middle = inner.update_u32(sequence).update(packet).finish();
    Hash outer = outer_;
    const Digest result = outer.update(middle.view()).finish();
    std::copy_n(result.bytes.data(), result.size, tag);
  }

 private:
  Hash inner_, outer_;
};

// RFC 4418 with the sequence number as its nonce; the packet alone is authenticated.
template <class Ctx, void (*SetKey)(Ctx*, const std::uint8_t*),
          void (*SetNonce)(Ctx*, std::size_t, const std::uint8_t*),
          void (*Update)(Ctx*, std::size_t, const std::uint8_t*),
          void (*Finish)(Ctx*, std::size_t, std::uint8_t*), std::size_t kSize>
class Umac final : public Mac {
 public:
  explicit Umac(base::ByteView key) {
    SANDTRAP_CHECK(key.size() == UMAC_KEY_SIZE);
    SetKey(&ctx_, key.data());
  }
  ~Umac() override { ::explicit_bzero(&ctx_, sizeof ctx_); }
  void compute(std::uint32_t sequence, base::ByteView packet, std::uint8_t* tag) override {
    std::uint8_t nonce[8] = {};
    for (std::size_t i = 0; i < 4; ++i) {
      nonce[7 - i] = static_cast<std::uint8_t>(sequence >> (8 * i));
    }
    SetNonce(&ctx_, sizeof nonce, nonce);
    Update(&ctx_, packet.size(), packet.data());
    Finish(&ctx_, kSize, tag);
  }

 private:
  Ctx ctx_;
};
using Umac64 = Umac<umac64_ctx, umac64_set_key, umac64_set_nonce, umac64_update, umac64_digest, 8>;
using Umac128 =
    Umac<umac128_ctx, umac128_set_key, umac128_set_nonce, umac128_update, umac128_digest, 16>;

}  // namespace

const MacSpec* find_mac(std::string_view name) {
  const auto* it = std::find_if(std::begin(kMacs), std::end(kMacs),
                                [&](const MacSpec& m) { return m.name == name; });
  return it == std::end(kMacs) ? nullptr : it;
}

std::vector<std::string_view> mac_names() {
  std::vector<std::string_view> names;
  for (const MacSpec& mac : kMacs) names.push_back(mac.name);
  return names;
}

std::unique_ptr<Mac> Mac::create(const MacSpec& spec, base::ByteView key) {
  switch (spec.kind) {
    case MacKind::kHmac:
      return std::make_unique<Hmac>(spec.hash, key);
    case MacKind::kUmac64:
      return std::make_unique<Umac64>(key);
    case MacKind::kUmac128:
      return std::make_unique<Umac128>(key);
  }
  return nullptr;
}

}  // namespace sandtrap::crypto
