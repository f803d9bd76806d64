// Message authentication codes of SSH packets, keyed once per direction; computing one does not
// allocate.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "crypto/hash.h"

namespace sandtrap::crypto {

inline constexpr std::size_t kMaxTag = 64;

enum class MacKind : std::uint8_t { kHmac, kUmac64, kUmac128 };

struct MacSpec {
  std::string_view name;
  MacKind kind;
  HashName hash;  // of kHmac
  std::uint8_t key_size, tag_size;
  bool encrypt_then_mac;  // over the ciphertext, packet length in the clear (OpenSSH PROTOCOL §1.5)
};

const MacSpec* find_mac(std::string_view name);  // null: unknown
std::vector<std::string_view> mac_names();

class Mac {
 public:
  static std::unique_ptr<Mac> create(const MacSpec& spec, base::ByteView key);
  virtual ~Mac() = default;
  // Writes spec.tag_size bytes.
  virtual void compute(std::uint32_t sequence, base::ByteView packet, std::uint8_t* tag) = 0;
};

}  // namespace sandtrap::crypto
