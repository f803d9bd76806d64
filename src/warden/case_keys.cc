#include "warden/case_keys.h"

#include <algorithm>

#include "base/source.h"

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

cases::Key source_key(std::string_view ip, std::uint32_t ipv6_prefix) {
  return {cases::KeyKind::kSource, base::source_of(ip, ipv6_prefix)};
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
