// HTTP/1.1 over a unix socket: what the container engine's API needs. Single-threaded; the owner
// keeps the client alive while calls run. Connections are kept and reused; when the server went
// away (a restarted engine), the next call connects anew. Every call has a deadline.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"

namespace sandtrap::net {

struct HttpHeader {
  std::string name, value;
};

struct HttpRequest {
  std::string method = "GET", target = "/";
  std::vector<HttpHeader> headers = {};
  std::string body = {};
};

struct HttpResponse {
  unsigned status = 0;
  std::vector<HttpHeader> headers;
  std::string body;

  std::string_view header(std::string_view name) const;  // case-insensitive; empty when absent
};

// A connection that stopped being HTTP. `stream` is empty when the server refused: see `response`.
struct HttpUpgrade {
  HttpResponse response;
  base::Fd stream;
  base::Bytes already_read;  // bytes of the stream that came with the headers
};

class HttpClient {
 public:
  using Milliseconds = std::chrono::milliseconds;
  static constexpr std::size_t kMaxBody = 16U << 20;  // of an answer; more is kLimit
  static constexpr std::size_t kMaxHeaders = 64U << 10;
  static constexpr std::size_t kMaxLine = 1U << 20;  // of a streamed answer
  static constexpr std::size_t kMaxIdle = 8;         // kept connections

  HttpClient(boost::asio::any_io_executor executor, std::string socket_path);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // kUnavailable: nobody listens or the connection broke; kTimeout; kLimit; kInvalid: not HTTP. A
  // status of 4xx or 5xx is a good answer.
  boost::asio::awaitable<base::Result<HttpResponse>> request(HttpRequest request,
                                                             Milliseconds deadline);
  // The body is the rest of `file`, sent in chunks.
  boost::asio::awaitable<base::Result<HttpResponse>> upload(HttpRequest request, base::Fd file,
                                                            Milliseconds deadline);
  // Asks to leave HTTP ("Connection: Upgrade"); 101 and 200 both hand over the socket.
  boost::asio::awaitable<base::Result<HttpUpgrade>> upgrade(HttpRequest request,
                                                            Milliseconds deadline);
  // Hands each line of an endless answer to `on_line`, until the server ends it (kClosed) or the
  // coroutine is cancelled. `opened` is called after the headers of a 200. The deadline holds for
  // the headers only.
  boost::asio::awaitable<base::Status> lines(HttpRequest request, Milliseconds deadline,
                                             std::function<void()> opened,
                                             std::function<void(std::string_view)> on_line);

  std::size_t idle_connections() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with the calls in flight
};

// "a b&c" -> "a%20b%26c", for a value in a query (RFC 3986 §2.3 characters stay).
std::string percent_encode(std::string_view text);

}  // namespace sandtrap::net
