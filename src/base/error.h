// Errors as values. Anything an attacker, a peer, the network, a file or a user can cause is a
// Result; exceptions are only for out-of-memory. CHECK is for our own bugs and aborts.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace sandtrap::base {

enum class Errc {
  kInvalid,      // malformed input
  kNotFound,     // the named thing does not exist
  kExists,       // it exists already
  kDenied,       // not permitted
  kLimit,        // a configured maximum was reached
  kTimeout,      // a deadline passed
  kIo,           // the operating system or the network said no
  kUnavailable,  // a peer process or the container engine is gone
  kUnsupported,  // this machine or version cannot do it
  kClosed,       // orderly end of a stream
};

struct Error {
  Errc code = Errc::kInvalid;
  std::string context;  // one line, no newline, outermost context first
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(Errc code, std::string context) {
  return tl::unexpected<Error>(Error{code, std::move(context)});
}
// The text of `err` (an errno value) behind `what`: "open /x: No such file or directory".
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string_view what, int err);
// The same error with one more layer of context in front.
[[nodiscard]] tl::unexpected<Error> wrap(std::string_view what, const Error& error);

std::string_view name(Errc code);

// Aborts with file, line and text. Never on input.
[[noreturn]] void check_failed(const char* expression, const char* file, int line);

}  // namespace sandtrap::base

#define SANDTRAP_CHECK(cond) \
  ((cond) ? static_cast<void>(0) : ::sandtrap::base::check_failed(#cond, __FILE__, __LINE__))
