// What an intruder with root in a sandbox of the embedded engine cannot do. Needs root, a runtime
// and the guest image. Each attempt is made by the guest's own programs.
#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <sstream>

#include "sandbox/oci_testing.h"

namespace sandtrap::sandbox {
namespace {

using testing::Outcome;

class OciIsolationNeedsRoot : public testing::OciFixture {
 protected:
  void SetUp() override {
    OciFixture::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) sandbox_ = create("00000000c001");
  }
  void TearDown() override {
    if (sandbox_) destroy(*sandbox_);
    OciFixture::TearDown();
  }
  // "name number" lines.
  std::map<std::string, int> numbers(const std::string& command) {
    const Outcome outcome = shell(*sandbox_, command);
    std::map<std::string, int> out;
    std::istringstream text(outcome.output);
    std::string name;
    for (int value = 0; text >> name >> value;) out[name] = value;
    EXPECT_EQ(outcome.error, "");
    return out;
  }
  std::unique_ptr<Sandbox> sandbox_;
};

#if defined(__x86_64__)
TEST_F(OciIsolationNeedsRoot, SystemCallsThatReachTheHostFail) {
  ASSERT_TRUE(sandbox_);
  const auto got = numbers(R"(perl -e '
    my %calls = (io_uring_setup => [425, 8, 0], bpf => [321, 0, 0, 0], perf_event_open => [298, 0, 0, -1, -1, 0],
      keyctl => [250, 0, -3, 0], add_key => [248, 0, 0, 0, 0, -3], userfaultfd => [323, 0], unshare_user => [272, 0x10000000],
      unshare_mount => [272, 0x20000], setns => [308, 0, 0], mount => [165, 0, 0, 0, 0, 0], umount2 => [166, 0, 0],
      pivot_root => [155, 0, 0], open_by_handle_at => [304, 0, 0, 0], finit_module => [313, 0, 0, 0],
      init_module => [175, 0, 0, 0], kexec_load => [246, 0, 0, 0, 0], quotactl => [179, 0, 0, 0, 0], clone3 => [435, 0, 0],
      fsopen => [430, 0, 0], open_tree => [428, -100, 0, 0], move_mount => [429, 0, 0, 0, 0, 0], swapon => [167, 0, 0],
      reboot => [169, 0, 0, 0, 0], settimeofday => [164, 0, 0], syslog => [103, 3, 0, 0], fanotify_init => [300, 0, 0],
      clone_newuser => [56, 0x10000011, 0, 0, 0, 0], personality => [135, 0x0400000], iopl => [172, 3], acct => [163, 0]);
    for (sort keys %calls) { my @a = @{$calls{$_}}; my $r = syscall($a[0], @a[1 .. $#a]); print "$_ ", ($r < 0 ? $!+0 : 0), "\n"; }')");
  EXPECT_EQ(got.size(), 30U);
  for (const auto& [name, error] : got)
    EXPECT_EQ(error, name == "io_uring_setup" || name == "clone3" ? ENOSYS : EPERM) << name;
}

// A 32-bit program of a few instructions: `number`(ebx, ecx), its error becomes the exit status.
std::string elf32(std::uint32_t number, std::uint32_t ebx, std::uint32_t ecx, bool to_table) {
  constexpr std::uint32_t kBase = 0x08048000;
  std::string out;
  const auto word = [&](std::uint32_t v, int bytes) {
    for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(v >> (8 * i)));
  };
  out.assign(
      "\x7f"
      "ELF\1\1\1\0\0\0\0\0\0\0\0\0",
      16);
  word(2, 2), word(3, 2), word(1, 4), word(kBase + 84, 4), word(52, 4), word(0, 4), word(0, 4);
  word(52, 2), word(32, 2), word(1, 2), word(40, 2), word(0, 2), word(0, 2);
  constexpr std::uint32_t kCode = 31, kTable = 12;
  word(1, 4), word(0, 4), word(kBase, 4), word(kBase, 4);
  word(84 + kCode + kTable, 4), word(84 + kCode + kTable, 4), word(5, 4), word(4096, 4);
  out += '\xb8', word(number, 4);
  out += '\xbb', word(ebx, 4);
  out += '\xb9', word(to_table ? kBase + 84 + kCode : ecx, 4);
  out += "\x31\xd2\xcd\x80\xf7\xd8\x89\xc3";  // xor edx,edx; int 0x80; neg eax; mov ebx,eax
  out += '\xb8', word(1, 4);
  out += "\xcd\x80\x90";
  word(40, 4), word(1, 4), word(0, 4);  // socketcall's table: AF_VSOCK, SOCK_STREAM, 0
  return out;
}

TEST_F(OciIsolationNeedsRoot, SocketsOutsideTheNetworkNamespaceCannotBeMade) {
  ASSERT_TRUE(sandbox_);
  const auto got = numbers(R"(perl -e '
    for ([unix => 1, 1, 0], [inet => 2, 1, 0], [ping => 2, 2, 1], [inet6 => 10, 1, 0], [route => 16, 3, 0], [raw => 2, 3, 6],
         [packet => 17, 3, 0], [vsock => 40, 1, 0], [alg => 38, 5, 0], [netfilter => 16, 3, 12], [audit => 16, 3, 9], [sctp => 2, 1, 132],
         [can => 29, 3, 1], [xdp => 44, 3, 0]) {
      my ($name, @a) = @$_; print "$name ", (socket(my $s, $a[0], $a[1], $a[2]) ? 0 : $!+0), "\n"; }')");
  const std::map<std::string, int> expected{{"unix", 0},          {"inet", 0},
                                            {"ping", 0},          {"inet6", 0},
                                            {"route", 0},         {"raw", EPERM},
                                            {"packet", EPERM},    {"vsock", EPERM},
                                            {"alg", EPERM},       {"audit", EPROTONOSUPPORT},
                                            {"netfilter", EPERM}, {"sctp", EPERM},
                                            {"can", EPERM},       {"xdp", EPERM}};
  EXPECT_EQ(got, expected);

  // The same from a 32-bit program, directly and through the multiplexer.
  const auto run32 = [&](const std::string& program) {
    return shell(*sandbox_, "cat >/tmp/p && chmod +x /tmp/p && /tmp/p; r=$?; rm /tmp/p; exit $r",
                 program)
        .exit.value;
  };
  constexpr std::uint32_t kSocketcall = 102, kSocket = 359, kGetpid = 20;
  ASSERT_EQ(run32(elf32(kGetpid, 0, 0, false)) & 0x80, 0x80) << "32-bit programs run";
  EXPECT_EQ(run32(elf32(kSocketcall, 1, 0, true)), ENOSYS);
  EXPECT_EQ(run32(elf32(kSocket, 40, 1, false)), EPERM);
  EXPECT_EQ(run32(elf32(kSocket, 1, 99, false)), EINVAL) << "unix sockets are allowed";
}
#endif

TEST_F(OciIsolationNeedsRoot, CapabilitiesAreTheDocumentedOnes) {
  ASSERT_TRUE(sandbox_);
  const std::string status =
      shell(*sandbox_, "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status").output;
  // CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID NET_BIND_SERVICE SYS_CHROOT AUDIT_WRITE
  EXPECT_EQ(status,
            "CapInh:\t0000000000000000\nCapPrm:\t00000000200404fb\nCapEff:\t00000000200404fb\n"
            "CapBnd:\t00000000200404fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
}

TEST_F(OciIsolationNeedsRoot, EveryProcessHasTheLimits) {
  ASSERT_TRUE(sandbox_);
  EXPECT_EQ(shell(*sandbox_, "ulimit -n; ulimit -Hn; ulimit -c; ulimit -f").output,
            "1024\n1024\n0\n524288\n");
  Limits with = limits();
  with.no_new_privileges = false;
  auto open = create("00000000c002", with);
  ASSERT_TRUE(open);
  EXPECT_EQ(shell(*open, "grep NoNewPrivs /proc/self/status").output, "NoNewPrivs:\t0\n");
  EXPECT_EQ(shell(*open,
                  "useradd bob; su bob -c 'chsh -s /bin/sh </dev/null' 2>&1 | head -c 9; "
                  "cp /usr/bin/id /tmp/id; chmod 4755 /tmp/id; su bob -c '/tmp/id -u'")
                .output,
            "Password:0\n");
  destroy(*open);
}

TEST_F(OciIsolationNeedsRoot, ContainerRootIsAnOrdinaryUserOfTheHost) {
  ASSERT_TRUE(sandbox_);
  auto process = testing::run(io_, sandbox_->exec(testing::exec_spec("exec sleep 4711")));
  ASSERT_TRUE(process);
  // Found from the host, by its command line.
  const std::string found = root_ + "/found";
  const std::string line =
      "for p in /proc/[0-9]*; do if [ \"$(tr '\\0' ' ' 2>/dev/null <$p/cmdline "
      "2>/dev/null)\" = 'sleep 4711 ' ]; then grep -E '^[UG]id:' $p/status; "
      "cat $p/uid_map; fi; done >" +
      found;
  ASSERT_EQ(std::system(line.c_str()), 0);
  EXPECT_EQ(testing::read_text(found),
            "Uid:\t200000\t200000\t200000\t200000\nGid:\t200000\t200000\t200000\t200000\n"
            "         0     200000      65536\n");
  ASSERT_TRUE(testing::run(io_, (*process)->signal(SIGKILL)));
  EXPECT_EQ(testing::run(io_, (*process)->wait()).value, SIGKILL);
}

TEST_F(OciIsolationNeedsRoot, FilesOfTheKernelAndTheHostStayClosed) {
  ASSERT_TRUE(sandbox_);
  const auto got = numbers(
      "t() { if eval \"$2\" >/dev/null 2>&1; then echo $1 0; else echo $1 1; fi; }\n"
      "t core_pattern 'echo x >/proc/sys/kernel/core_pattern'\n"
      "t sysrq 'echo h >/proc/sysrq-trigger'\n"
      "t uevent_helper 'echo x >/sys/kernel/uevent_helper'\n"
      "t ksm 'echo 1 >/sys/kernel/mm/ksm/run'\n"
      "t block_node 'mknod /root/b b 254 0 && head -c1 /root/b'\n"
      "t char_node 'mknod /root/c c 1 1 && head -c1 /root/c'\n"
      "t kmsg 'head -c1 /dev/kmsg'\n"
      "t mem 'head -c1 /dev/mem'\n"
      "t cgroup 'test -e /sys/fs/cgroup/memory -o -e /sys/fs/cgroup/cgroup.procs'\n"
      "t hostname 'hostname other'\n"
      "t date 'date -s 2020-01-01'\n"
      "t dmesg 'dmesg'\n"
      "t remount 'mount -o remount,rw /proc/sys'\n"
      "t tmpfs 'mount -t tmpfs x /mnt'\n"
      "t unshare 'unshare -m true'\n"
      "t userns 'unshare -Ur true'\n"
      "t nsenter 'nsenter -t 1 -m true'\n"
      "t kcore 'test -n \"$(head -c1 /proc/kcore | tr -d \"\\0\")\"'\n");
  EXPECT_EQ(got.size(), 18U);
  for (const auto& [name, failed] : got) EXPECT_EQ(failed, 1) << name;
}

TEST_F(OciIsolationNeedsRoot, NothingOfTheRuntimeOrOfUsIsVisible) {
  ASSERT_TRUE(sandbox_);
  const std::string mounts = shell(*sandbox_, "cat /proc/self/mountinfo /proc/mounts").output;
  for (const auto* word : {"sandtrap", "st-oci", "/tmp/", "loop", "docker", "runc"})
    EXPECT_EQ(mounts.find(word), std::string::npos) << word << "\n" << mounts;
  EXPECT_NE(mounts.find("/dev/vda1 / overlay"), std::string::npos) << mounts;
  EXPECT_EQ(shell(*sandbox_, "ls -l /proc/self/fd | grep -c -- '->'").output, "4\n");
  const std::string init =
      shell(*sandbox_,
            "readlink /proc/1/exe; cat /proc/1/comm; tr '\\0' ' ' </proc/1/cmdline; ls "
            "/proc/1/fd | wc -l; cat /proc/1/cgroup | cut -d: -f3 | sort -u")
          .output;
  EXPECT_EQ(init, "/usr/lib/systemd/systemd\nsystemd\n/sbin/init 4\n/\n");
  // The process tree of a fresh session, as on a real server: process 1, sshd's listener and its
  // process for the session, the shell, and what it runs.
  EXPECT_EQ(shell(*sandbox_, "ps -e -o comm= >/tmp/p; LC_ALL=C sort /tmp/p").output,
            "bash\nps\nsshd\nsshd\nsystemd\n");
  EXPECT_EQ(shell(*sandbox_, "hostname; cat /etc/hostname; grep -c web01 /etc/hosts").output,
            "web01\nweb01\n1\n");
}

TEST_F(OciIsolationNeedsRoot, DevicesAreTheSandboxsOwnAndLookLikeIt) {
  ASSERT_TRUE(sandbox_);
  struct stat before {};
  ASSERT_EQ(::stat("/dev/null", &before), 0);
  EXPECT_EQ(shell(*sandbox_,
                  "cd /dev; stat -c '%A %U:%G %t:%T %n' null zero full random urandom tty; "
                  "chmod 600 null; chown 1:1 null; stat -c '%a %u' null; echo x >null && "
                  "head -c2 zero | wc -c")
                .output,
            "crw-rw-rw- root:root 1:3 null\ncrw-rw-rw- root:root 1:5 zero\n"
            "crw-rw-rw- root:root 1:7 full\ncrw-rw-rw- root:root 1:8 random\n"
            "crw-rw-rw- root:root 1:9 urandom\ncrw-rw-rw- root:tty 5:0 tty\n600 1\n2\n");
  struct stat after {};
  ASSERT_EQ(::stat("/dev/null", &after), 0);
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_uid, before.st_uid);
}

TEST_F(OciIsolationNeedsRoot, RootFeelsLikeRoot) {
  ASSERT_TRUE(sandbox_);
  const auto got = numbers(
      "t() { if eval \"$2\" >/tmp/out 2>&1; then echo $1 0; else echo $1 1; fi; }\n"
      "t useradd 'useradd -m bob'\n"
      "t chpasswd 'echo bob:secret | chpasswd'\n"
      "t su 'su - bob -c true'\n"
      // Not /tmp/out: with fs.protected_regular root could not write to it again.
      "t foreign_chmod 'chmod 700 /home/bob && touch /tmp/his && chown bob /tmp/his'\n"
      "t kill_foreign 'su bob -c \"sleep 99 & true\"; pkill -u bob sleep'\n"
      "t chroot 'chroot / true'\n"
      "t bind80 'timeout 1 nc -l -p 80; test $? = 124'\n"
      "t crontab 'echo \"* * * * * id\" | crontab -'\n"
      "t authorized_keys 'mkdir -p /root/.ssh && echo key >/root/.ssh/authorized_keys'\n"
      "t ping_self 'ping -c1 -W1 127.0.0.1'\n"
      "t shm 'cp /bin/true /dev/shm/x && chmod +x /dev/shm/x && /dev/shm/x'\n"
      "t busybox '/bin/busybox XYZQW; test $? = 127'\n"
      "t tools 'command -v curl wget ip ifconfig netstat vi nano crontab lscpu last chattr'\n"
      "t free 'free -m'\nt w 'w'\nt last 'last'\nt top 'top -bn1'\nt df 'df -h'\n");
  EXPECT_EQ(got.size(), 18U);
  for (const auto& [name, failed] : got) EXPECT_EQ(failed, 0) << name;
}

}  // namespace
}  // namespace sandtrap::sandbox
