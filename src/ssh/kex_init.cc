#include "ssh/kex_init.h"

#include <optional>

#include "ssh/packet_protection.h"
#include "ssh/transport_messages.h"
#include "ssh/wire.h"

namespace sandtrap::ssh {
namespace {

using base::Errc;
using base::Result;

constexpr int kMaxNames = 40;

// The next name of a list, in the way strsep(3) under OpenSSH's match_list sees it.
class Names {
 public:
  explicit Names(std::string_view list) : rest_(list) {}
  std::optional<std::string_view> next() {
    if (taken_++ == kMaxNames) return std::nullopt;
    const std::size_t comma = rest_.find(',');
    const std::string_view name = rest_.substr(0, comma);
    rest_.remove_prefix(comma == std::string_view::npos ? rest_.size() : comma + 1);
    if (name.empty()) return std::nullopt;
    return name;
  }

 private:
  std::string_view rest_;
  int taken_ = 0;
};

bool contains(std::string_view list, std::string_view wanted) {
  Names names(list);
  while (const auto name = names.next()) {
    if (*name == wanted) return true;
  }
  return false;
}

std::optional<std::string> first_common(std::string_view client, std::string_view server) {
  Names names(client);
  while (const auto name = names.next()) {
    if (contains(server, *name)) return std::string(*name);
  }
  return std::nullopt;
}

std::string_view first_name(std::string_view list) {
  return list.substr(0, list.find(','));
}

}  // namespace

bool KexInit::offers(Field field, std::string_view name) const {
  return contains(lists[field], name);
}

Bytes make_kex_init(const KexInit& init, ByteView cookie) {
  Writer w(message::kKexInit);
  w.raw(cookie.first(kCookieSize));
  for (const std::string& list : init.lists) w.string(list);
  w.boolean(init.first_packet_follows).u32(0);
  return w.take();
}

Result<KexInit> parse_kex_init(ByteView payload) {
  Reader r(payload);
  r.byte();
  r.raw(kCookieSize);
  KexInit out;
  for (std::string& list : out.lists) list = r.text();
  out.first_packet_follows = r.boolean();
  r.u32();  // reserved; sshd does not look at it
  if (!r.done()) return base::fail(Errc::kInvalid, "malformed KEXINIT");
  return out;
}

Result<ChosenAlgorithms> choose_algorithms(const KexInit& client, const KexInit& server) {
  const char* missing = nullptr;
  const auto choose = [&](KexInit::Field field, const char* what) {
    auto name = first_common(client.lists[field], server.lists[field]);
    if (!name && missing == nullptr) missing = what;
    return name.value_or("");
  };
  const auto choose_mac = [&](KexInit::Field field, const std::string& cipher) {
    const CipherSpec* spec = find_cipher(cipher);
    if (spec != nullptr && spec->authenticated()) return std::string(kImplicitMac);
    return choose(field, "no common MAC");
  };
  ChosenAlgorithms out;
  out.kex = choose(KexInit::kKex, "no common key exchange method");
  out.host_key = choose(KexInit::kHostKey, "no common host key algorithm");
  out.cipher_c2s = choose(KexInit::kCipherC2s, "no common cipher");
  out.cipher_s2c = choose(KexInit::kCipherS2c, "no common cipher");
  out.mac_c2s = choose_mac(KexInit::kMacC2s, out.cipher_c2s);
  out.mac_s2c = choose_mac(KexInit::kMacS2c, out.cipher_s2c);
  out.compression_c2s = choose(KexInit::kCompressionC2s, "no common compression");
  out.compression_s2c = choose(KexInit::kCompressionS2c, "no common compression");
  if (missing != nullptr) return base::fail(Errc::kUnsupported, missing);

  const auto same_first = [&](KexInit::Field field) {
    return first_name(client.lists[field]) == first_name(server.lists[field]);
  };
  out.guess_is_wrong =
      client.first_packet_follows && !(same_first(KexInit::kKex) && same_first(KexInit::kHostKey));
  return out;
}

}  // namespace sandtrap::ssh
