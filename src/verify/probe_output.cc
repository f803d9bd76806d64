#include <algorithm>
#include <charconv>

#include "verify/result.h"

namespace sandtrap::verify {
namespace {

constexpr std::size_t kMaxLine = 512, kMaxDetail = 200;

// The next word, up to a single space.
std::string_view take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

template <class Number>
bool take_number(std::string_view& line, Number& out) {
  const std::string_view word = take_word(line);
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  return error == std::errc() && stop == word.data() + word.size() && !word.empty();
}

std::optional<Observation::Kind> kind_of(std::string_view word) {
  if (word == "denied") return Observation::Kind::kRefused;
  if (word == "done") return Observation::Kind::kDone;
  if (word == "value") return Observation::Kind::kNumber;
  if (word == "cannot") return Observation::Kind::kCannot;
  return std::nullopt;
}

std::string cleaned(std::string_view text) {
  std::string out(text.substr(0, kMaxDetail));
  for (char& c : out)
    if (c < ' ' || c > '~') c = '?';
  return out;
}

}  // namespace

Observations parse_probe_output(std::string_view output,
                                const std::vector<std::string_view>& asked) {
  Observations out;
  while (!output.empty()) {
    const std::size_t end = std::min(output.find('\n'), output.size());
    std::string_view line = output.substr(0, end);
    output.remove_prefix(std::min(end + 1, output.size()));
    if (line.size() > kMaxLine || take_word(line) != "st1") continue;
    const std::string_view name = take_word(line);
    if (std::find(asked.begin(), asked.end(), name) == asked.end()) continue;
    const auto kind = kind_of(take_word(line));
    Observation one;
    if (!kind || !take_number(line, one.error) || !take_number(line, one.number)) continue;
    one.kind = *kind;
    one.detail = cleaned(line);
    out.emplace(name, std::move(one));  // the first answer stays
  }
  return out;
}

}  // namespace sandtrap::verify
