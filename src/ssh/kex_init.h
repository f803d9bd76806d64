// SSH_MSG_KEXINIT (RFC 4253 §7.1): building, parsing and the choice of algorithms, with OpenSSH's
// habits: a list ends at its first empty name, and only its first 40 names count.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

namespace sandtrap::ssh {

using base::Bytes;
using base::ByteView;

inline constexpr std::size_t kCookieSize = 16;

struct KexInit {
  enum Field : std::size_t {
    kKex,
    kHostKey,
    kCipherC2s,
    kCipherS2c,
    kMacC2s,
    kMacS2c,
    kCompressionC2s,
    kCompressionS2c,
    kLanguageC2s,
    kLanguageS2c,
    kFields
  };
  std::array<std::string, kFields> lists;  // exactly as on the wire
  bool first_packet_follows = false;

  bool offers(Field field, std::string_view name) const;
};

Bytes make_kex_init(const KexInit& init, ByteView cookie);  // the payload, type byte included
base::Result<KexInit> parse_kex_init(ByteView payload);

struct ChosenAlgorithms {
  std::string kex, host_key, cipher_c2s, cipher_s2c, mac_c2s, mac_s2c, compression_c2s,
      compression_s2c;
  bool guess_is_wrong = false;  // the client's guessed packet has to be skipped
};

// The client's first name that the server has too, for every list. The MAC of an authenticated
// cipher is not negotiated; it reads "<implicit>".
base::Result<ChosenAlgorithms> choose_algorithms(const KexInit& client, const KexInit& server);

inline constexpr std::string_view kImplicitMac = "<implicit>";

}  // namespace sandtrap::ssh
