// The parts of value.h that deal with text: quoting, and guessing what was meant.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/value.h"

namespace sandtrap::config {
namespace {

bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_word(char c) {
  return is_alpha(c) || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '/' || c == '-';
}

// Words that YAML readers take for something else than text.
bool is_reserved(std::string_view text) {
  static constexpr std::array<std::string_view, 8> kWords = {"null", "true", "false", "yes",
                                                             "no",   "on",   "off",   "y"};
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower == "n" || std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

void append_escaped(std::string& out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') {
    out.push_back('\\');
    out.push_back(c);
  } else if (byte < 0x20 || byte == 0x7f) {
    out += fmt::format("\\x{:02x}", byte);
  } else {
    out.push_back(c);
  }
}

// Optimal string alignment: insert, delete, replace, swap neighbours. Inputs are short.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string yaml_text(std::string_view text) {
  const bool plain = !text.empty() && (is_alpha(text.front()) || text.front() == '/') &&
                     std::all_of(text.begin(), text.end(), is_word) && !is_reserved(text);
  if (plain) return std::string(text);
  std::string out = "\"";
  for (const char c : text) append_escaped(out, c);
  return out + "\"";
}

std::string quoted_for_people(std::string_view text) {
  constexpr std::size_t kShown = 60;
  std::string out = "\"";
  for (const char c : text.substr(0, kShown)) append_escaped(out, c);
  return out + (text.size() > kShown ? "…\"" : "\"");
}

std::string_view nearest(std::string_view wrong, const std::vector<std::string_view>& candidates) {
  std::string_view best;
  if (wrong.size() > 64) return best;
  std::size_t best_distance = std::max<std::size_t>(1, wrong.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t d = distance(wrong, candidate);
    if (d < best_distance) {
      best_distance = d;
      best = candidate;
    }
  }
  return best;
}

}  // namespace sandtrap::config
