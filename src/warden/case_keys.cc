#include "warden/case_keys.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace sandtrap::warden {

cases::TableSettings table_settings(const config::Settings& settings) {
  cases::TableSettings out;
  out.order.clear();
  for (const std::string& text : settings.cases.key) {
    cases::KeyKind kind{};
    if (cases::parse_kind(text, kind)) out.order.push_back(kind);
  }
  out.max_cases = settings.cases.max_tracked;
  return out;
}

std::string case_source(std::string_view ip, std::uint32_t ipv6_prefix) {
  const std::string text(ip);
  char out[INET6_ADDRSTRLEN];
  in_addr v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) return text;
  in6_addr v6{};
  if (::inet_pton(AF_INET6, text.c_str(), &v6) != 1) return {};
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    std::memcpy(&v4, v6.s6_addr + 12, sizeof v4);
    return ::inet_ntop(AF_INET, &v4, out, sizeof out);
  }
  const std::uint32_t prefix = std::min(ipv6_prefix, 128U);
  for (std::uint32_t bit = prefix; bit < 128; ++bit) {
    v6.s6_addr[bit / 8] = static_cast<std::uint8_t>(v6.s6_addr[bit / 8] & ~(0x80U >> (bit % 8)));
  }
  return std::string(::inet_ntop(AF_INET6, &v6, out, sizeof out)) + "/" + std::to_string(prefix);
}

cases::Key source_key(std::string_view ip, std::uint32_t ipv6_prefix) {
  return {cases::KeyKind::kSource, case_source(ip, ipv6_prefix)};
}

std::vector<cases::Key> login_keys(const ipc::Authenticate& login) {
  std::vector<cases::Key> keys;
  const bool password = login.method == "password" || login.method == "keyboard-interactive";
  if (password && !login.secret.empty()) {
    keys.push_back(cases::credential_key(login.user, login.secret));
  }
  if (login.method == "publickey" && login.key_proven && !login.key_fingerprint.empty()) {
    keys.push_back({cases::KeyKind::kClientKey, login.key_fingerprint});
  }
  return keys;
}

}  // namespace sandtrap::warden
