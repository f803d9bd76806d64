#include "ssh/kex_method.h"

#include <algorithm>
#include <array>

#include "ssh/wire.h"

namespace sandtrap::ssh {
namespace {

using crypto::Agreement;
using crypto::Digest;
using crypto::Hash;
using crypto::HashName;
using Wire = KexMethod::Wire;

constexpr KexMethod kMethods[] = {
    {"sntrup761x25519-sha512", Wire::kStrings, Agreement::kSntrup761Curve25519, HashName::kSha512,
     true},
    {"sntrup761x25519-sha512@openssh.com", Wire::kStrings, Agreement::kSntrup761Curve25519,
     HashName::kSha512, true},
    {"curve25519-sha256", Wire::kStrings, Agreement::kCurve25519, HashName::kSha256, false},
    {"curve25519-sha256@libssh.org", Wire::kStrings, Agreement::kCurve25519, HashName::kSha256,
     false},
    {"ecdh-sha2-nistp256", Wire::kStrings, Agreement::kNistP256, HashName::kSha256, false},
    {"ecdh-sha2-nistp384", Wire::kStrings, Agreement::kNistP384, HashName::kSha384, false},
    {"ecdh-sha2-nistp521", Wire::kStrings, Agreement::kNistP521, HashName::kSha512, false},
    {"diffie-hellman-group14-sha256", Wire::kNumbers, Agreement::kDhGroup14, HashName::kSha256,
     false},
    {"diffie-hellman-group16-sha512", Wire::kNumbers, Agreement::kDhGroup16, HashName::kSha512,
     false},
    {"diffie-hellman-group18-sha512", Wire::kNumbers, Agreement::kDhGroup18, HashName::kSha512,
     false},
    {"diffie-hellman-group-exchange-sha256", Wire::kGroupExchange, Agreement::kDhGroup14,
     HashName::kSha256, false},
    // What ancient clients need; in no persona's own list.
    {"diffie-hellman-group14-sha1", Wire::kNumbers, Agreement::kDhGroup14, HashName::kSha1, false},
    {"diffie-hellman-group-exchange-sha1", Wire::kGroupExchange, Agreement::kDhGroup14,
     HashName::kSha1, false},
    {"diffie-hellman-group1-sha1", Wire::kNumbers, Agreement::kDhGroup1, HashName::kSha1, false},
};

constexpr std::size_t kMaxKey = 128;  // two SHA-512 blocks hold any key we derive

// RFC 4253 §7.2: HASH(K || H || letter || session_id), extended by HASH(K || H || what we have).
void derive(const KexMethod& method, ByteView secret, ByteView hash, char letter,
            ByteView session_identifier, base::MutableByteView out) {
  std::size_t done = 0;
  while (done < out.size()) {
    Hash h(method.hash);
    h.update(secret).update(hash);
    if (done == 0) {
      const auto byte = static_cast<std::uint8_t>(letter);
      h.update({&byte, 1}).update(session_identifier);
    } else {
      h.update(out.first(done));
    }
    Digest block = h.finish();
    const std::size_t n = std::min(block.size, out.size() - done);
    std::copy_n(block.bytes.begin(), n, out.begin() + static_cast<std::ptrdiff_t>(done));
    ::explicit_bzero(block.bytes.data(), block.bytes.size());
    done += n;
  }
}

void hash_value(Hash& h, const KexMethod& method, ByteView value) {
  if (method.wire == Wire::kStrings) {
    h.update_string(value);
  } else {
    h.update(Writer().mpint(value).view());
  }
}

}  // namespace

const KexMethod* find_kex(std::string_view name) {
  const auto* it = std::find_if(std::begin(kMethods), std::end(kMethods),
                                [&](const KexMethod& m) { return m.name == name; });
  return it == std::end(kMethods) ? nullptr : it;
}

std::vector<std::string_view> kex_names() {
  std::vector<std::string_view> names;
  for (const KexMethod& method : kMethods) names.push_back(method.name);
  return names;
}

crypto::Secret encode_secret(const KexMethod& method, ByteView shared) {
  Writer w;
  if (method.secret_is_string) {
    w.string(shared);
  } else {
    w.mpint(shared);
  }
  return crypto::Secret(w.take());
}

Digest exchange_hash(const KexMethod& method, const ExchangeInput& in, ByteView encoded_secret) {
  Hash h(method.hash);
  h.update_string(base::as_bytes(in.client_id)).update_string(base::as_bytes(in.server_id));
  h.update_string(in.client_kex_init).update_string(in.server_kex_init);
  h.update_string(in.host_key).update(in.group_exchange);
  hash_value(h, method, in.client_value);
  hash_value(h, method, in.server_value);
  return h.update(encoded_secret).finish();
}

base::Result<std::unique_ptr<PacketProtection>> derive_protection(
    const KexMethod& method, ByteView encoded_secret, ByteView hash, ByteView session_identifier,
    const DirectionAlgorithms& algorithms, char letter, Direction direction) {
  const CipherSpec* cipher = find_cipher(algorithms.cipher);
  const crypto::MacSpec* mac = crypto::find_mac(algorithms.mac);
  if (cipher == nullptr || (mac == nullptr && !cipher->authenticated())) {
    return base::fail(base::Errc::kUnsupported, "cipher or MAC");
  }
  // Letters A/B are the IVs, C/D the cipher keys, E/F the MAC keys.
  std::array<std::uint8_t, kMaxKey> iv, key, mac_key;
  const auto run = [&](std::array<std::uint8_t, kMaxKey>& into, std::size_t size, int step) {
    const auto which = static_cast<char>(letter + 2 * step);
    derive(method, encoded_secret, hash, which, session_identifier, {into.data(), size});
    return ByteView(into.data(), size);
  };
  const ByteView iv_view = run(iv, cipher->iv_size, 0);
  const ByteView key_view = run(key, cipher->key_size, 1);
  const bool use_mac = mac != nullptr && !cipher->authenticated();
  const ByteView mac_view = run(mac_key, use_mac ? mac->key_size : 0, 2);
  auto out = PacketProtection::create(*cipher, use_mac ? mac : nullptr, direction, key_view,
                                      iv_view, mac_view);
  for (auto* buffer : {&iv, &key, &mac_key}) ::explicit_bzero(buffer->data(), buffer->size());
  return out;
}

}  // namespace sandtrap::ssh
