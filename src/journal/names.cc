#include "journal/names.h"

#include <algorithm>

namespace sandtrap::journal {
namespace {

constexpr std::string_view kPrefix = "events-";
constexpr std::string_view kPattern = "00000000T000000.000000Z";  // 0: any digit

std::string_view stem(std::string_view name) {
  return name.substr(0, kPrefix.size() + kPattern.size());
}

}  // namespace

std::string moved_name(base::WallTime now) {
  std::string time = base::to_iso8601(now);
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  return std::string(kPrefix) + time + std::string(kPlain);
}

bool is_moved(std::string_view name) {
  if (!name.starts_with(kPrefix)) return false;
  name.remove_prefix(kPrefix.size());
  if (name.size() < kPattern.size()) return false;
  for (std::size_t i = 0; i < kPattern.size(); ++i) {
    const bool digit = name[i] >= '0' && name[i] <= '9';
    if (kPattern[i] == '0' ? !digit : name[i] != kPattern[i]) return false;
  }
  const std::string_view ending = name.substr(kPattern.size());
  return ending == kPlain || ending == kCompressed;
}

bool is_compressed(std::string_view name) {
  return name.ends_with(kCompressed);
}

std::string compressed_of(std::string_view plain_name) {
  return std::string(plain_name.substr(0, plain_name.size() - kPlain.size())) +
         std::string(kCompressed);
}

std::string unfinished_of(std::string_view compressed_name) {
  return "." + std::string(compressed_name) + ".new";
}

bool is_unfinished(std::string_view name) {
  return name.size() > 5 && name.front() == '.' && name.ends_with(".new") &&
         is_moved(name.substr(1, name.size() - 5));
}

std::vector<std::string> in_order(std::vector<std::string> names) {
  std::erase_if(names, [](const std::string& name) { return !is_moved(name); });
  // Of one time the compressed name comes first, and stays.
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    if (stem(a) != stem(b)) return stem(a) < stem(b);
    return is_compressed(a) && !is_compressed(b);
  });
  const auto twins = [](const std::string& a, const std::string& b) { return stem(a) == stem(b); };
  names.erase(std::unique(names.begin(), names.end(), twins), names.end());
  return names;
}

}  // namespace sandtrap::journal
