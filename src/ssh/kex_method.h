// The key exchange methods as data, the exchange hash, and the keys that come out of it
// (RFC 4253 §7.2, §8; RFC 4419; RFC 5656 §4). Shared by the server and the test client.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "crypto/hash.h"
#include "crypto/key_agreement.h"
#include "crypto/secret.h"
#include "ssh/kex_init.h"
#include "ssh/packet_protection.h"

namespace sandtrap::ssh {

struct KexMethod {
  enum class Wire : std::uint8_t {
    kStrings,  // 30/31 with octet strings
    kNumbers,  // 30/31 with mpints
    kGroupExchange,
  };
  std::string_view name;
  Wire wire;
  crypto::Agreement agreement;  // unused by kGroupExchange
  crypto::HashName hash;
  bool secret_is_string;  // K enters the hash as a string instead of an mpint
};

const KexMethod* find_kex(std::string_view name);  // null: unknown, or a pseudo-algorithm
std::vector<std::string_view> kex_names();         // without pseudo-algorithms

// The secret in the encoding in which every hash takes it.
crypto::Secret encode_secret(const KexMethod& method, ByteView shared);

struct ExchangeInput {
  std::string_view client_id, server_id;  // without CR LF
  ByteView client_kex_init, server_kex_init, host_key;
  ByteView group_exchange;  // kGroupExchange: min, n, max, p, g as they were on the wire
  ByteView client_value, server_value;  // raw octets
};
crypto::Digest exchange_hash(const KexMethod& method, const ExchangeInput& input,
                             ByteView encoded_secret);

struct DirectionAlgorithms {
  std::string_view cipher, mac;
};

// Derives the keys of one direction and sets it up. `letter`: 'A' client to server, 'B' back.
base::Result<std::unique_ptr<PacketProtection>> derive_protection(
    const KexMethod& method, ByteView encoded_secret, ByteView hash, ByteView session_identifier,
    const DirectionAlgorithms& algorithms, char letter, Direction direction);

}  // namespace sandtrap::ssh
