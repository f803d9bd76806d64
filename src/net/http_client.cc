#include "net/http_client.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <cstring>

#include "net/task.h"

namespace sandtrap::net {
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Socket = beast::basic_stream<asio::local::stream_protocol>;

namespace {

struct Connection {
  explicit Connection(const asio::any_io_executor& executor) : socket(executor) {}
  Socket socket;
  beast::flat_buffer buffer{HttpClient::kMaxHeaders + HttpClient::kMaxLine};
  bool reused = false;
};

tl::unexpected<base::Error> failure(std::string_view what, const error_code& error) {
  base::Errc code = base::Errc::kUnavailable;
  if (error == beast::error::timeout) {
    code = base::Errc::kTimeout;
  } else if (error == http::error::body_limit || error == http::error::header_limit ||
             error == http::error::buffer_overflow) {
    code = base::Errc::kLimit;
  } else if (error.category() == http::make_error_code(http::error::bad_version).category() &&
             error != http::error::end_of_stream && error != http::error::partial_message) {
    code = base::Errc::kInvalid;
  }
  return base::fail(code, std::string(what) + ": " + error.message());
}

// Still connected and silent? A closed peer shows as end of file, a babbling one as data.
bool healthy(Connection& connection) {
  char byte = 0;
  const ssize_t n =
      ::recv(connection.socket.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

template <class Fields>
HttpResponse head_of(const Fields& message) {
  HttpResponse out;
  out.status = message.result_int();
  for (const auto& field : message) {
    out.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  }
  return out;
}

template <class Body>
http::request<Body> message_for(const HttpRequest& request) {
  http::request<Body> message;
  message.version(11);
  message.method_string(request.method);
  message.target(request.target);
  message.set(http::field::host, "localhost");
  message.set(http::field::user_agent, "sandtrap");
  for (const HttpHeader& header : request.headers) message.set(header.name, header.value);
  return message;
}

}  // namespace

std::string_view HttpResponse::header(std::string_view name) const {
  for (const HttpHeader& one : headers) {
    if (beast::iequals({one.name.data(), one.name.size()}, {name.data(), name.size()})) {
      return one.value;
    }
  }
  return {};
}

struct HttpClient::Impl {
  Impl(asio::any_io_executor on, std::string path)
      : executor(std::move(on)), socket_path(std::move(path)) {}

  Task<base::Result<std::unique_ptr<Connection>>> connect(Milliseconds deadline, bool fresh) {
    while (!fresh && !idle.empty()) {
      auto kept = std::move(idle.back());
      idle.pop_back();
      if (!healthy(*kept)) continue;
      kept->reused = true;
      kept->socket.expires_after(deadline);
      co_return kept;
    }
    auto made = std::make_unique<Connection>(executor);
    made->socket.expires_after(deadline);
    if (socket_path.size() >= sizeof(sockaddr_un::sun_path)) {
      co_return base::fail(base::Errc::kInvalid, socket_path + ": path too long for a socket");
    }
    // Asio opens sockets without close-on-exec: this one is ours to open.
    base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) co_return base::fail_errno("socket", errno);
    error_code assigned;
    made->socket.socket().assign(asio::local::stream_protocol(), fd.get(), assigned);
    if (assigned) co_return failure("socket", assigned);
    fd.release();
    const asio::local::stream_protocol::endpoint endpoint(socket_path);
    const auto [error] = co_await made->socket.async_connect(endpoint, use_ec);
    if (error) co_return failure("connect to " + socket_path, error);
    co_return made;
  }

  void keep(std::unique_ptr<Connection> connection) {
    connection->socket.expires_never();
    if (idle.size() < kMaxIdle) idle.push_back(std::move(connection));
  }

  // Writes the head and body, reads a whole answer.
  template <class Body>
  Task<base::Result<HttpResponse>> exchange(std::unique_ptr<Connection>& connection,
                                            http::request<Body>& message) {
    auto [write_error, sent] = co_await http::async_write(connection->socket, message, use_ec);
    if (write_error) co_return failure("send", write_error);
    co_return co_await answer(connection, message.method() == http::verb::head);
  }

  Task<base::Result<HttpResponse>> answer(std::unique_ptr<Connection>& connection, bool head) {
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMaxBody);
    parser.header_limit(kMaxHeaders);
    parser.skip(head);
    auto [error, got] =
        co_await http::async_read(connection->socket, connection->buffer, parser, use_ec);
    if (error) co_return failure("receive", error);
    HttpResponse out = head_of(parser.get());
    out.body = std::move(parser.get().body());
    if (parser.keep_alive() && connection->buffer.size() == 0) keep(std::move(connection));
    co_return out;
  }

  asio::any_io_executor executor;
  std::string socket_path;
  std::vector<std::unique_ptr<Connection>> idle;
};

HttpClient::HttpClient(asio::any_io_executor executor, std::string socket_path)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(socket_path))) {}

HttpClient::~HttpClient() = default;

std::size_t HttpClient::idle_connections() const {
  return impl_->idle.size();
}

Task<base::Result<HttpResponse>> HttpClient::request(HttpRequest request, Milliseconds deadline) {
  const auto impl = impl_;
  auto message = message_for<http::string_body>(request);
  message.body() = std::move(request.body);
  message.prepare_payload();
  for (bool fresh = false;; fresh = true) {
    auto connection = co_await impl->connect(deadline, fresh);
    if (!connection) co_return base::wrap(request.target, connection.error());
    const bool reused = (*connection)->reused;
    auto result = co_await impl->exchange(*connection, message);
    // The server may have closed a kept connection just as we used it. Only a request that changes
    // nothing is sent twice.
    const bool stale = !result && reused && result.error().code == base::Errc::kUnavailable;
    if (stale && message.method() == http::verb::get) continue;
    if (!result) co_return base::wrap(request.method + " " + request.target, result.error());
    co_return std::move(*result);
  }
}

Task<base::Result<HttpResponse>> HttpClient::upload(HttpRequest request, base::Fd file,
                                                    Milliseconds deadline) {
  const auto impl = impl_;
  auto connection = co_await impl->connect(deadline, true);
  if (!connection) co_return base::wrap(request.target, connection.error());
  Socket& socket = (*connection)->socket;
  auto message = message_for<http::empty_body>(request);
  message.chunked(true);
  http::request_serializer<http::empty_body> head(message);
  auto [head_error, head_bytes] = co_await http::async_write_header(socket, head, use_ec);
  if (head_error) co_return failure("send " + request.target, head_error);

  std::vector<char> chunk(256U << 10);
  for (;;) {
    const ssize_t n = ::read(file.get(), chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) co_return base::fail_errno("read the file to upload", errno);
    if (n == 0) break;
    const auto piece = http::make_chunk(asio::buffer(chunk.data(), static_cast<std::size_t>(n)));
    auto [error, sent] = co_await asio::async_write(socket, piece, use_ec);
    // A server that refuses early answers and closes: its answer says why.
    if (error == asio::error::broken_pipe || error == asio::error::connection_reset) break;
    if (error) co_return failure("upload " + request.target, error);
  }
  const auto last = http::make_chunk_last();
  co_await asio::async_write(socket, last, use_ec);  // if it failed, the answer says why
  auto result = co_await impl->answer(*connection, false);
  if (!result) co_return base::wrap("upload " + request.target, result.error());
  co_return std::move(*result);
}

Task<base::Result<HttpUpgrade>> HttpClient::upgrade(HttpRequest request, Milliseconds deadline) {
  const auto impl = impl_;
  auto connection = co_await impl->connect(deadline, true);
  if (!connection) co_return base::wrap(request.target, connection.error());
  Socket& socket = (*connection)->socket;
  beast::flat_buffer& buffer = (*connection)->buffer;
  auto message = message_for<http::string_body>(request);
  message.body() = std::move(request.body);
  message.prepare_payload();
  message.set(http::field::connection, "Upgrade");
  message.set(http::field::upgrade, "tcp");
  auto [write_error, sent] = co_await http::async_write(socket, message, use_ec);
  if (write_error) co_return failure("send " + request.target, write_error);

  http::response_parser<http::empty_body> head;
  head.header_limit(kMaxHeaders);
  auto [error, got] = co_await http::async_read_header(socket, buffer, head, use_ec);
  if (error) co_return failure("receive " + request.target, error);
  HttpUpgrade out;
  out.response = head_of(head.get());
  if (out.response.status == 101 || out.response.status == 200) {
    const auto view = base::ByteView(static_cast<const std::uint8_t*>(buffer.data().data()),
                                     buffer.data().size());
    out.already_read.assign(view.begin(), view.end());
    auto plain = socket.release_socket();
    error_code release_error;
    out.stream = base::Fd(plain.release(release_error));
    if (release_error) co_return failure("release " + request.target, release_error);
    co_return out;
  }
  http::response_parser<http::string_body> whole(std::move(head));
  whole.body_limit(kMaxBody);
  auto [body_error, body_bytes] = co_await http::async_read(socket, buffer, whole, use_ec);
  if (body_error) co_return failure("receive " + request.target, body_error);
  out.response.body = std::move(whole.get().body());
  co_return out;
}

Task<base::Status> HttpClient::lines(HttpRequest request, Milliseconds deadline,
                                     std::function<void()> opened,
                                     std::function<void(std::string_view)> on_line) {
  const auto impl = impl_;
  auto connection = co_await impl->connect(deadline, true);
  if (!connection) co_return base::wrap(request.target, connection.error());
  Socket& socket = (*connection)->socket;
  auto message = message_for<http::empty_body>(request);
  auto [write_error, sent] = co_await http::async_write(socket, message, use_ec);
  if (write_error) co_return failure("send " + request.target, write_error);

  http::response_parser<http::string_body> parser;
  parser.body_limit(boost::none);  // endless; each line is bounded below
  parser.header_limit(kMaxHeaders);
  auto [error, got] =
      co_await http::async_read_header(socket, (*connection)->buffer, parser, use_ec);
  if (error) co_return failure("receive " + request.target, error);
  if (parser.get().result_int() != 200) {
    co_return base::fail(base::Errc::kUnavailable,
                         request.target + ": status " + std::to_string(parser.get().result_int()));
  }
  socket.expires_never();
  if (opened) opened();
  std::string pending;
  while (!parser.is_done()) {
    auto [read_error, bytes] =
        co_await http::async_read_some(socket, (*connection)->buffer, parser, use_ec);
    if (read_error && read_error != http::error::end_of_chunk) {
      co_return failure("receive " + request.target, read_error);
    }
    pending += parser.get().body();
    parser.get().body().clear();
    if (pending.size() > kMaxLine) co_return base::fail(base::Errc::kLimit, "line too long");
    std::size_t start = 0;
    for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n', start)) {
      on_line(std::string_view(pending).substr(start, end - start));
      start = end + 1;
    }
    pending.erase(0, start);
  }
  co_return base::fail(base::Errc::kClosed, request.target + ": the server ended the stream");
}

std::string percent_encode(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.' ||
                       byte == '~';
    if (plain) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    }
  }
  return out;
}

}  // namespace sandtrap::net
