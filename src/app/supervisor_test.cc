// The supervisor with real processes: fake roles (fake_role.cc) that report through a named pipe.
#include "app/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "app/backoff.h"

namespace sandtrap::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
constexpr seconds kPatience{20};

class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest() {
    char folder[] = "/tmp/sandtrap-supervisor-XXXXXX";
    folder_ = ::mkdtemp(folder);
    const std::string pipe = folder_ + "/log";
    ::mkfifo(pipe.c_str(), 0600);
    log_.reset(::open(pipe.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    ::setenv("FAKE_LOG", pipe.c_str(), 1);
    ::setenv("FAKE_DIR", folder_.c_str(), 1);
    plan_.program = SANDTRAP_FAKE_ROLE;
    plan_.roles = {RoleKind::kScribe, RoleKind::kWarden, RoleKind::kGate};
    plan_.settings_text = [](RoleKind role) { return fmt::format("text-for-{}\n", name(role)); };
    plan_.reload = [] { return true; };
    plan_.verify_arguments = {"sandtrap", "role", "verify"};
    plan_.on_ready = [this](const std::string& detail) { say("supervisor ready " + detail); };
    plan_.drain_grace = [] { return seconds(7); };
  }

  ~SupervisorTest() override {
    for (const pid_t pid : supervisors_) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    for (const pid_t pid : roles_) ::kill(pid, SIGKILL);  // those of a test that failed
    std::filesystem::remove_all(folder_);
  }

  void say(const std::string& line) const {
    const std::string text = line + "\n";
    if (::write(log_.get(), text.data(), text.size()) < 0) std::abort();
  }
  void misbehave(const std::string& what) const { std::ofstream(folder_ + "/" + what) << "x"; }
  void behave(const std::string& what) const { std::filesystem::remove(folder_ + "/" + what); }

  pid_t supervise() {
    const pid_t pid = ::fork();
    if (pid == 0) {
      base::Log log("supervisor", base::LogLevel::kError);
      const int code = Supervisor(std::move(plan_), log).run();
      ::_exit(code);
    }
    supervisors_.insert(pid);
    return pid;
  }

  // Waits for a line that starts with `start`, past those read before; returns the rest of it.
  std::string expect(const std::string& start) {
    const auto give_up = steady_clock::now() + kPatience;
    for (;;) {
      for (auto line = unread_.begin(); line != unread_.end(); ++line) {
        if (!line->starts_with(start)) continue;
        const std::string rest = line->substr(start.size());
        unread_.erase(line);
        return rest;
      }
      if (steady_clock::now() > give_up) {
        ADD_FAILURE() << "never said: " << start << "; unread: " << testing::PrintToString(unread_);
        return {};
      }
      read_more();
    }
  }
  pid_t expect_start(const std::string& role) {
    const pid_t pid = std::atoi(expect(role + " start ").c_str());
    if (pid > 1) roles_.insert(pid);
    return pid;
  }
  std::size_t position(const std::string& start) const {
    const auto is_it = [&start](const std::string& line) { return line.starts_with(start); };
    return static_cast<std::size_t>(std::find_if(all_.begin(), all_.end(), is_it) - all_.begin());
  }
  bool has_unread(const std::string& start) {
    read_more();
    for (const auto& line : unread_) {
      if (line.starts_with(start)) return true;
    }
    return false;
  }

  void read_more() {
    pollfd ready{log_.get(), POLLIN, 0};
    ::poll(&ready, 1, 50);
    char text[4096];
    const ssize_t got = ::read(log_.get(), text, sizeof text);
    if (got > 0) partial_.append(text, static_cast<std::size_t>(got));
    for (std::size_t end; (end = partial_.find('\n')) != std::string::npos;) {
      unread_.push_back(partial_.substr(0, end));
      all_.push_back(unread_.back());
      partial_.erase(0, end + 1);
    }
  }

  int wait_exit(pid_t pid) {
    const auto give_up = steady_clock::now() + kPatience;
    int status = 0;
    while (::waitpid(pid, &status, WNOHANG) == 0) {
      if (steady_clock::now() > give_up) {
        ADD_FAILURE() << "supervisor does not end";
        return -1;
      }
      ::poll(nullptr, 0, 5);
    }
    supervisors_.erase(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

  struct Started {
    pid_t supervisor, scribe, warden, gate;
  };
  Started start_all() {
    Started s{};
    s.supervisor = supervise();
    s.scribe = expect_start("scribe");
    s.warden = expect_start("warden");
    s.gate = expect_start("gate");
    expect("supervisor ready");
    return s;
  }

  std::string folder_;
  base::Fd log_;
  SupervisorPlan plan_;
  std::set<pid_t> supervisors_, roles_;
  std::vector<std::string> unread_, all_;
  std::string partial_;
};

TEST_F(SupervisorTest, StartsConnectsAndAnnouncesOnce) {
  const Started s = start_all();
  expect(fmt::format("gate hears warden:{}", s.warden));
  expect(fmt::format("gate hears scribe:{}", s.scribe));
  expect(fmt::format("warden hears gate:{}", s.gate));
  expect(fmt::format("warden hears scribe:{}", s.scribe));
  expect(fmt::format("scribe hears gate:{}", s.gate));
  expect(fmt::format("scribe hears warden:{}", s.warden));
  ::kill(s.supervisor, SIGTERM);
  EXPECT_EQ(wait_exit(s.supervisor), 0);
}

TEST_F(SupervisorTest, GivesEachRoleItsOwnSettings) {
  supervise();
  EXPECT_THAT(expect("scribe start "), testing::HasSubstr("text-for-scribe"));
  EXPECT_THAT(expect("warden start "), testing::HasSubstr("text-for-warden"));
  EXPECT_THAT(expect("gate start "), testing::HasSubstr("text-for-gate"));
}

TEST_F(SupervisorTest, DrainsGatesThenWardenThenScribe) {
  const Started s = start_all();
  ::kill(s.supervisor, SIGTERM);
  EXPECT_EQ(wait_exit(s.supervisor), 0);
  EXPECT_EQ(expect("gate drain "), "7");
  expect("warden drain ");
  expect("scribe drain ");
  EXPECT_LT(position("gate drain"), position("warden drain"));
  EXPECT_LT(position("warden drain"), position("scribe drain"));
  EXPECT_FALSE(has_unread("gate start")) << "what ends while stopping is not started again";
}

TEST_F(SupervisorTest, TheWardenIsToldOnlyWhenEveryGateHasEnded) {
  plan_.roles.push_back(RoleKind::kGate);
  misbehave("gate.slow");
  const pid_t supervisor = supervise();
  expect("supervisor ready");
  ::kill(supervisor, SIGINT);
  expect("gate drain 7");
  expect("gate drain 7");
  EXPECT_FALSE(has_unread("warden drain"));
  ::kill(supervisor, SIGINT);  // shortens the grace
  expect("gate drain 0");
  expect("gate drain 0");
  expect("warden drain");
  expect("scribe drain");
  EXPECT_EQ(wait_exit(supervisor), 0);
}

TEST_F(SupervisorTest, KillsWhatDoesNotDrainInTime) {
  plan_.drain_grace = [] { return seconds(0); };
  plan_.gate_extra = plan_.warden_bound = plan_.scribe_bound = milliseconds(150);
  for (const char* role : {"gate", "warden", "scribe"}) misbehave(std::string(role) + ".stubborn");
  const Started s = start_all();
  ::kill(s.supervisor, SIGTERM);
  EXPECT_EQ(wait_exit(s.supervisor), 0);
  for (const pid_t pid : {s.gate, s.warden, s.scribe}) EXPECT_NE(::kill(pid, 0), 0) << pid;
}

TEST_F(SupervisorTest, AKilledRoleIsBackAtOnceAndConnectedAnew) {
  const Started s = start_all();
  for (const char* role : {"gate", "warden", "scribe"}) {
    const pid_t old = std::string(role) == "gate"     ? s.gate
                      : std::string(role) == "warden" ? s.warden
                                                      : s.scribe;
    const auto began = steady_clock::now();
    ::kill(old, SIGKILL);
    const pid_t fresh = expect_start(role);
    const auto took = steady_clock::now() - began;
    EXPECT_LT(took, milliseconds(1000)) << role;
    RecordProperty(
        std::string(role) + "_back_us",
        static_cast<int>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
    for (const char* other : {"gate", "warden", "scribe"}) {
      if (std::string(other) == role) continue;
      expect(fmt::format("{} lost {}", other, role));
      expect(fmt::format("{} hears {}:{}", other, role, fresh));
      expect(fmt::format("{} hears {}:", role, other));
    }
  }
}

TEST_F(SupervisorTest, GivesUpWhenARoleNeverGetsReadyAtTheStart) {
  misbehave("warden.fail");
  const pid_t supervisor = supervise();
  EXPECT_EQ(wait_exit(supervisor), 1);
  for (int i = 0; i < 5; ++i) expect_start("warden");
  EXPECT_FALSE(has_unread("warden start"));
  expect("gate drain");
  expect("scribe drain");
}

TEST_F(SupervisorTest, NeverGivesUpOnceItWasReady) {
  const Started s = start_all();
  misbehave("gate.fail");
  ::kill(s.gate, SIGKILL);
  for (int i = 0; i < 6; ++i) expect_start("gate");
  behave("gate.fail");
  expect("gate hears warden");
  EXPECT_EQ(::kill(s.supervisor, 0), 0);
}

TEST_F(SupervisorTest, AGateThatTheWardenHungUpOnIsReplaced) {
  misbehave("warden.accuses");
  const Started s = start_all();
  ::kill(s.supervisor, SIGHUP);
  const pid_t fresh = expect_start("gate");
  expect(fmt::format("warden hears gate:{}", fresh));
  EXPECT_EQ(::kill(s.warden, 0), 0);
}

TEST_F(SupervisorTest, ARoleThatLiesToTheSupervisorIsKilled) {
  const Started s = start_all();
  misbehave("gate.bogus");
  ::kill(s.gate, SIGKILL);
  const pid_t liar = expect_start("gate");
  behave("gate.bogus");
  EXPECT_NE(expect_start("gate"), liar);
}

TEST_F(SupervisorTest, ARoleThatClosesItsControlChannelAndHangsIsKilled) {
  plan_.silent_bound = milliseconds(100);
  const Started s = start_all();
  misbehave("scribe.closes");
  ::kill(s.scribe, SIGKILL);
  const pid_t silent = expect_start("scribe");
  behave("scribe.closes");
  EXPECT_NE(expect_start("scribe"), silent);
}

TEST_F(SupervisorTest, SighupReloadsEveryRole) {
  const Started s = start_all();
  ::kill(s.supervisor, SIGHUP);
  EXPECT_EQ(expect("gate reload "), "text-for-gate");
  EXPECT_EQ(expect("warden reload "), "text-for-warden");
  EXPECT_EQ(expect("scribe reload "), "text-for-scribe");
  ::kill(s.supervisor, SIGTERM);
  EXPECT_EQ(wait_exit(s.supervisor), 0);
}

TEST_F(SupervisorTest, NewSettingsAreVerifiedBeforeTheyAreUsed) {
  plan_.to_verify = [] { return std::optional<std::string>("new-settings\n"); };
  plan_.settle = [this](bool good) { say(good ? "settled good" : "settled bad"); };
  const Started s = start_all();
  misbehave("verify.fail");
  ::kill(s.supervisor, SIGHUP);
  EXPECT_THAT(expect("verify start "), testing::EndsWith(" new-settings"));
  EXPECT_EQ(expect("settled "), "bad");
  behave("verify.fail");
  ::kill(s.supervisor, SIGHUP);
  expect("verify start ");
  EXPECT_EQ(expect("settled "), "good");
  // The first reload that any role hears of is the second one's.
  EXPECT_EQ(expect("gate reload "), "text-for-gate");
  ::kill(s.supervisor, SIGTERM);
  EXPECT_EQ(wait_exit(s.supervisor), 0);
}

TEST_F(SupervisorTest, NothingOutlivesAKilledSupervisor) {
  const Started s = start_all();
  ::kill(s.supervisor, SIGKILL);
  expect("gate orphaned");
  expect("warden orphaned");
  expect("scribe orphaned");
}

TEST_F(SupervisorTest, RolesStartedOneByOneFindEachOtherInAnyOrderAndAgainAfterADeath) {
  plan_.link_folder = folder_;
  const auto alone = [this](RoleKind kind) {
    plan_.roles = {kind};
    return supervise();
  };
  alone(RoleKind::kGate);
  const pid_t gate = expect_start("gate");
  alone(RoleKind::kScribe);
  const pid_t scribe = expect_start("scribe");
  expect(fmt::format("gate hears scribe:{}", scribe));
  const pid_t warden_supervisor = alone(RoleKind::kWarden);
  const pid_t warden = expect_start("warden");
  expect(fmt::format("gate hears warden:{}", warden));
  expect(fmt::format("warden hears gate:{}", gate));
  expect(fmt::format("warden hears scribe:{}", scribe));
  expect(fmt::format("scribe hears warden:{}", warden));

  ::kill(scribe, SIGKILL);
  const pid_t second = expect_start("scribe");
  expect(fmt::format("gate hears scribe:{}", second));
  expect(fmt::format("warden hears scribe:{}", second));

  ::kill(warden_supervisor, SIGKILL);
  expect("warden orphaned");
  ::waitpid(warden_supervisor, nullptr, 0);
  supervisors_.erase(warden_supervisor);
  alone(RoleKind::kWarden);
  const pid_t third = expect_start("warden");
  expect(fmt::format("gate hears warden:{}", third));
  expect(fmt::format("scribe hears warden:{}", third));
}

TEST(Backoff, StartsAtOnceDoublesToFiveSecondsAndForgetsAfterHealth) {
  Backoff backoff;
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 9; ++i) {
    waits.push_back(std::chrono::duration_cast<milliseconds>(backoff.next(seconds(1))).count());
  }
  EXPECT_EQ(waits, (std::vector<std::int64_t>{0, 100, 200, 400, 800, 1600, 3200, 5000, 5000}));
  EXPECT_EQ(backoff.next(seconds(30)).count(), 0);
  EXPECT_EQ(backoff.next(seconds(1)), milliseconds(100));
}

}  // namespace
}  // namespace sandtrap::app
