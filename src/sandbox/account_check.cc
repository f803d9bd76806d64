#include "sandbox/account_check.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>

#include "net/task.h"

namespace sandtrap::sandbox {
namespace {

// guest/accounts.h
constexpr int kExitAccepted = 0, kExitNotOurs = 2;

// At once, or not at all: a fresh pipe or socket has room for it, unless somebody inside, who holds
// the other end, has shrunk it.
base::Status give(Process::Streams& streams, const std::string& input) {
  const bool socket = !streams.output;  // Docker's exec: one stream for everything
  // Our end is an open file description of our own: nobody inside can make it block again.
  if (!socket && ::fcntl(streams.input.get(), F_SETFL, O_NONBLOCK) != 0)
    return base::fail_errno("account check", errno);
  const ssize_t n =
      socket ? ::send(streams.input.get(), input.data(), input.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
             : ::write(streams.input.get(), input.data(), input.size());
  // EPIPE: it had its answer without reading.
  if (n < 0 && errno != EPIPE) return base::fail_errno("account check", errno);
  if (n >= 0 && n != static_cast<ssize_t>(input.size()))
    return base::fail(base::Errc::kLimit, "account check: no room for the question");
  if (socket) {
    ::shutdown(streams.input.get(), SHUT_WR);
  } else {
    streams.input.reset();
  }
  return {};
}

Task<base::Result<AccountAnswer>> ask(Sandbox& sandbox, const AccountQuestion& question) {
  ProcessSpec spec;
  spec.kind = question.kind;
  spec.user = question.user;
  spec.client = question.client;
  auto process = co_await sandbox.exec(spec);
  if (!process) co_return tl::unexpected(process.error());
  auto streams = (*process)->take_streams();
  if (auto given = give(streams, question.input); !given) co_return tl::unexpected(given.error());
  const ExitResult exit = co_await (*process)->wait();
  if (exit.kind != ExitResult::Kind::kStatus)
    co_return base::fail(base::Errc::kUnavailable, "account check: it was killed");
  if (exit.value == kExitAccepted) co_return AccountAnswer::kAccepted;
  co_return exit.value == kExitNotOurs ? AccountAnswer::kNotOurs : AccountAnswer::kRefused;
}

}  // namespace

Task<base::Result<AccountAnswer>> ask_account(Sandbox& sandbox, AccountQuestion question,
                                              std::chrono::milliseconds limit) {
  using namespace boost::asio::experimental::awaitable_operators;
  if (question.input.size() > AccountQuestion::kMaxInput)
    co_return base::fail(base::Errc::kInvalid, "account check: too long");
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, limit);
  auto result = co_await (ask(sandbox, question) || timer.async_wait(net::use_ec));
  if (result.index() == 1) co_return base::fail(base::Errc::kTimeout, "account check: no answer");
  co_return std::move(std::get<0>(result));
}

}  // namespace sandtrap::sandbox
