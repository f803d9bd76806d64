#include "sandbox/docker_ready.h"

#include <algorithm>
#include <array>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "net/task.h"

namespace sandtrap::sandbox {
namespace {

constexpr std::size_t kMaxReady = 4096;

std::string engine_words(base::ByteView bytes) {
  std::string text = base::to_string(bytes.first(std::min<std::size_t>(bytes.size(), 300)));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = ' ';
  }
  return text;
}

// Reads up to and including login's announcement; nothing follows it before we answer.
Task<base::Result<int>> read_ready(boost::asio::posix::stream_descriptor& stream, base::Bytes bytes,
                                   bool multiplexed) {
  for (;;) {
    const GuestReady ready = parse_guest_ready(bytes, multiplexed);
    if (ready.state == GuestReady::State::kReady) co_return ready.pid;
    if (ready.state == GuestReady::State::kForeign || bytes.size() > kMaxReady) {
      co_return base::fail(base::Errc::kUnavailable,
                           "docker: the guest's login did not start: " + engine_words(bytes));
    }
    std::array<std::uint8_t, 512> chunk;
    const auto [error, n] =
        co_await stream.async_read_some(boost::asio::buffer(chunk), net::use_ec);
    if (error) {
      co_return base::fail(base::Errc::kUnavailable,
                           "docker: the stream ended before the guest's login: " +
                               (bytes.empty() ? error.message() : engine_words(bytes)));
    }
    base::append(bytes, base::ByteView(chunk.data(), n));
  }
}

}  // namespace

Task<base::Result<int>> await_guest_ready(DockerContext& context, base::Fd& fd, base::Bytes early,
                                          bool multiplexed) {
  using namespace boost::asio::experimental::awaitable_operators;
  boost::asio::posix::stream_descriptor stream(context.executor, fd.release());
  boost::asio::steady_timer timer(context.executor, context.options.exec_timeout);
  auto result =
      co_await (read_ready(stream, std::move(early), multiplexed) || timer.async_wait(net::use_ec));
  fd.reset(stream.release());
  if (result.index() == 1) {
    co_return base::fail(base::Errc::kTimeout, "docker: the guest's login did not answer");
  }
  co_return std::move(std::get<0>(result));
}

GuestReady parse_guest_ready(base::ByteView bytes, bool multiplexed) {
  std::string text;
  while (!bytes.empty()) {
    if (!multiplexed) {
      text += base::as_text(bytes);
      break;
    }
    // Frames of stdcopy: only standard output, and only small ones.
    if (bytes[0] != 1) return {GuestReady::State::kForeign};
    if (bytes.size() < 8) break;
    if (bytes[4] != 0 || bytes[5] != 0 || bytes[6] != 0) return {GuestReady::State::kForeign};
    const std::size_t length = std::min<std::size_t>(bytes[7], bytes.size() - 8);
    text += base::as_text(bytes.subspan(8, length));
    bytes = bytes.subspan(8 + length);
  }
  if (text.empty()) return {};
  if (text[0] != '\x06') return {GuestReady::State::kForeign};
  GuestReady ready;
  std::size_t at = 1;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && at <= 9; ++at) {
    ready.pid = ready.pid * 10 + (text[at] - '0');
  }
  if (at == text.size()) return {};
  if (text[at] != '\n' || at + 1 != text.size() || ready.pid < 2) {
    return {GuestReady::State::kForeign};
  }
  ready.state = GuestReady::State::kReady;
  return ready;
}

}  // namespace sandtrap::sandbox
