#include "net/http_client.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "net/task.h"

namespace sandtrap::net {
namespace {

using namespace std::chrono_literals;
using Unix = asio::local::stream_protocol;

// What the server does with one request, after it has read it whole.
struct Reply {
  std::vector<std::string> pieces;  // written one by one
  bool close_after = false;
  bool silent = false;  // never answers
};

class Server {
 public:
  Server(asio::io_context& io, std::string path)
      : path_(std::move(path)), acceptor_(io, Unix::endpoint(path_)) {
    asio::co_spawn(io, accept(), asio::detached);
  }
  ~Server() {
    acceptor_.close();
    std::filesystem::remove(path_);
  }

  std::vector<Reply> replies;         // in order of the requests, over all connections
  std::vector<std::string> requests;  // head and body as they came
  int connections = 0;
  std::string after_upgrade;  // what arrived behind an upgraded request

 private:
  Task<void> accept() {
    for (;;) {
      auto [error, socket] = co_await acceptor_.async_accept(use_ec);
      if (error) co_return;
      ++connections;
      asio::co_spawn(acceptor_.get_executor(), serve(std::move(socket)), asio::detached);
    }
  }

  Task<void> serve(Unix::socket socket) {
    std::string buffer;
    for (;;) {
      auto [error, n] =
          co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer), "\r\n\r\n", use_ec);
      if (error) co_return;
      std::string request = buffer.substr(0, n);
      buffer.erase(0, n);
      const bool chunked = request.find("chunked") != std::string::npos;
      const auto at = request.find("Content-Length: ");
      std::size_t length =
          at == std::string::npos ? 0 : std::strtoul(request.c_str() + at + 16, nullptr, 10);
      while (chunked ? buffer.find("0\r\n\r\n") == std::string::npos : buffer.size() < length) {
        char chunk[65536];
        auto [read_error, got] = co_await socket.async_read_some(asio::buffer(chunk), use_ec);
        if (read_error) co_return;
        buffer.append(chunk, got);
      }
      if (chunked) length = buffer.size();
      requests.push_back(request + buffer.substr(0, length));
      buffer.erase(0, length);
      if (requests.size() > replies.size()) co_return;
      const Reply reply = replies[requests.size() - 1];
      for (const std::string& piece : reply.pieces) {
        co_await asio::async_write(socket, asio::buffer(piece), use_ec);
        co_await asio::steady_timer(socket.get_executor(), 1ms).async_wait(use_ec);
      }
      if (reply.silent || request.find("Upgrade: tcp") != std::string::npos) {
        while (true) {  // until the peer half-closes
          char chunk[256];
          auto [read_error, got] = co_await socket.async_read_some(asio::buffer(chunk), use_ec);
          if (read_error) break;
          after_upgrade.append(chunk, got);
        }
        co_return;
      }
      if (reply.close_after) co_return;
    }
  }

  std::string path_;
  Unix::acceptor acceptor_;
};

class HttpClientTest : public ::testing::Test {
 protected:
  HttpClientTest()
      : path_(std::filesystem::temp_directory_path() /
              ("sandtrap-http-" + std::to_string(::getpid()) + ".sock")),
        server_(std::make_unique<Server>(io_, path_)),
        client_(io_.get_executor(), path_) {}

  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    asio::co_spawn(io_, std::move(task), [&](std::exception_ptr thrown, T value) {
      if (thrown) std::rethrow_exception(thrown);
      result.emplace(std::move(value));
    });
    io_.restart();
    while (!result && io_.run_one() != 0) {
    }
    return std::move(*result);
  }
  base::Result<HttpResponse> get(const std::string& target, std::chrono::milliseconds limit = 5s) {
    return run(client_.request(HttpRequest{"GET", target}, limit));
  }

  asio::io_context io_;
  std::string path_;
  std::unique_ptr<Server> server_;
  HttpClient client_;
};

TEST_F(HttpClientTest, KeepsTheConnectionAndReadsAnyFraming) {
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nApi-Version: 1.41\r\n\r\n"
      "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
  Reply dribble;
  for (const char c : chunked) dribble.pieces.emplace_back(1, c);
  server_->replies = {{{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"}},
                      dribble,
                      {{"HTTP/1.1 204 No Content\r\n\r\n"}},
                      {{"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!"}}};
  auto response = get("/a");
  ASSERT_TRUE(response) << response.error().context;
  EXPECT_EQ(response->body, "OK");
  response = get("/b");
  ASSERT_TRUE(response) << response.error().context;
  EXPECT_EQ(response->body, "hello world");
  EXPECT_EQ(response->header("api-version"), "1.41");
  EXPECT_EQ(get("/c")->status, 204U);
  response = get("/d");
  EXPECT_EQ(response->status, 404U);
  EXPECT_EQ(response->body, "no!");
  EXPECT_EQ(server_->connections, 1);
  EXPECT_EQ(client_.idle_connections(), 1U);
}

TEST_F(HttpClientTest, SendsTheBodyWithItsLength) {
  server_->replies = {{{"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"}}};
  HttpRequest request{"POST", "/x?y=1", {{"Content-Type", "application/json"}}, "{\"a\":1}"};
  EXPECT_EQ(run(client_.request(request, 5s))->status, 201U);
  EXPECT_EQ(server_->requests[0].substr(0, 20), "POST /x?y=1 HTTP/1.1");
  EXPECT_NE(server_->requests[0].find("\r\n\r\n{\"a\":1}"), std::string::npos);
}

TEST_F(HttpClientTest, ARestartedServerIsFoundByTheNextCall) {
  server_->replies = {{{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"}, true}};
  ASSERT_TRUE(get("/a"));
  server_.reset();
  io_.restart();
  io_.poll();
  const auto gone = get("/b");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, base::Errc::kUnavailable);
  server_ = std::make_unique<Server>(io_, path_);
  server_->replies = {{{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain"}}};
  const auto again = get("/c");
  ASSERT_TRUE(again) << again.error().context;
  EXPECT_EQ(again->body, "again");
}

TEST_F(HttpClientTest, DeadlinesLimitsAndNonsense) {
  Reply silent;
  silent.silent = true;
  const std::string much = std::to_string(HttpClient::kMaxBody + 1);
  server_->replies = {silent,
                      {{"HTTP/1.1 200 OK\r\nContent-Length: " + much + "\r\n\r\n"}, true},
                      {{"what is this\r\n\r\n"}, true},
                      {{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"}, true}};
  EXPECT_EQ(get("/slow", 30ms).error().code, base::Errc::kTimeout);
  EXPECT_EQ(get("/much").error().code, base::Errc::kLimit);
  EXPECT_EQ(get("/odd").error().code, base::Errc::kInvalid);
  EXPECT_EQ(get("/torn").error().code, base::Errc::kUnavailable);
}

TEST_F(HttpClientTest, UpgradeHandsOverSocketAndEarlyBytes) {
  server_->replies = {
      {{"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly"}},
      {{"HTTP/1.1 409 Conflict\r\nContent-Length: 4\r\n\r\nbusy"}}};
  const HttpRequest request{"POST", "/exec/1/start", {}, "{}"};
  auto upgrade = run(client_.upgrade(request, 5s));
  ASSERT_TRUE(upgrade) << upgrade.error().context;
  EXPECT_EQ(base::to_string(upgrade->already_read), "early");
  ASSERT_TRUE(upgrade->stream);
  EXPECT_NE(::fcntl(upgrade->stream.get(), F_GETFD) & FD_CLOEXEC, 0);
  ASSERT_EQ(::write(upgrade->stream.get(), "raw", 3), 3);
  ::shutdown(upgrade->stream.get(), SHUT_WR);
  io_.restart();
  while (server_->after_upgrade.size() < 3 && io_.run_one() != 0) {
  }
  EXPECT_EQ(server_->after_upgrade, "raw");

  upgrade = run(client_.upgrade(request, 5s));
  ASSERT_TRUE(upgrade) << upgrade.error().context;
  EXPECT_FALSE(upgrade->stream);
  EXPECT_EQ(upgrade->response.status, 409U);
  EXPECT_EQ(upgrade->response.body, "busy");
}

TEST_F(HttpClientTest, UploadsAFileInChunks) {
  server_->replies = {{{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}}};
  std::string data(600000, 'x');
  base::Fd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_EQ(::write(file.get(), data.data(), data.size()), static_cast<ssize_t>(data.size()));
  ::lseek(file.get(), 0, SEEK_SET);
  const HttpRequest request{"POST", "/images/create?fromSrc=-"};
  const auto response = run(client_.upload(request, std::move(file), 5s));
  ASSERT_TRUE(response) << response.error().context;
  EXPECT_EQ(response->body, "ok");
  EXPECT_GT(server_->requests[0].size(), data.size());
  EXPECT_NE(server_->requests[0].find("40000\r\nxxx"), std::string::npos);
}

TEST_F(HttpClientTest, LinesArriveWholeHoweverTheyAreCut) {
  server_->replies = {{{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\n{\"a\":\r\n",
                        "6\r\n1}\n{\"b\r\n", "5\r\n\":2}\n\r\n", "0\r\n\r\n"}}};
  std::vector<std::string> seen;
  bool opened = false;
  const auto status = run(client_.lines(
      HttpRequest{"GET", "/events"}, 5s, [&] { opened = true; },
      [&](std::string_view line) { seen.emplace_back(line); }));
  EXPECT_TRUE(opened);
  EXPECT_EQ(status.error().code, base::Errc::kClosed);
  EXPECT_EQ(seen, (std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"}));
}

TEST(PercentEncode, KeepsOnlyUnreserved) {
  EXPECT_EQ(percent_encode("a-b_c.~ {\"&\xff"), "a-b_c.~%20%7B%22%26%FF");
}

}  // namespace
}  // namespace sandtrap::net
