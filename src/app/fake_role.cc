// The role program of supervisor_test: `fake_role role NAME`. Writes what it sees as lines into the
// named pipe $FAKE_LOG; files $FAKE_DIR/NAME.WORD make it misbehave.
#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdlib>
#include <set>
#include <string>

#include "app/roles.h"
#include "net/channel.h"
#include "net/task.h"

namespace {

namespace asio = boost::asio;
using namespace sandtrap;

struct Role {
  std::string name;
  asio::io_context io{1};
  base::Fd log;
  std::set<std::string> behaviour;

  void say(const std::string& what) {
    const std::string line = name + " " + what + "\n";
    if (::write(log.get(), line.data(), line.size()) < 0) ::_exit(9);
  }
  // Read once, before the first line is written: a test may change its mind after that.
  void read_behaviour() {
    for (const char* word : {"fail", "closes", "bogus", "mute", "stubborn", "slow", "accuses"}) {
      const std::string path = std::string(std::getenv("FAKE_DIR")) + "/" + name + "." + word;
      if (::access(path.c_str(), F_OK) == 0) behaviour.insert(word);
    }
  }
  bool is(const char* word) const { return behaviour.contains(word); }
};

std::string first_line(int fd) {
  char text[200] = {};
  const ssize_t got = ::pread(fd, text, sizeof text - 1, 0);
  const std::string all(text, got > 0 ? static_cast<std::size_t>(got) : 0);
  return all.substr(0, all.find('\n'));
}

net::Task<void> talk_to_peer(Role& role, std::string peer, base::Fd end) {
  net::Channel channel(role.io.get_executor(), std::move(end));
  (void)channel.send(ipc::RoleReady{role.name + ":" + std::to_string(::getpid())});
  for (;;) {
    auto packet = co_await channel.receive();
    if (!packet) co_return role.say("lost " + peer);
    if (const auto* hello = std::get_if<ipc::RoleReady>(&packet->message)) {
      role.say("hears " + hello->detail);
    }
  }
}

void obey(Role& role, net::Channel& control, net::Packet packet) {
  if (auto* peer = std::get_if<ipc::PeerConnected>(&packet.message)) {
    asio::co_spawn(role.io, talk_to_peer(role, peer->role, std::move(packet.descriptors.at(0))),
                   asio::detached);
  } else if (const auto* drain = std::get_if<ipc::Drain>(&packet.message)) {
    role.say("drain " + std::to_string(drain->grace_seconds));
    const bool goes = !role.is("stubborn") && !(role.is("slow") && drain->grace_seconds > 0);
    if (goes) ::_exit(0);
  } else if (std::get_if<ipc::Reload>(&packet.message) != nullptr) {
    role.say("reload " + first_line(packet.descriptors.at(0).get()));
    (void)control.send(ipc::ReloadResult{"everything", ""});
    if (role.is("accuses")) (void)control.send(ipc::GateDenied{});
  }
}

net::Task<void> follow(Role& role, base::Fd end) {
  net::Channel control(role.io.get_executor(), std::move(end));
  if (role.is("closes")) {
    control.close();
    asio::steady_timer forever(role.io, asio::steady_timer::time_point::max());
    co_await forever.async_wait(net::use_ec);
  }
  if (role.is("bogus")) (void)control.send(ipc::Drain{});
  if (!role.is("mute")) (void)control.send(ipc::RoleReady{"detail of " + role.name});
  for (;;) {
    auto packet = co_await control.receive();
    if (!packet) {
      role.say("orphaned");
      ::_exit(0);
    }
    obey(role, control, std::move(*packet));
  }
}

}  // namespace

int main(int argc, char** argv) {
  Role role;
  role.name = argv[argc - 1];
  role.log.reset(::open(std::getenv("FAKE_LOG"), O_WRONLY | O_CLOEXEC));
  role.read_behaviour();
  role.say("start " + std::to_string(::getpid()) + " " + first_line(app::kSettingsFd));
  if (role.is("fail")) return 3;
  if (role.name == "verify") return 0;
  asio::co_spawn(role.io, follow(role, base::Fd(app::kControlFd)), asio::detached);
  role.io.run();
  return 0;
}
