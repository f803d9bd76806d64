// Forwardings of a connection: those that fail after a while, and the listeners that nobody ever
// connects to.
#include <algorithm>
#include <utility>

#include "ssh/channel_messages.h"
#include "ssh/connection.h"

namespace sandtrap::ssh {
namespace {

constexpr std::uint32_t kConnectFailed = 2;
constexpr std::uint32_t kFirstDisplay = 10;  // X11DisplayOffset
constexpr std::uint32_t kFirstUnprivilegedPort = 1024;

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {};
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

}  // namespace

void Connection::connect_later(std::uint32_t remote_id, const ForwardVerdict& verdict) {
  Pending pending{remote_id, verdict, {}, {}};
  if (verdict.lookup > base::Duration::zero()) {
    lookup_ = pending;
    return;
  }
  pending.number = take_number();
  if (!pending.number) return send_refusal(remote_id, {kConnectFailed, "open failed"});
  connecting_.push_back(pending);
}

// To a connection through us to ourselves: a channel whose other end is our own server.
bool Connection::open_direct(Channel::Opening opening) {
  const std::optional<ChannelId> id = take_number();
  if (!id) {
    send_refusal(opening.remote_id, {kConnectFailed, "open failed"});
    return false;
  }
  opening.id = *id;
  slots_[*id].channel = std::make_unique<Channel>(opening, profile_, sink_, sends_eow_);
  slots_[*id].channel->opened_direct();
  sink_.send(Writer(message::kChannelOpenConfirmation)
                 .u32(opening.remote_id)
                 .u32(*id)
                 .u32(profile_.window)
                 .u32(profile_.max_packet)
                 .view());
  events_.emplace_back(DirectOpened{*id});
  return true;
}

// Packets carry no time: the first tick behind one starts what it asked for.
std::optional<Instant> Connection::forward_deadline() const {
  std::optional<Instant> next;
  const auto consider = [&next](const Pending& pending) {
    const Instant due = pending.due.value_or(Instant{});
    if (!next || due < *next) next = due;
  };
  if (lookup_) consider(*lookup_);
  for (const Pending& pending : connecting_) consider(pending);
  return next;
}

void Connection::tick_forwards(Instant now) {
  if (lookup_) {
    if (!lookup_->due) lookup_->due = now + lookup_->verdict.lookup;
    if (now >= *lookup_->due) {
      Pending done = *lookup_;
      lookup_.reset();
      done.verdict.lookup = {};
      if (done.verdict.connect == base::Duration::zero()) {
        send_refusal(done.remote_id, {done.verdict.reason, done.verdict.text});
      } else {
        connect_later(done.remote_id, done.verdict);
      }
    }
  }
  for (std::size_t i = 0; i < connecting_.size();) {
    Pending& pending = connecting_[i];
    if (!pending.due) pending.due = now + pending.verdict.connect;
    if (now < *pending.due) {
      ++i;
      continue;
    }
    send_refusal(pending.remote_id, {pending.verdict.reason, pending.verdict.text});
    slots_[*pending.number] = {};
    connecting_.erase(connecting_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

std::vector<ChannelId> Connection::take_numbers(std::size_t count) {
  std::vector<ChannelId> numbers;
  for (std::size_t i = 0; i < count; ++i) {
    if (const std::optional<ChannelId> id = take_number()) numbers.push_back(*id);
  }
  if (numbers.size() < count) release(std::exchange(numbers, {}));
  return numbers;
}

std::uint32_t Connection::free_display() const {
  const auto used = [this](std::uint32_t display) {
    return std::any_of(slots_.begin(), slots_.end(), [display](const Slot& slot) {
      return slot.channel && slot.channel->display == display;
    });
  };
  std::uint32_t display = kFirstDisplay;
  while (used(display)) ++display;
  return display;
}

void Connection::release(const std::vector<ChannelId>& numbers) {
  for (const ChannelId id : numbers) slots_[id] = {};
}

// sshd takes addresses and paths as C strings: a NUL in one ends the connection.
Connection::Answer Connection::forward_request(std::string_view name, Reader& in, bool want_reply) {
  const bool streamlocal = name.find("streamlocal") != std::string_view::npos;
  ForwardRequest request{std::string(name), std::string(in.text()), 0, {}, false};
  if (!streamlocal) request.port = in.u32();
  if (!in.ok() || request.host.find('\0') != std::string::npos) return Answer::kMalformed;
  Answer answer = Answer::kFailure;
  if (name.starts_with("cancel-")) {
    answer = cancel_forward(request, streamlocal);
  } else {
    answer = streamlocal ? streamlocal_forward(request) : tcpip_forward(request, want_reply);
  }
  request.accepted = answer != Answer::kFailure;
  events_.emplace_back(std::move(request));
  return answer;
}

Connection::Answer Connection::tcpip_forward(const ForwardRequest& request, bool want_reply) {
  const bool privileged = request.port != 0 && request.port < kFirstUnprivilegedPort;
  if (profile_.no_port_forwarding || (request.port == 0 && !want_reply) ||
      (privileged && peer_.user != "root")) {
    send_debug("Server has disabled port forwarding.");
    return Answer::kFailure;
  }
  std::uint32_t port = request.port;
  const std::size_t sockets = listeners_.add_tcp(request.host, port, entropy_);
  if (sockets == 0) return Answer::kFailure;
  listeners_.last().channels = take_numbers(sockets);
  if (request.port != 0) return Answer::kSuccess;
  sink_.send(Writer(message::kRequestSuccess).u32(port).view());
  return Answer::kLater;
}

Connection::Answer Connection::streamlocal_forward(const ForwardRequest& request) {
  if (profile_.no_port_forwarding) {
    send_debug("Server has disabled streamlocal forwarding.");
    return Answer::kFailure;
  }
  // bind(2) needs a folder that exists; a relative path is below the home, where sshd stands.
  const std::string_view folder = folder_of(request.host);
  const std::string home = peer_.user == "root" ? "/root" : "/home/" + peer_.user;
  const bool exists = folder.empty() || folder == home ||
                      std::find(profile_.socket_folders.begin(), profile_.socket_folders.end(),
                                folder) != profile_.socket_folders.end();
  if (!exists || listeners_.add_unix(request.host) == 0) return Answer::kFailure;
  listeners_.last().channels = take_numbers(1);
  return Answer::kSuccess;
}

Connection::Answer Connection::cancel_forward(const ForwardRequest& request, bool streamlocal) {
  const auto removed = streamlocal ? listeners_.remove_unix(request.host)
                                   : listeners_.remove_tcp(request.host, request.port);
  if (!removed) return Answer::kFailure;
  release(removed->channels);
  return Answer::kSuccess;
}

}  // namespace sandtrap::ssh
