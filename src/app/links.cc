#include "app/links.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/instant.h"

namespace sandtrap::app {
namespace asio = boost::asio;
namespace {

constexpr std::chrono::milliseconds kFirstWait{20}, kLongestWait{1000};
constexpr std::size_t kMaxLinks = 256;

// The roles that connect to `own`, by name.
bool may_connect(std::string_view peer, RoleKind own) {
  if (own == RoleKind::kWarden) return peer == "gate";
  return own == RoleKind::kScribe && (peer == "gate" || peer == "warden");
}

base::Result<sockaddr_un> address_of(const std::string& folder, RoleKind role) {
  const std::string path = fmt::format("{}/{}.sock", folder, name(role));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return base::fail(base::Errc::kLimit,
                      fmt::format("run_dir is too long for a socket: {}", path));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

base::Fd new_socket() {
  return base::Fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Root, or the user that we run as. The sockets' mode says the same; this holds if it is changed.
bool is_trusted(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace

struct Links::State {
  State(asio::io_context& loop, std::string where, RoleKind role, base::Log& l)
      : io(loop), folder(std::move(where)), own(role), log(l), listener(loop) {}
  asio::io_context& io;
  std::string folder;
  RoleKind own;
  base::Log& log;
  asio::posix::stream_descriptor listener;
  bool closed = false;
  std::vector<ChannelPtr> processes;  // control channels of our living role processes
  struct Link {
    ChannelPtr process, channel;
  };
  std::list<Link> links;

  bool living(const ChannelPtr& process) const {
    return std::find(processes.begin(), processes.end(), process) != processes.end();
  }
  template <class Task>
  void spawn(Task task) {
    asio::co_spawn(io, std::move(task), [&l = log](std::exception_ptr error) {
      if (error) l.error("a link between roles failed unexpectedly");
    });
  }
};

Links::Links(asio::io_context& io, std::string folder, RoleKind own, base::Log& log)
    : state_(std::make_shared<State>(io, std::move(folder), own, log)) {}

Links::~Links() {
  state_->closed = true;
  boost::system::error_code ignored;
  state_->listener.close(ignored);
  for (auto& link : state_->links) link.channel->close();
}

base::Status Links::listen() {
  if (state_->own == RoleKind::kGate) return {};  // nobody connects to a gate's supervisor
  const auto address = address_of(state_->folder, state_->own);
  if (!address) return tl::unexpected(address.error());
  base::Fd socket = new_socket();
  if (!socket) return base::fail_errno("socket", errno);
  ::unlink(address->sun_path);  // left by a former process: the role's lock is ours
  const mode_t mask = ::umask(0177);
  const int bound =
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  const int error = errno;
  ::umask(mask);
  if (bound != 0) return base::fail_errno(address->sun_path, error);
  if (::listen(socket.get(), 64) != 0) return base::fail_errno(address->sun_path, errno);
  state_->listener.assign(socket.release());
  state_->spawn(accept_all(state_));
  return {};
}

void Links::started(const ChannelPtr& control) {
  state_->processes.push_back(control);
  for (const RoleKind target : {RoleKind::kWarden, RoleKind::kScribe}) {
    if (may_connect(name(state_->own), target)) {
      state_->spawn(keep_connected(state_, control, target));
    }
  }
}

void Links::ended(const ChannelPtr& control) {
  std::erase(state_->processes, control);
  for (auto& link : state_->links) {
    if (link.process == control) link.channel->close();
  }
}

net::Task<void> Links::accept_all(std::shared_ptr<State> state) {
  for (;;) {
    const auto [error] =
        co_await state->listener.async_wait(asio::posix::stream_descriptor::wait_read, net::use_ec);
    if (error || state->closed) co_return;
    base::Fd peer(
        ::accept4(state->listener.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!peer || !is_trusted(peer.get()) || state->links.size() >= kMaxLinks) continue;
    auto link = std::make_shared<net::Channel>(state->io.get_executor(), std::move(peer));
    state->spawn(serve(state, std::move(link)));
  }
}

net::Task<void> Links::serve(std::shared_ptr<State> state, ChannelPtr link) {
  if (state->processes.empty()) co_return;  // closes the link: the peer tries again later
  const ChannelPtr process = state->processes.front();
  const auto place = state->links.insert(state->links.end(), {process, link});
  const bool greeted = link->send(ipc::RoleReady{}).has_value();
  while (greeted) {
    auto packet = co_await link->receive();
    if (!packet || !state->living(process)) break;
    const auto* peer = std::get_if<ipc::PeerConnected>(&packet->message);
    if (peer == nullptr || packet->descriptors.size() != 1 ||
        !may_connect(peer->role, state->own)) {
      state->log.error("unexpected {} on the socket of {}", ipc::name(packet->message),
                       name(state->own));
      break;
    }
    if (!process->send(packet->message, std::move(packet->descriptors))) break;
  }
  state->links.erase(place);
  link->close();
}

net::Task<void> Links::keep_connected(std::shared_ptr<State> state, ChannelPtr control,
                                      RoleKind target) {
  asio::steady_timer timer(state->io);
  std::chrono::milliseconds wait = kFirstWait;
  while (!state->closed && state->living(control)) {
    const base::Instant began = base::monotonic_now();
    co_await connect_once(state, control, target);
    if (base::monotonic_now() - began > kLongestWait) wait = kFirstWait;
    timer.expires_after(wait);
    co_await timer.async_wait(net::use_ec);
    wait = std::min(wait * 2, kLongestWait);
  }
}

// Returns when the link has ended, or at once if there was none.
net::Task<void> Links::connect_once(std::shared_ptr<State> state, ChannelPtr control,
                                    RoleKind target) {
  const auto address = address_of(state->folder, target);
  base::Fd socket = new_socket();
  if (!address || !socket) co_return;
  const auto* raw = reinterpret_cast<const sockaddr*>(&*address);
  if (::connect(socket.get(), raw, sizeof *address) != 0 || !is_trusted(socket.get())) co_return;
  auto link = std::make_shared<net::Channel>(state->io.get_executor(), std::move(socket));
  const auto place = state->links.insert(state->links.end(), {control, link});
  auto greeting = co_await link->receive();
  auto ends = net::channel_pair();
  if (greeting && ends && state->living(control)) {
    std::vector<base::Fd> theirs, ours;
    theirs.push_back(std::move(ends->first));
    ours.push_back(std::move(ends->second));
    const bool sent =
        link->send(ipc::PeerConnected{std::string(name(state->own))}, std::move(theirs)) &&
        control->send(ipc::PeerConnected{std::string(name(target))}, std::move(ours));
    if (sent) (void)co_await link->receive();  // its end is all that is waited for
  }
  state->links.erase(place);
  link->close();
}

}  // namespace sandtrap::app
