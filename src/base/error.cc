#include "base/error.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace sandtrap::base {

tl::unexpected<Error> fail_errno(std::string_view what, int err) {
  Errc code = Errc::kIo;
  if (err == ENOENT) code = Errc::kNotFound;
  if (err == EEXIST) code = Errc::kExists;
  if (err == EACCES || err == EPERM) code = Errc::kDenied;
  std::string text(what);
  text += ": ";
  text += std::generic_category().message(err);
  return tl::unexpected<Error>(Error{code, std::move(text)});
}

tl::unexpected<Error> wrap(std::string_view what, const Error& error) {
  std::string text(what);
  text += ": ";
  text += error.context;
  return tl::unexpected<Error>(Error{error.code, std::move(text)});
}

std::string_view name(Errc code) {
  switch (code) {
    case Errc::kInvalid:
      return "invalid";
    case Errc::kNotFound:
      return "not_found";
    case Errc::kExists:
      return "exists";
    case Errc::kDenied:
      return "denied";
    case Errc::kLimit:
      return "limit";
    case Errc::kTimeout:
      return "timeout";
    case Errc::kIo:
      return "io";
    case Errc::kUnavailable:
      return "unavailable";
    case Errc::kUnsupported:
      return "unsupported";
    case Errc::kClosed:
      return "closed";
  }
  return "unknown";
}

void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "sandtrap: %s:%d: check failed: %s\n", file, line, expression);
  std::abort();
}

}  // namespace sandtrap::base
