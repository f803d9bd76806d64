// What the other roles say to a running gate.
#include <unistd.h>

#include <cerrno>

#include "gate/gate_process.h"
#include "gate/persona.h"

namespace sandtrap::gate {
namespace {

using base::Errc;
using base::Status;

constexpr std::size_t kMaxSettings = 1 << 20;  // bytes of text

base::Result<std::string> read_all(int fd) {
  std::string text;
  char block[4096];
  ::lseek(fd, 0, SEEK_SET);
  while (text.size() <= kMaxSettings) {
    const ssize_t n = ::read(fd, block, sizeof block);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno("read the settings", errno);
    if (n == 0) return text;
    text.append(block, static_cast<std::size_t>(n));
  }
  return base::fail(Errc::kLimit, "settings are too long");
}

}  // namespace

void GateProcess::connect(const ipc::PeerConnected& peer, std::vector<base::Fd> descriptors) {
  RoleLink* link = peer.role == "warden" ? &warden_ : peer.role == "scribe" ? &scribe_ : nullptr;
  if (link == nullptr || descriptors.size() != 1) {
    log_.error("the supervisor connects us with \"{}\" and {} descriptors", peer.role,
               descriptors.size());
    return;
  }
  // A replaced socket means a replaced process, whether or not we saw the old one's end.
  const bool replaced = link->up();
  link->connect(std::move(descriptors.front()));
  if (!replaced || !confined_ || link != &warden_) return;
  listener_.pause(Listener::kWardenGone);
  sessions_.for_each([](Session& session) { session.warden_lost(); });
}

void GateProcess::read_warden() {
  RoleLink::Handlers handlers;
  handlers.message = [this](net::Packet packet) { from_warden(std::move(packet)); };
  handlers.lost = [this] {
    listener_.pause(Listener::kWardenGone);
    sessions_.for_each([](Session& session) { session.warden_lost(); });
  };
  warden_.start_reading(handlers);
}

void GateProcess::read_scribe() {
  RoleLink::Handlers handlers;
  handlers.message = [this](net::Packet packet) { from_scribe(std::move(packet)); };
  handlers.lost = [] {};  // open files stay open; new recordings wait for the next one
  scribe_.start_reading(handlers);
  if (!scribe_.up()) greet_scribe();
}

void GateProcess::greet_scribe() {
  scribe_.greeted();
  scribe_.send(ipc::OpenEventLog{});
  const std::vector<std::string> unfinished = std::move(services_.unfinished);
  services_.unfinished.clear();
  for (const std::string& path : unfinished) services_.finish_recording(path);
  sessions_.for_each([](Session& session) { session.scribe_back(); });
}

Status GateProcess::welcome(ipc::Welcome message) {
  if (message.host_keys.empty()) {
    return base::fail(Errc::kInvalid, "the warden brought no host key");
  }
  sessions_.set_persona(
      std::make_shared<const Persona>(persona_for(settings_, std::move(message), moduli_)));
  warden_.greeted();
  sessions_.for_each([](Session& session) { session.warden_back(); });
  if (draining_) return {};
  listener_.listen_on(std::exchange(listening_, {}));
  listener_.resume(Listener::kWardenGone);
  return {};
}

void GateProcess::from_warden(net::Packet packet) {
  std::visit(
      [this, &packet](auto& message) {
        using Message = std::decay_t<decltype(message)>;
        if constexpr (std::is_same_v<Message, ipc::Welcome>) {
          const Status ok = welcome(std::move(message));
          if (!ok) log_.error("{}", ok.error().context);
        } else if constexpr (std::is_same_v<Message, ipc::ProcessOpened>) {
          if (Session* session = sessions_.find(message.session)) {
            session->on(std::move(message), std::move(packet.descriptors));
          }
        } else if constexpr (requires(Session & session) { session.on(message); }) {
          if (Session* session = sessions_.find(message.session)) session->on(message);
        } else {
          log_.error("the warden sent {}", ipc::name(packet.message));
        }
      },
      packet.message);
}

void GateProcess::from_scribe(net::Packet packet) {
  if (std::holds_alternative<ipc::EventLogOpened>(packet.message)) {
    if (packet.descriptors.size() == 1) events_.attach(std::move(packet.descriptors.front()));
  } else if (const auto* opened = std::get_if<ipc::RecordingOpened>(&packet.message)) {
    Session* session = sessions_.find(opened->session);
    if (session != nullptr) return session->on(*opened, std::move(packet.descriptors));
    services_.finish_recording(opened->path);  // nobody is left to write it
  } else if (const auto* refused = std::get_if<ipc::RecordingRefused>(&packet.message)) {
    if (Session* session = sessions_.find(refused->session)) session->on(*refused);
  } else {
    log_.error("the scribe sent {}", ipc::name(packet.message));
  }
}

// What a running gate can change; new sessions see it.
std::pair<std::string, std::string> GateProcess::reload(std::vector<base::Fd> descriptors) {
  if (descriptors.size() != 1) return {"", "settings were not sent"};
  const auto text = read_all(descriptors.front().get());
  if (!text) return {"", text.error().context};
  config::LoadResult loaded = config::load(*text, "settings");
  if (!loaded.problems.empty()) return {"", config::to_string(loaded.problems.front())};
  config::Server& now = settings_.server;
  const config::Server& next = loaded.settings.server;
  now.max_startups = next.max_startups;
  now.max_connections_per_source = next.max_connections_per_source;
  now.max_connections = next.max_connections;
  now.source_rate = next.source_rate;
  now.source_burst = next.source_burst;
  now.source_ipv6_prefix = next.source_ipv6_prefix;
  now.idle_timeout = next.idle_timeout;
  now.session_limit = next.session_limit;
  settings_.recording.record_input = loaded.settings.recording.record_input;
  settings_.recording.max_bytes = loaded.settings.recording.max_bytes;
  sessions_.configure(now);
  return {"connection limits, idle_timeout, session_limit, record_input, recording.max_bytes", ""};
}

}  // namespace sandtrap::gate
