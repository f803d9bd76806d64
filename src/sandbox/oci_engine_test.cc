// Real sandboxes of the embedded engine. Needs root, runc (or crun) and the guest image.
#include "sandbox/oci_engine.h"

#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "sandbox/oci_testing.h"

namespace sandtrap::sandbox {
namespace {

using testing::Conversation;
using testing::Outcome;
using Kind = ExitResult::Kind;

class OciEngineNeedsRoot : public testing::OciFixture {};

void expect_status(const Outcome& outcome, int status) {
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_EQ(outcome.exit.kind, Kind::kStatus);
  EXPECT_EQ(outcome.exit.value, status);
}

TEST_F(OciEngineNeedsRoot, ALifeFromCreationToNothing) {
  auto sandbox = create("00000000a001");
  ASSERT_TRUE(sandbox);
  ASSERT_TRUE(testing::run(io_, sandbox->verify()));

  const Outcome both = shell(*sandbox, "echo out; echo err >&2; exit 7");
  EXPECT_EQ(both.output, "out\n");
  EXPECT_EQ(both.error, "err\n");
  expect_status(both, 7);

  const Outcome killed = shell(*sandbox, "kill -TERM $$");
  EXPECT_EQ(killed.exit.kind, Kind::kSignal);
  EXPECT_EQ(killed.exit.value, SIGTERM);

  const Outcome piped = shell(*sandbox, "sha256sum", std::string(300000, 'x'));
  EXPECT_EQ(piped.output.substr(0, 16), "29927e273accc682");
  expect_status(piped, 0);

  destroy(*sandbox);
  EXPECT_EQ(testing::leftovers("00000000a001"), std::vector<std::string>{});
  EXPECT_FALSE(std::filesystem::exists(root_ + "/data/sandboxes/00000000a001"));
  EXPECT_TRUE(std::filesystem::is_empty(root_ + "/run/oci/bundles"));
  EXPECT_TRUE(std::filesystem::is_empty(root_ + "/run/oci/cmd"));
  EXPECT_TRUE(std::filesystem::is_empty(root_ + "/run/oci/state"));
}

TEST_F(OciEngineNeedsRoot, FrozenOnesStandStillAndPreservedOnesStartAgainOnTheirDisk) {
  const std::string id = "00000000a0f1";
  auto sandbox = create(id);
  ASSERT_TRUE(sandbox);
  Label label;
  label.sandbox = id;
  label.case_id = "case";
  label.hostname = "web01";
  ASSERT_TRUE(testing::run(io_, sandbox->mark_claimed(label)));
  shell(*sandbox,
        "echo 1 > /root/left; (while :; do echo x >> /root/grows; done) > /dev/null 2>&1 &");
  ASSERT_TRUE(testing::run(io_, sandbox->freeze()));
  EXPECT_TRUE(testing::run(io_, sandbox->freeze()));  // again is fine
  EXPECT_GT(testing::run(io_, sandbox->memory()).value_or(0), 0U);
  auto second = another_engine();
  ASSERT_TRUE(testing::run(io_, second->prepare()));
  auto found = testing::run(io_, second->recover());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].frozen);
  sandbox = std::move(found[0].sandbox);
  ASSERT_TRUE(testing::run(io_, sandbox->thaw()));
  expect_status(
      shell(*sandbox,
            "a=$(stat -c %s /root/grows); while [ $(stat -c %s /root/grows) = $a ]; do :; done"),
      0);
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(testing::run(io_, sandbox->freeze()));
    const auto kept = testing::run(io_, sandbox->preserve(label));
    ASSERT_TRUE(kept) << kept.error().context;
    EXPECT_FALSE(testing::run(io_, engine_->restore("/etc", id, limits())));
    auto again = testing::run(io_, engine_->restore(kept->reference, id, limits()));
    ASSERT_TRUE(again) << again.error().context;
    sandbox = std::move(again->sandbox);
    EXPECT_FALSE(std::filesystem::exists(kept->reference));
    EXPECT_EQ(shell(*sandbox, "hostname; cat /root/left").output, "web01\n1\n");
  }
  destroy(*sandbox);
  EXPECT_EQ(testing::leftovers(id), std::vector<std::string>{});
}

TEST_F(OciEngineNeedsRoot, BytesOfACommandArriveAsTheyWere) {
  auto sandbox = create("00000000a002");
  ASSERT_TRUE(sandbox);
  std::string bytes;
  for (int c = 1; c < 256; ++c)
    if (c != '\'') bytes.push_back(static_cast<char>(c));
  EXPECT_EQ(shell(*sandbox, "printf %s '" + bytes + "'").output, bytes);
  const std::string longest(120 * 1024, '%');
  EXPECT_EQ(shell(*sandbox, "printf %s '" + longest + "' | wc -c").output, "122880\n");
  // sshd's own answer to a command that no execve takes.
  const Outcome refused = shell(*sandbox, ": " + std::string(140 * 1024, 'a'));
  EXPECT_EQ(refused.error, "/bin/bash: Argument list too long\n");
  expect_status(refused, 1);
  destroy(*sandbox);
}

TEST_F(OciEngineNeedsRoot, TheEnvironmentIsSshds) {
  auto sandbox = create("00000000a003");
  ASSERT_TRUE(sandbox);
  ProcessSpec spec = testing::exec_spec("exec cat /proc/self/environ");
  spec.env = {{"LC_TIME", "de_DE.UTF-8"},
              {"SSH_CLIENT", "192.0.2.7 50000 22"},
              {"SSH_CONNECTION", "192.0.2.7 50000 198.51.100.1 22"}};
  auto process = testing::run(io_, sandbox->exec(spec));
  ASSERT_TRUE(process);
  const Outcome outcome = testing::converse(io_, **process, Conversation{});
  std::vector<std::string> lines;
  std::istringstream text(outcome.output);
  for (std::string line; std::getline(text, line, '\0');)
    if (line.compare(0, 6, "SHLVL=") != 0 && line.compare(0, 2, "_=") != 0) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  const std::vector<std::string> expected{
      "HOME=/root",
      "LANG=en_US.UTF-8",
      "LC_TIME=de_DE.UTF-8",
      "LOGNAME=root",
      "MOTD_SHOWN=pam",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "PWD=/root",
      "SHELL=/bin/bash",
      "SSH_CLIENT=192.0.2.7 50000 22",
      "SSH_CONNECTION=192.0.2.7 50000 198.51.100.1 22",
      "USER=root"};
  EXPECT_EQ(lines, expected);
  destroy(*sandbox);
}

TEST_F(OciEngineNeedsRoot, AnUnknownUserIsThereAtTheFirstLook) {
  auto sandbox = create("00000000a004");
  ASSERT_TRUE(sandbox);
  ProcessSpec spec = testing::exec_spec("id; pwd; echo to-stdout >/dev/stdout");
  spec.user = "oracle";
  auto process = testing::run(io_, sandbox->exec(spec));
  ASSERT_TRUE(process);
  const Outcome outcome = testing::converse(io_, **process, Conversation{});
  EXPECT_EQ(outcome.output,
            "uid=1000(oracle) gid=1000(oracle) groups=1000(oracle)\n/home/oracle\nto-stdout\n");
  EXPECT_EQ(outcome.error, "");
  spec.user = "../x";
  EXPECT_EQ(testing::run(io_, sandbox->exec(spec)).error().code, base::Errc::kInvalid);
  spec = testing::exec_spec("netconf");
  spec.kind = ProcessKind::kSubsystem;
  EXPECT_EQ(testing::run(io_, sandbox->exec(spec)).error().code, base::Errc::kNotFound);
  destroy(*sandbox);
}

TEST_F(OciEngineNeedsRoot, TheSftpSubsystemAnswers) {
  auto sandbox = create("00000000a005");
  ASSERT_TRUE(sandbox);
  ProcessSpec spec = testing::exec_spec("sftp");
  spec.kind = ProcessKind::kSubsystem;
  auto process = testing::run(io_, sandbox->exec(spec));
  ASSERT_TRUE(process);
  Conversation conversation;
  conversation.input = std::string("\0\0\0\5\1\0\0\0\3", 9);  // SSH_FXP_INIT, version 3
  conversation.close_input = false;
  conversation.until = "users-groups-by-id@openssh.com";
  const Outcome outcome = testing::converse(io_, **process, conversation);
  ASSERT_GE(outcome.output.size(), 9U) << outcome.error << outcome.exit.value;
  EXPECT_EQ(outcome.output[4], 2);  // SSH_FXP_VERSION
  EXPECT_NE(outcome.output.find("posix-rename@openssh.com"), std::string::npos);
  destroy(*sandbox);
}

TEST_F(OciEngineNeedsRoot, TheTerminalHasItsSizeAndModesBeforeTheFirstByte) {
  auto sandbox = create("00000000a006");
  ASSERT_TRUE(sandbox);
  ProcessSpec spec = testing::exec_spec("stty size; stty -a; tty; echo $TERM; ls -l $(tty)");
  spec.terminal = Terminal{};
  spec.terminal->term = "xterm-256color";
  spec.terminal->columns = 132;
  spec.terminal->rows = 43;
  spec.terminal->modes = {53, 0, 0, 0, 0, 3, 0, 0, 0, 8, 0};  // ECHO off, VERASE = ^H, end
  auto process = testing::run(io_, sandbox->exec(spec));
  ASSERT_TRUE(process);
  const std::string text = testing::converse(io_, **process, Conversation{}).output;
  EXPECT_EQ(text.substr(0, 8), "43 132\r\n");
  EXPECT_NE(text.find(" -echo "), std::string::npos) << text;
  EXPECT_NE(text.find("erase = ^H"), std::string::npos) << text;
  EXPECT_NE(text.find("onlcr"), std::string::npos) << text;
  EXPECT_NE(text.find("/dev/pts/0\r\nxterm-256color"), std::string::npos) << text;
  EXPECT_NE(text.find("crw--w---- 1 root tty"), std::string::npos) << text;
  destroy(*sandbox);
}

TEST_F(OciEngineNeedsRoot, AShellGreetsResizesAndEndsWithItsTerminal) {
  auto sandbox = create("00000000a007");
  ASSERT_TRUE(sandbox);
  auto process = testing::run(io_, sandbox->exec(testing::shell_spec()));
  ASSERT_TRUE(process);
  Process& shell_process = **process;
  auto streams = shell_process.take_streams();
  Conversation greeting;
  greeting.until = "root@web01:~# ";
  const std::string text = testing::converse(io_, shell_process, streams, greeting).output;
  EXPECT_EQ(text.compare(0, 12, "Linux web01 "), 0) << text;
  EXPECT_NE(text.find("Debian GNU/Linux comes with ABSOLUTELY NO WARRANTY"), std::string::npos);
  EXPECT_NE(text.find("\x1b[?2004h"), std::string::npos);

  ASSERT_TRUE(testing::run(io_, shell_process.resize(100, 50, 0, 0)));
  Conversation resized;
  resized.input = "stty size; echo $0\n";
  resized.until = "-bash\r\n";
  EXPECT_NE(testing::converse(io_, shell_process, streams, resized).output.find("50 100"),
            std::string::npos);

  // bash keeps SIGTERM out, as interactive shells do; a hang-up ends it.
  ASSERT_TRUE(testing::run(io_, shell_process.signal(SIGTERM)));
  testing::run(io_, shell_process.hang_up());
  streams = {};
  const ExitResult exit = testing::run(io_, shell_process.wait());
  EXPECT_NE(exit.kind, Kind::kUnknown);
  EXPECT_EQ(exit.value, exit.kind == Kind::kSignal ? SIGHUP : 129);
  destroy(*sandbox);
}

TEST_F(OciEngineNeedsRoot, EightAtOnce) {
  std::vector<std::unique_ptr<Sandbox>> all(8);
  std::size_t finished = 0;
  for (std::size_t i = 0; i < all.size(); ++i)
    boost::asio::co_spawn(
        io_, engine_->create("00000000b00" + std::to_string(i), limits()),
        [&, i](std::exception_ptr thrown, base::Result<std::unique_ptr<Sandbox>> made) {
          EXPECT_FALSE(thrown);
          ++finished;
          if (made) {
            all[i] = std::move(*made);
          } else {
            ADD_FAILURE() << made.error().context;
          }
        });
  io_.restart();
  while (finished < all.size()) io_.run_one();
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_TRUE(all[i]);
    const std::string name = std::to_string(i);
    EXPECT_EQ(shell(*all[i], "echo " + name + " >/root/mine; cat /root/mine").output, name + "\n");
  }
  EXPECT_EQ(shell(*all[3], "cat /root/mine").output, "3\n");
  for (auto& one : all) destroy(*one);
  EXPECT_EQ(testing::leftovers("00000000b00"), std::vector<std::string>{});
}

TEST_F(OciEngineNeedsRoot, TheDiskIsFullAtItsLimitAndNotBefore) {
  auto sandbox = create("00000000a008");
  ASSERT_TRUE(sandbox);
  const Outcome full =
      shell(*sandbox,
            "dd if=/dev/zero of=/root/fill bs=1M; rm /root/fill; dd if=/dev/zero of=/f bs=1M "
            "count=48 2>/dev/null && echo fits; df -h / | tail -1");
  EXPECT_NE(full.error.find("No space left on device"), std::string::npos) << full.error;
  EXPECT_EQ(full.output.substr(0, 5), "fits\n");
  EXPECT_NE(full.output.find("/dev/vda1"), std::string::npos) << full.output;
  struct stat info {};
  const std::string disk = root_ + "/data/sandboxes/00000000a008/disk.ext4";
  ASSERT_EQ(::stat(disk.c_str(), &info), 0);
  EXPECT_EQ(info.st_size, 64 << 20);
  destroy(*sandbox);
}

TEST_F(OciEngineNeedsRoot, ProcessesAndMemoryEndAtTheirLimits) {
  Limits small = limits();
  small.pids = 40;
  small.memory_bytes = 64U << 20;
  auto sandbox = create("00000000a009", small);
  ASSERT_TRUE(sandbox);
  const Outcome forks = shell(*sandbox,
                              "sh -c 'i=0; while [ $i -lt 100 ]; do sleep 60 >/dev/null 2>&1 & "
                              "i=$((i+1)); done'; pgrep -c sleep; pkill -KILL sleep");
  EXPECT_NE(forks.error.find("Cannot fork"), std::string::npos) << forks.error;
  const int started = std::atoi(forks.output.c_str());
  EXPECT_GT(started, 25) << forks.output;
  EXPECT_LT(started, 40) << forks.output;
  const Outcome memory = shell(*sandbox, "head -c 200M /dev/zero | tail | wc -c; echo alive");
  EXPECT_EQ(memory.output.find("209715200"), std::string::npos);
  const Outcome after = shell(*sandbox, "echo alive");
  EXPECT_EQ(after.output, "alive\n");
  destroy(*sandbox);
}

TEST_F(OciEngineNeedsRoot, NothingIsReachable) {
  auto sandbox = create("00000000a010");
  ASSERT_TRUE(sandbox);
  const Outcome net = shell(*sandbox,
                            "cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' '; ip route; "
                            "curl -s --max-time 3 http://192.0.2.1/; echo curl=$?; "
                            "ping -c1 -W1 192.0.2.1; echo ping=$?; "
                            "getent hosts debian.org; echo dns=$?");
  EXPECT_EQ(net.output.substr(0, 3), "lo\n") << net.output;
  EXPECT_NE(net.output.find("curl=7\n"), std::string::npos) << net.output;
  EXPECT_NE(net.output.find("ping=2\n"), std::string::npos) << net.output << net.error;
  EXPECT_NE(net.output.find("dns=2\n"), std::string::npos) << net.output;
  EXPECT_EQ(net.error, "ping: connect: Network is unreachable\n");
  destroy(*sandbox);
}

TEST_F(OciEngineNeedsRoot, PreservedFilesAreWhatTheIntruderLeft) {
  auto sandbox = create("00000000a011");
  ASSERT_TRUE(sandbox);
  expect_status(shell(*sandbox,
                      "echo evidence >/root/.x; rm /etc/motd; echo '* * * * * id' | "
                      "crontab -; sleep 1000 >/dev/null 2>&1 & echo $!"),
                0);
  Label label;
  label.sandbox = "00000000a011";
  label.case_id = "case";
  label.sessions = {"s1"};
  auto kept = testing::run(io_, sandbox->preserve(label));
  ASSERT_TRUE(kept) << kept.error().context;
  EXPECT_EQ(kept->reference, root_ + "/data/preserved/00000000a011");
  EXPECT_GT(kept->bytes, 0U);
  EXPECT_NE(testing::read_text(kept->reference + "/sandbox.json").find("\"case\""),
            std::string::npos);
  EXPECT_EQ(testing::leftovers("00000000a011"), std::vector<std::string>{});
  // Read without mounting: the file system comes from an attacker.
  const std::string disk = kept->reference + "/disk.ext4";
  const auto debugfs = [&](const std::string& request) {
    const std::string out = root_ + "/debugfs.txt";
    const std::string line = "debugfs -R '" + request + "' " + disk + " >" + out + " 2>&1";
    EXPECT_EQ(std::system(line.c_str()), 0);
    return testing::read_text(out);
  };
  EXPECT_NE(debugfs("cat /upper/root/.x").find("evidence\n"), std::string::npos);
  EXPECT_NE(debugfs("cat /upper/var/spool/cron/crontabs/root").find("* * * * * id"),
            std::string::npos);
  EXPECT_NE(debugfs("stat /upper/etc/motd").find("character special"), std::string::npos);
  EXPECT_FALSE(testing::run(io_, engine_->remove_preserved("/etc")));
  EXPECT_FALSE(testing::run(io_, engine_->remove_preserved(kept->reference + "/..")));
  EXPECT_TRUE(testing::run(io_, engine_->remove_preserved(kept->reference)));
  EXPECT_FALSE(std::filesystem::exists(kept->reference));
}

namespace {

// As if the kernel or the operator had ended the machine: from inside, process 1 does not die.
void kill_all_of(const std::string& id) {
  std::error_code ignored;
  for (const std::string controller : {"pids/", ""}) {
    for (const auto& entry :
         std::filesystem::directory_iterator("/sys/fs/cgroup/" + controller, ignored)) {
      std::ifstream procs(entry.path() / id / "cgroup.procs");
      for (pid_t pid = 0; procs >> pid;) ::kill(pid, SIGKILL);
    }
  }
}

}  // namespace

TEST_F(OciEngineNeedsRoot, ARestartAdoptsPreservesAndRemoves) {
  auto claimed = create("00000000a012");
  auto dead = create("00000000a013");
  auto warm = create("00000000a014");
  ASSERT_TRUE(claimed && dead && warm);
  Label label;
  label.source_ip = "192.0.2.9";
  ASSERT_TRUE(testing::run(io_, claimed->mark_claimed(label)));
  ASSERT_TRUE(testing::run(io_, dead->mark_claimed(label)));
  expect_status(shell(*claimed, "echo kept >/root/kept"), 0);
  kill_all_of("00000000a013");
  std::filesystem::create_directories(root_ + "/data/sandboxes/00000000a015");  // half-built

  auto next = another_engine();
  ASSERT_TRUE(testing::run(io_, next->prepare()));
  std::vector<Leftover> left = testing::run(io_, next->recover());
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].label.source_ip, "192.0.2.9");
  EXPECT_EQ(left[0].sandbox->id(), "00000000a012");
  EXPECT_EQ(shell(*left[0].sandbox, "cat /root/kept").output, "kept\n");
  EXPECT_TRUE(std::filesystem::exists(root_ + "/data/preserved/00000000a013/disk.ext4"));
  EXPECT_FALSE(std::filesystem::exists(root_ + "/data/sandboxes/00000000a014"));
  EXPECT_FALSE(std::filesystem::exists(root_ + "/data/sandboxes/00000000a015"));
  testing::run(io_, left[0].sandbox->destroy());
  EXPECT_EQ(testing::leftovers("00000000a01"), std::vector<std::string>{});
}

}  // namespace
}  // namespace sandtrap::sandbox
