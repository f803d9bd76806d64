// For tests of the pool: one over FakeEngine, on a loop of its own.
#pragma once

#include <stdlib.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "sandbox/fake_engine.h"
#include "warden/pool.h"

namespace sandtrap::warden {

struct Answer {
  bool arrived = false;
  base::Result<SlotRef> slot = SlotRef();
};

class PoolBench {
 public:
  explicit PoolBench(PoolSettings settings, sandbox::FakeOptions options = {})
      : engine(with_root(std::move(options)), log),
        pool(loop.get_executor(), engine, std::move(settings), book, events, entropy, log) {}
  ~PoolBench() {
    std::error_code error;
    std::filesystem::remove_all(root, error);
  }

  void open() {
    co_spawn(
        loop,
        [](PoolBench* self) -> net::Task<void> { (void)co_await self->engine.prepare(); }(this),
        net::asio::detached);
    pool.open({});
  }

  std::shared_ptr<Answer> acquire(const std::string& case_id, const std::string& session,
                                  std::shared_ptr<Interest> interest = nullptr,
                                  const std::string& user = "root") {
    auto answer = std::make_shared<Answer>();
    Claimant who{case_id, "192.0.2.1", session, 1, user};
    co_spawn(loop, wait_for(&pool, who, std::move(interest), answer), net::asio::detached);
    return answer;
  }

  template <class Predicate>
  bool until(Predicate done, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done() && std::chrono::steady_clock::now() < end) {
      loop.restart();
      loop.run_one_for(std::chrono::milliseconds(50));
    }
    return done();
  }

  bool drain(std::chrono::milliseconds grace = std::chrono::seconds(20)) {
    bool ended = false, empty = false;
    co_spawn(
        loop,
        [](SandboxPool* p, std::chrono::steady_clock::time_point at, bool* done,
           bool* nothing) -> net::Task<void> {
          *nothing = co_await p->drain(at);
          *done = true;
        }(&pool, std::chrono::steady_clock::now() + grace, &ended, &empty),
        net::asio::detached);
    until([&] { return ended; });
    return empty;
  }

  std::size_t directories() const {
    std::size_t n = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
      n += entry.path().filename().string().size() == 12 ? 1U : 0U;
    }
    return n;
  }

  net::asio::io_context loop;
  base::Log log{"pool_test", base::LogLevel::kError};
  base::SystemEntropy entropy;
  event::EventLog events{"sensor"};
  std::string root;
  sandbox::FakeEngine engine;
  cases::Table book{{}, entropy};
  SandboxPool pool;

 private:
  static net::Task<void> wait_for(SandboxPool* pool, Claimant who,
                                  std::shared_ptr<Interest> interest,
                                  std::shared_ptr<Answer> answer) {
    answer->slot = co_await pool->acquire(std::move(who), std::move(interest));
    answer->arrived = true;
  }

  sandbox::FakeOptions with_root(sandbox::FakeOptions options) {
    char path[] = "/tmp/sandtrap-pool-XXXXXX";
    root = ::mkdtemp(path);
    options.root = root;
    options.preserved = root + "/preserved";
    return options;
  }
};

}  // namespace sandtrap::warden
