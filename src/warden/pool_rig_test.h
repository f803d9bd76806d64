// A pool over FakeEngine, with its own loop, folder and table of cases; for the tests of the pool's
// care for the sandboxes of cases.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sandbox/fake_engine.h"
#include "warden/pool.h"

namespace sandtrap::warden {

struct PoolAnswer {
  bool arrived = false;
  base::Result<SlotRef> slot = SlotRef();
};

class PoolRig {
 public:
  explicit PoolRig(PoolSettings wanted, sandbox::FakeOptions options = {})
      : settings(std::move(wanted)), engine(with_root(std::move(options)), log) {
    settings.backoff_first = std::chrono::milliseconds(1);
    settings.backoff_most = std::chrono::milliseconds(4);
    start({});
  }
  ~PoolRig() {
    pool.reset();
    std::error_code error;
    std::filesystem::remove_all(root, error);
  }

  // As after a kill -9 of the warden: the table is what the casebook would give back.
  void restart() {
    pool.reset();
    loop = std::make_unique<net::asio::io_context>();
    std::vector<sandbox::Leftover> found;
    bool done = false;
    co_spawn(
        *loop,
        [](sandbox::FakeEngine* e, std::vector<sandbox::Leftover>* out,
           bool* end) -> net::Task<void> {
          *out = co_await e->recover();
          *end = true;
        }(&engine, &found, &done),
        net::asio::detached);
    until([&] { return done; });
    start(std::move(found));
  }

  std::string arrive(const std::string& source) {
    return book.open({{cases::KeyKind::kSource, source}}, source, {}).id;
  }
  std::shared_ptr<PoolAnswer> acquire(const std::string& id, const std::string& session) {
    auto answer = std::make_shared<PoolAnswer>();
    co_spawn(
        *loop,
        [](SandboxPool* p, Claimant who, std::shared_ptr<PoolAnswer> to) -> net::Task<void> {
          to->slot = co_await p->acquire(std::move(who), nullptr);
          to->arrived = true;
        }(pool.get(), Claimant{id, "192.0.2.1", session, 1}, answer),
        net::asio::detached);
    return answer;
  }
  SlotRef get(const std::string& id, const std::string& session) {
    const auto answer = acquire(id, session);
    until([&] { return answer->arrived; });
    EXPECT_TRUE(answer->slot) << answer->slot.error().context;
    return answer->slot.value_or(nullptr);
  }
  template <class Predicate>
  bool until(Predicate done, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done() && std::chrono::steady_clock::now() < end) {
      loop->restart();
      loop->run_one_for(std::chrono::milliseconds(2));
      if (each_turn) each_turn();
    }
    return done();
  }
  std::optional<cases::LifeState> state(const SlotRef& slot) const {
    return pool->life().state(slot->id);
  }
  cases::SandboxState noted(const std::string& id) const { return book.find(id)->sandbox.state; }

  // The disk of each case carries its name.
  void sign(const SlotRef& slot) const {
    std::ofstream(root + "/" + slot->id + "/owner") << slot->case_id;
  }
  std::string owner(const SlotRef& slot) const {
    std::ifstream file(root + "/" + slot->id + "/owner");
    std::string text;
    file >> text;
    return text;
  }
  // The owners of all disks that there are, running or preserved.
  std::multiset<std::string> disks() const {
    std::multiset<std::string> owners;
    std::error_code error;
    for (const std::string& folder : {root, root + "/preserved"}) {
      for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        std::ifstream file(entry.path() / "owner");
        std::string text;
        if (file >> text) owners.insert(text);
      }
    }
    return owners;
  }

  // What the engine has, whatever the pool believes: sandboxes, those that a case has had, and
  // those of them that do not run.
  struct Found {
    std::size_t all = 0, claimed = 0, frozen = 0;
  };
  Found found() const {
    Found out;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
      out.all += entry.path().filename().string().size() == 12 ? 1U : 0U;
    }
    for (const auto& entry : std::filesystem::directory_iterator(root + "/state", error)) {
      if (!std::filesystem::exists(entry.path() / "label.json", error)) continue;
      ++out.claimed;
      if (std::filesystem::exists(entry.path() / "frozen", error)) ++out.frozen;
    }
    return out;
  }

  std::unique_ptr<net::asio::io_context> loop = std::make_unique<net::asio::io_context>();
  base::Log log{"pool_test", static_cast<base::LogLevel>(4)};  // silent
  base::SystemEntropy entropy;
  event::EventLog events{"sensor"};
  std::string root;
  PoolSettings settings;
  sandbox::FakeEngine engine;
  cases::Table book{{}, entropy};
  std::unique_ptr<SandboxPool> pool;
  std::function<void()> each_turn;

 private:
  void start(std::vector<sandbox::Leftover> leftovers) {
    pool = std::make_unique<SandboxPool>(loop->get_executor(), engine, settings, book, events,
                                         entropy, log);
    pool->open(std::move(leftovers));
  }
  sandbox::FakeOptions with_root(sandbox::FakeOptions options) {
    char path[] = "/tmp/sandtrap-life-XXXXXX";
    root = ::mkdtemp(path);
    ::chmod(path, 0711);
    options.root = root;
    options.preserved = root + "/preserved";
    return options;
  }
};

inline PoolSettings life_settings(std::chrono::milliseconds observe, std::chrono::milliseconds keep,
                                  std::size_t running, std::size_t frozen) {
  PoolSettings s;
  s.size = 0;
  s.max_total = 8;
  s.life = {observe, keep, running, frozen, 1U << 30};
  return s;
}

}  // namespace sandtrap::warden
