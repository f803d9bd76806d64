// A scripted gate at the other end of a real channel; FakeEngine behind the pool.
#include "warden/ipc_server.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "sandbox/fake_engine.h"

namespace sandtrap::warden {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr const char* kSession = "0123456789ab";
constexpr const char* kOther = "0123456789ac";
const base::Bytes kHash(32, 7);

struct ScriptedGate {
  ScriptedGate(net::asio::io_context& loop, base::Fd socket)
      : channel(loop.get_executor(), std::move(socket)) {
    co_spawn(loop, read(this), net::asio::detached);
  }
  static net::Task<void> read(ScriptedGate* self) {
    for (;;) {
      auto packet = co_await self->channel.receive();
      if (!packet) break;
      self->inbox.push_back(std::move(*packet));
    }
    self->ended = true;
  }
  template <class M>
  const M* last() const {
    for (auto it = inbox.rbegin(); it != inbox.rend(); ++it) {
      if (const auto* m = std::get_if<M>(&it->message)) return m;
    }
    return nullptr;
  }
  void close_descriptors() {
    for (auto* packets : {&inbox, &read_before}) {
      for (net::Packet& packet : *packets) packet.descriptors.clear();
    }
  }
  net::Channel channel;
  std::vector<net::Packet> inbox, read_before;
  bool ended = false;
};

std::string temporary_folder() {
  char path[] = "/tmp/sandtrap-ipc-XXXXXX";
  const std::string made = ::mkdtemp(path);
  ::chmod(path, 0711);  // FakeEngine's user has to pass
  return made;
}

PoolSettings pool_of_one() {
  PoolSettings s;
  s.size = 1;
  s.max_total = 4;
  s.life.observe = 0s;
  s.life.keep = 0s;
  return s;
}

class IpcServerTest : public testing::Test {
 protected:
  // RSA keys take a second to make: one set for all.
  static void SetUpTestSuite() { key_folder() = temporary_folder(); }
  static void TearDownTestSuite() { std::filesystem::remove_all(key_folder()); }
  static std::string& key_folder() {
    static std::string folder;
    return folder;
  }

  IpcServerTest() {
    pool.open({});
    gate = connect();
  }
  ~IpcServerTest() override {
    server.close_gates();
    bool drained = false;
    co_spawn(
        loop,
        [](SandboxPool* p, bool* done) -> net::Task<void> {
          (void)co_await p->drain(Clock::now() + 10s);
          *done = true;
        }(&pool, &drained),
        net::asio::detached);
    until([&] { return drained && server.programs() == 0; });
    std::error_code error;
    std::filesystem::remove_all(root, error);
  }

  sandbox::FakeOptions engine_options() {
    sandbox::FakeOptions options;
    options.root = root + "/engine";
    options.preserved = root + "/preserved";
    options.account_script = [this] { return account_script; };
    options.exec_fails = options.verify_fails = [this](unsigned) { return full; };
    return options;
  }
  std::unique_ptr<ScriptedGate> connect() {
    auto pair = net::channel_pair();
    server.add_gate(std::move(pair->first));
    auto made = std::make_unique<ScriptedGate>(loop, std::move(pair->second));
    until([&] { return made->last<ipc::Welcome>() != nullptr; });
    return made;
  }
  template <class Predicate>
  bool until(Predicate done, std::chrono::milliseconds limit = 20s) {
    const auto end = Clock::now() + limit;
    while (!done() && Clock::now() < end) {
      loop.restart();
      loop.run_one_for(20ms);
    }
    return done();
  }
  template <class Answer>
  const Answer* ask(const ipc::Message& message) {
    // Kept: closing the descriptors of a program would end it.
    for (net::Packet& old : gate->inbox) gate->read_before.push_back(std::move(old));
    gate->inbox.clear();
    EXPECT_TRUE(gate->channel.send(message));
    until([&] { return gate->last<Answer>() != nullptr || gate->ended; });
    return gate->last<Answer>();
  }
  void open_session() {
    const auto* assigned =
        ask<ipc::CaseAssigned>(ipc::SessionOpened{kSession, "192.0.2.1", 999, "192.0.2.9", 22});
    ASSERT_NE(assigned, nullptr);
    EXPECT_EQ(assigned->case_id.size(), 12U);
  }
  const ipc::AuthDecision* login(const std::string& secret) {
    ipc::Authenticate m;
    m.session = kSession;
    m.request = 5;
    m.user = "root";
    m.method = "password";
    m.secret = secret;
    return ask<ipc::AuthDecision>(m);
  }
  static ipc::Sign sign(std::uint32_t key, std::string algorithm, base::Bytes hash = kHash) {
    ipc::Sign m;
    m.session = kSession;
    m.request = 9;
    m.key = key;
    m.algorithm = std::move(algorithm);
    m.hash = std::move(hash);
    return m;
  }
  static ipc::OpenProcess exec(std::string command, std::uint32_t channel = 0) {
    ipc::OpenProcess m;
    m.session = kSession;
    m.channel = channel;
    m.kind = 1;
    m.command = std::move(command);
    return m;
  }
  // Sends what no honest gate sends; the link must end and the event must be there.
  void expect_denied(const ipc::Message& message) {
    EXPECT_TRUE(gate->channel.send(message));
    EXPECT_TRUE(until([&] { return gate->ended; })) << ipc::name(message);
    EXPECT_TRUE(until([&] { return server.gates() == 0; }));
    EXPECT_EQ(server.sessions(), 0U);
    EXPECT_GT(events.queued(), queued_before);
  }

  std::string root = temporary_folder();
  net::asio::io_context loop;
  base::Log log{"ipc_test", static_cast<base::LogLevel>(4)};  // silent
  base::SystemEntropy entropy;
  event::EventLog events{"sensor"};
  std::string account_script = "exit 2";
  bool full = false;  // no program can be started any more
  sandbox::FakeEngine engine{engine_options(), log};
  HostKeys keys = *HostKeys::load(key_folder(), "salt", log);
  config::Authentication authentication;
  LoginPolicy policy{authentication, 1};
  cases::Table cases{{}, entropy};
  SandboxPool pool{loop.get_executor(), engine, pool_of_one(), cases, events, entropy, log};
  Accounts accounts{loop.get_executor(), pool, entropy, log};
  IpcServer server{loop.get_executor(),
                   IpcServer::Parts{keys, policy, cases, pool, accounts, events, log},
                   IpcServer::Limits{}};
  std::size_t queued_before = 0;
  std::unique_ptr<ScriptedGate> gate;
};

TEST_F(IpcServerTest, WelcomeCarriesPublicKeysInSshdsOrder) {
  const auto* welcome = gate->last<ipc::Welcome>();
  ASSERT_NE(welcome, nullptr);
  ASSERT_EQ(welcome->host_keys.size(), 3U);
  EXPECT_EQ(welcome->host_keys[0].first, "ssh-rsa");
  EXPECT_EQ(welcome->host_keys[1].first, "ecdsa-sha2-nistp256");
  EXPECT_EQ(welcome->host_keys[2].first, "ssh-ed25519");
  EXPECT_TRUE(gate->inbox.front().descriptors.empty());
  EXPECT_EQ(welcome->delay_secret, HostKeys::load(key_folder(), "salt", log)->delay_secret());
  EXPECT_NE(welcome->delay_secret, HostKeys::load(key_folder(), "other", log)->delay_secret());
}

TEST_F(IpcServerTest, AnAttackersWholeVisit) {
  open_session();
  const auto* signature = ask<ipc::Signed>(sign(2, "ssh-ed25519"));
  ASSERT_NE(signature, nullptr);
  ASSERT_EQ(signature->signatures.size(), 1U);
  EXPECT_FALSE(login("a")->accepted);
  EXPECT_FALSE(login("b")->accepted);
  const auto* third = login("c");
  ASSERT_TRUE(third->accepted);
  EXPECT_EQ(third->decided_by, "accept_after_failures");

  ipc::Prove prove;
  prove.session = kSession;
  prove.session_identifier = kHash;
  prove.keys = {{0, "rsa-sha2-512"}, {2, "ssh-ed25519"}};
  EXPECT_EQ(ask<ipc::Signed>(prove)->signatures.size(), 2U);
  for (int i = 0; i < 10; ++i) prove.keys.emplace_back(0, "rsa-sha2-512");
  EXPECT_TRUE(ask<ipc::Signed>(prove)->signatures.empty());

  const auto* opened = ask<ipc::ProcessOpened>(exec("read x; echo got $x $SSH_CLIENT; exit 7"));
  ASSERT_NE(opened, nullptr);
  EXPECT_FALSE(opened->duplex);
  EXPECT_EQ(opened->sandbox.size(), 12U);
  std::vector<base::Fd> fds;
  for (auto& packet : gate->inbox) {
    for (auto& fd : packet.descriptors) fds.push_back(std::move(fd));
  }
  ASSERT_EQ(fds.size(), 3U);
  ASSERT_EQ(::write(fds[0].get(), "hello\n", 6), 6);
  ASSERT_TRUE(until([&] { return gate->last<ipc::ProcessExited>() != nullptr; }));
  EXPECT_EQ(gate->last<ipc::ProcessExited>()->kind, 0);
  EXPECT_EQ(gate->last<ipc::ProcessExited>()->value, 7U);
  char text[100] = "";
  ASSERT_GT(::read(fds[1].get(), text, sizeof text - 1), 0);
  EXPECT_STREQ(text, "got hello 192.0.2.1 999 22\n");

  EXPECT_TRUE(gate->channel.send(ipc::RecordingNamed{kSession, 0, "recordings/a.cast"}));
  EXPECT_TRUE(gate->channel.send(ipc::SessionClosed{kSession}));
  EXPECT_TRUE(until([&] { return engine.counts().preserved == 1; }));
  EXPECT_EQ(server.sessions(), 0U);
}

TEST_F(IpcServerTest, ProgramsOfOneSessionShareItsSandboxAndCloseHangsUp) {
  open_session();
  for (const char* secret : {"a", "b", "c"}) login(secret);
  ipc::OpenProcess shell = exec("", 0);
  shell.kind = 0;
  shell.has_pty = true;
  const auto* terminal = ask<ipc::ProcessOpened>(shell);
  ASSERT_NE(terminal, nullptr);
  EXPECT_TRUE(terminal->duplex);
  const std::string first = terminal->sandbox;
  const std::string second = ask<ipc::ProcessOpened>(exec("sleep 1000", 1))->sandbox;
  EXPECT_EQ(first, second);
  const auto* killed = ask<ipc::ProcessExited>(ipc::SignalProcess{kSession, 1, "TERM"});
  ASSERT_NE(killed, nullptr);
  EXPECT_EQ(killed->channel, 1U);
  gate->close_descriptors();  // as a gate does: a signal alone can be lost on a starting shell
  const auto* ended = ask<ipc::ProcessExited>(ipc::CloseProcess{kSession, 0});
  ASSERT_NE(ended, nullptr);
  EXPECT_EQ(ended->channel, 0U);
  EXPECT_NE(ask<ipc::ProcessOpened>(exec("true", 0)), nullptr);
}

TEST_F(IpcServerTest, AFullSandboxKeepsWhatRunsInItAndRefusesTheRest) {
  open_session();
  for (const char* secret : {"a", "b", "c"}) login(secret);
  const auto* running = ask<ipc::ProcessOpened>(exec("sleep 1000", 0));
  ASSERT_NE(running, nullptr);
  const std::string sandbox = running->sandbox;
  full = true;
  EXPECT_NE(ask<ipc::ProcessRefused>(exec("id", 1)), nullptr);
  full = false;
  EXPECT_EQ(ask<ipc::ProcessOpened>(exec("id", 2))->sandbox, sandbox);
  EXPECT_EQ(engine.counts().preserved + engine.counts().destroyed, 0U);
}

TEST_F(IpcServerTest, AGatesEndIsTheEndOfItsSessionsAndPrograms) {
  open_session();
  for (const char* secret : {"a", "b", "c"}) login(secret);
  ASSERT_NE(ask<ipc::ProcessOpened>(exec("sleep 1000")), nullptr);
  gate->channel.close();
  EXPECT_TRUE(until([&] { return engine.counts().preserved == 1 && server.programs() == 0; }));
  EXPECT_EQ(server.gates(), 0U);
}

TEST_F(IpcServerTest, AResumedSessionNeedsNoLoginAndItsOldProgramsEndsAreUnknown) {
  const auto* assigned =
      ask<ipc::CaseAssigned>(ipc::SessionResumed{kSession, "192.0.2.1", "root", 999, true, {3}});
  ASSERT_NE(assigned, nullptr);
  const auto* ended = ask<ipc::ProcessExited>(ipc::CloseProcess{kSession, 3});
  ASSERT_NE(ended, nullptr);
  EXPECT_EQ(ended->kind, 2);
  EXPECT_NE(ask<ipc::ProcessOpened>(exec("true", 3)), nullptr);
}

TEST_F(IpcServerTest, FromTheFirstProgramOnTheMachinesOwnAccountsDecide) {
  account_script = "read -r given; test \"$USER\" = bob && exit 2; test \"$given\" = changed";
  open_session();
  for (const char* secret : {"a", "b"}) EXPECT_FALSE(login(secret)->accepted);
  const auto* policy_took = login("c");
  ASSERT_TRUE(policy_took->accepted);
  EXPECT_EQ(policy_took->decided_by, "accept_after_failures");
  ASSERT_NE(ask<ipc::ProcessOpened>(exec("true")), nullptr);
  // Another connection of the case, as the policy would still take it.
  ASSERT_NE(ask<ipc::CaseAssigned>(ipc::SessionOpened{kOther, "192.0.2.1", 998, "192.0.2.9", 22}),
            nullptr);
  const auto again = [&](const std::string& user, const std::string& secret) {
    ipc::Authenticate m;
    m.session = kOther;
    m.user = user;
    m.method = "password";
    m.secret = secret;
    return *ask<ipc::AuthDecision>(m);
  };
  const auto old = again("root", "c");
  EXPECT_FALSE(old.accepted);
  EXPECT_EQ(old.decided_by, "account");
  EXPECT_EQ(again("bob", "c").decided_by, "no_match");  // not the machine's business
  const auto fresh = again("root", "changed");
  EXPECT_TRUE(fresh.accepted);
  EXPECT_EQ(fresh.decided_by, "account");
}

TEST_F(IpcServerTest, AMachineThatDoesNotAnswerLetsNobodyIn) {
  account_script = "exec sleep 20";
  open_session();
  for (const char* secret : {"a", "b", "c"}) login(secret);
  ASSERT_NE(ask<ipc::ProcessOpened>(exec("true")), nullptr);
  ASSERT_NE(ask<ipc::CaseAssigned>(ipc::SessionOpened{kOther, "192.0.2.1", 998, "192.0.2.9", 22}),
            nullptr);
  ipc::Authenticate m;
  m.session = kOther;
  m.user = "root";
  m.method = "password";
  m.secret = "c";
  EXPECT_FALSE(ask<ipc::AuthDecision>(m)->accepted);
}

TEST_F(IpcServerTest, ALateResumeIsDenied) {
  IpcServer::Limits limits;
  limits.resume_window = 0ms;
  server.configure(limits);
  expect_denied(ipc::SessionResumed{kSession, "192.0.2.1", "root", 999, true, {}});
}

TEST_F(IpcServerTest, OrdersInTheWrongPhaseAreDenied) {
  const auto before = [&](const ipc::Message& message, bool session, bool authenticated) {
    queued_before = events.queued();
    gate = connect();
    if (session) open_session();
    if (authenticated) {
      for (const char* secret : {"a", "b", "c"}) login(secret);
    }
    expect_denied(message);
  };
  gate->channel.close();
  ASSERT_TRUE(until([&] { return server.gates() == 0; }));
  const ipc::SessionOpened open{kSession, "192.0.2.1", 1, "192.0.2.9", 22};
  before(sign(2, "ssh-ed25519"), false, false);
  before(exec("id"), true, false);
  before(ipc::CloseProcess{kSession, 0}, true, true);
  before(open, true, false);
  before(ipc::SessionClosed{kSession}, false, false);
  before(ipc::Welcome{}, true, true);
  before(ipc::Drain{}, true, true);
  ipc::Authenticate again;
  again.session = kSession;
  again.method = "password";
  again.user = "root";
  before(again, true, true);
}

TEST_F(IpcServerTest, BadFieldsAreDenied) {
  const auto before = [&](const ipc::Message& message, bool session) {
    queued_before = events.queued();
    gate = connect();
    if (session) {
      open_session();
      for (const char* secret : {"a", "b", "c"}) login(secret);
    }
    expect_denied(message);
  };
  gate->channel.close();
  ASSERT_TRUE(until([&] { return server.gates() == 0; }));
  before(ipc::SessionOpened{kSession, "not an address", 1, "192.0.2.9", 22}, false);
  before(ipc::SessionResumed{kSession, "192.0.2.1", "Ro/ot", 1, true, {}}, false);
  before(sign(2, "rsa-sha2-512"), true);
  before(sign(7, "ssh-ed25519"), true);
  before(sign(2, "ssh-ed25519", base::Bytes(19)), true);
  before(sign(2, "ssh-ed25519", base::Bytes(65)), true);
  ipc::OpenProcess kind = exec("id");
  kind.kind = 3;
  before(kind, true);
  before(exec("id", ipc::kMaxChannelNumber), true);
  before(ipc::RecordingNamed{kSession, 0, "../../etc/passwd"}, true);
}

TEST_F(IpcServerTest, DescriptorsAndAnotherGatesSessionAreDenied) {
  open_session();
  auto other = connect();
  ASSERT_TRUE(other->channel.send(ipc::SessionClosed{kSession}));
  EXPECT_TRUE(until([&] { return other->ended; }));
  EXPECT_EQ(server.sessions(), 1U);
  std::vector<base::Fd> fds;
  fds.emplace_back(::dup(0));
  ASSERT_TRUE(gate->channel.send(ipc::SessionClosed{kSession}, std::move(fds)));
  EXPECT_TRUE(until([&] { return gate->ended; }));
}

TEST_F(IpcServerTest, MoreProgramsThanAllowedAreRefusedNotPunished) {
  open_session();
  for (const char* secret : {"a", "b", "c"}) login(secret);
  for (std::uint32_t i = 0; i < 10; ++i) {
    ASSERT_NE(ask<ipc::ProcessOpened>(exec("sleep 1000", i)), nullptr);
  }
  const auto* refused = ask<ipc::ProcessRefused>(exec("id", 10));
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(server.gates(), 1U);
}

TEST(HostKeys, AFileThatOthersMayReadIsRefused) {
  const std::string root = temporary_folder();
  base::Log log("t", static_cast<base::LogLevel>(4));
  ASSERT_TRUE(HostKeys::load(root + "/k", "", log));
  namespace fs = std::filesystem;
  const fs::path key = root + "/k/ssh_host_ed25519_key";
  fs::permissions(key, fs::perms(0640));
  EXPECT_EQ(HostKeys::load(root + "/k", "", log).error().code, base::Errc::kDenied);
  fs::permissions(key, fs::perms(0600));
  fs::rename(key, root + "/elsewhere");
  fs::create_symlink(root + "/elsewhere", key);
  EXPECT_FALSE(HostKeys::load(root + "/k", "", log));
  fs::remove_all(root);
}

}  // namespace
}  // namespace sandtrap::warden
