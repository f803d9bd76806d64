#include "warden/user_name.h"

#include <algorithm>

namespace sandtrap::warden {

bool is_possible_user(std::string_view name) {
  if (name.ends_with('$')) name.remove_suffix(1);
  if (name.empty() || name.size() > 32) return false;
  const auto lower = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  const auto later = [&](char c) {
    return lower(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
  };
  return lower(name.front()) && std::all_of(name.begin() + 1, name.end(), later);
}

}  // namespace sandtrap::warden
