#include "scribe/scribe.h"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <exception>
#include <string>
#include <vector>

#include "net/channel.h"
#include "net/task.h"
#include "scribe/confine.h"
#include "scribe/intake.h"

namespace sandtrap::scribe {
namespace {

using net::Task;

constexpr std::chrono::seconds kLastWork{10};  // for hashing what was just finished
constexpr std::size_t kMaxSettings = 4 << 20;
constexpr std::chrono::seconds kOrphanGrace{2};  // the supervisor died: peers end by themselves

// Waits until `done()` holds, asked whenever the intake changes, or the time is up.
template <class Predicate>
Task<void> wait_for(Intake& intake, Predicate done, std::chrono::seconds limit) {
  net::asio::steady_timer timer(co_await net::asio::this_coro::executor, limit);
  intake.on_change([&timer, done] {
    if (done()) timer.cancel();
  });
  if (!done()) co_await timer.async_wait(net::use_ec);
  intake.on_change({});
}

Task<void> finish_up(Intake& intake, std::chrono::seconds grace, std::string reason) {
  co_await wait_for(
      intake, [&intake] { return intake.peers_gone(); }, grace);
  intake.sweep();
  co_await wait_for(
      intake, [&intake] { return intake.no_jobs(); }, kLastWork);
  intake.emit(event::SensorStopped{"scribe", std::move(reason)});
  static_cast<void>(intake.flush());
}

std::string read_all(int fd) {
  std::string text;
  char block[16384];
  while (text.size() <= kMaxSettings) {
    const ssize_t n = ::pread(fd, block, sizeof block, static_cast<off_t>(text.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(block, static_cast<std::size_t>(n));
  }
  return text;
}

ipc::ReloadResult reload(const std::vector<base::Fd>& descriptors, Intake& intake) {
  if (descriptors.size() != 1) return {"", "settings were not sent"};
  const config::LoadResult loaded = config::load(read_all(descriptors.front().get()), "settings");
  if (!loaded.problems.empty()) return {"", config::to_string(loaded.problems.front())};
  intake.keeper().configure({loaded.settings.logging, loaded.settings.disk});
  return {"log rotation, disk limits", ""};
}

// The supervisor's orders, until it says drain or is gone.
Task<void> obey(net::Channel& control, Intake& intake, base::Log& log) {
  while (true) {
    auto packet = co_await control.receive();
    if (!packet) {
      log.warn("the supervisor is gone: ending");
      co_await finish_up(intake, kOrphanGrace, "supervisor gone");
      co_return;
    }
    if (auto* peer = std::get_if<ipc::PeerConnected>(&packet->message)) {
      if (packet->descriptors.size() == 1) {
        intake.add_peer(peer->role, std::move(packet->descriptors[0]));
      }
    } else if (const auto* drain = std::get_if<ipc::Drain>(&packet->message)) {
      co_await finish_up(intake, std::chrono::seconds(drain->grace_seconds), "drained");
      static_cast<void>(control.send(ipc::RoleDrained{}));
      co_return;
    } else if (std::holds_alternative<ipc::Reload>(packet->message)) {
      static_cast<void>(control.send(reload(packet->descriptors, intake)));
    }
  }
}

}  // namespace

int run(const config::Settings& settings, base::Fd control_socket, base::Log& log) {
  // The terminal's Ctrl-C reaches every process; only the supervisor decides what it means.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGIO}) ::signal(number, SIG_IGN);
  auto folder = DataFolder::open(settings.data_dir);
  if (!folder) {
    log.error("{}", folder.error().context);
    return 1;
  }
  const auto dropped = drop_privileges(settings.server.scribe_user);
  const auto prepared = dropped ? folder->prepare() : dropped;
  if (!prepared) {
    log.error("{}", prepared.error().context);
    return 1;
  }
  net::asio::io_context loop(1);
  net::Channel control(loop.get_executor(), std::move(control_socket));
  Intake intake(loop, *folder, settings, log);
  intake.on_denied([&control] { static_cast<void>(control.send(ipc::GateDenied{})); });
  const auto started = intake.start();
  if (!started) {
    log.error("{}", started.error().context);
    return 1;
  }
  static_cast<void>(control.send(ipc::RoleReady{}));
  int code = 0;
  net::asio::co_spawn(loop, obey(control, intake, log), [&](const std::exception_ptr& failure) {
    if (failure) code = 1;
    loop.stop();
  });
  loop.run();
  return code;
}

}  // namespace sandtrap::scribe
