#include "config/pattern.h"

#include <re2/re2.h>

namespace sandtrap::config {
namespace {

// Program and caches of one expression: RE2 gives up growing its caches there, and refuses what
// does not fit at all ("pattern too large").
constexpr std::int64_t kMaxMemory = 1 << 20;

}  // namespace

tl::expected<Regex, Regex::Fault> Regex::compile(std::string_view pattern) {
  RE2::Options options(RE2::Latin1);  // passwords are bytes, often no valid UTF-8
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_never_capture(true);
  options.set_max_mem(kMaxMemory);
  auto compiled =
      std::make_shared<const RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (compiled->ok()) return Regex(std::move(compiled));
  // "missing ): ab(c": what RE2 says, then the part of the pattern it is about.
  const std::string& about = compiled->error_arg();
  std::string what = compiled->error();
  if (const std::string tail = ": " + about; !about.empty() && what.ends_with(tail)) {
    what.resize(what.size() - tail.size());
  }
  const std::size_t offset = about.empty() ? 0 : pattern.find(about);
  return tl::unexpected(Fault{offset == std::string_view::npos ? 0 : offset, std::move(what)});
}

bool Regex::matches(std::string_view text) const {
  return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

}  // namespace sandtrap::config
