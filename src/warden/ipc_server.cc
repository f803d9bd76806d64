#include "warden/ipc_server.h"

#include "warden/requests.h"

namespace sandtrap::warden {

IpcServer::IpcServer(net::asio::any_io_executor executor, Parts parts, Limits limits)
    : executor_(executor),
      parts_(parts),
      limits_(limits),
      tasks_(executor, parts.log),
      processes_(executor, parts.pool, *this, limits.exec_timeout, parts.log) {}

IpcServer::~IpcServer() = default;

void IpcServer::add_gate(base::Fd socket) {
  auto gate = std::make_shared<Gate>(next_gate_++, executor_, std::move(socket));
  const ipc::Welcome welcome{parts_.keys.public_keys(), parts_.keys.delay_secret()};
  if (auto sent = gate->channel.send(welcome); !sent) {
    parts_.log.warn("gate {}: {}", gate->number, sent.error().context);
    return;
  }
  gates_.emplace(gate->number, gate);
  tasks_.spawn("serve gate", serve(gate));
}

net::Task<void> IpcServer::serve(GateRef gate) {
  for (;;) {
    auto packet = co_await gate->channel.receive();
    if (!packet) {
      if (packet.error().code == base::Errc::kInvalid) {
        denied(*gate, "?", packet.error());
      }
      break;
    }
    base::Status done = base::fail(base::Errc::kDenied, "descriptors came with it");
    if (packet->descriptors.empty()) done = dispatch(*gate, packet->message);
    if (done) continue;
    denied(*gate, ipc::name(packet->message), done.error());
    break;
  }
  gate_gone(*gate);
}

void IpcServer::denied(Gate& gate, std::string_view request, const base::Error& error) {
  parts_.log.error("gate {}: denied {}: {}; its link is closed", gate.number, request,
                   error.context);
  // A full backlog reports itself.
  (void)parts_.events.emit({}, event::IpcDenied{"gate", std::string(request), error.context});
  gate.channel.close();
  if (on_denied_) on_denied_();
}

void IpcServer::gate_gone(Gate& gate) {
  gate.channel.close();
  for (const ipc::SessionId& id : sessions_.of_gate(gate.number)) end_session(id);
  gates_.erase(gate.number);
}

void IpcServer::close_gates() {
  for (const auto& [number, gate] : gates_) gate->channel.close();
}

void IpcServer::send(std::uint64_t gate, const ipc::Message& message, std::vector<base::Fd> fds) {
  const auto it = gates_.find(gate);
  if (it == gates_.end()) return;
  // A gate that reads nothing for 16 MiB, or is gone: its link ends, serve() sees it.
  net::Channel& channel = it->second->channel;
  const base::Status sent =
      fds.empty() ? channel.post(message) : channel.send(message, std::move(fds));
  if (sent) return;
  it->second->channel.close();
  if (sent.error().code == base::Errc::kLimit && on_denied_) on_denied_();
}

base::Status IpcServer::dispatch(Gate& gate, ipc::Message& message) {
  if (auto ok = check_request(message); !ok) return ok;
  if (const auto* opened = std::get_if<ipc::SessionOpened>(&message)) return on(gate, *opened);
  if (const auto* resumed = std::get_if<ipc::SessionResumed>(&message)) return on(gate, *resumed);

  return std::visit(
      [&](auto& m) -> base::Status {
        if constexpr (requires(Session & s) { this->on(s, m); }) {
          Session* session = sessions_.find(m.session);
          if (session == nullptr) return base::fail(base::Errc::kDenied, "an unknown session");
          if (session->gate != gate.number) {
            return base::fail(base::Errc::kDenied, "another gate's session");
          }
          const base::Status permitted = session->permits.request(message);
          if (permitted) return on(*session, m);
          if (permitted.error().code != base::Errc::kLimit) return permitted;
          return refuse_over_limit(gate, message);
        } else {
          return base::fail(base::Errc::kDenied, "not a gate's request");
        }
      },
      message);
}

base::Status IpcServer::refuse_over_limit(Gate& gate, const ipc::Message& message) {
  if (const auto* m = std::get_if<ipc::Sign>(&message)) {
    send(gate.number, ipc::Signed{m->session, m->request, {}});
  } else if (const auto* prove = std::get_if<ipc::Prove>(&message)) {
    send(gate.number, ipc::Signed{prove->session, prove->request, {}});
  } else if (const auto* login = std::get_if<ipc::Authenticate>(&message)) {
    send(gate.number, ipc::AuthDecision{login->session, login->request, false, "limit"});
  } else if (const auto* open = std::get_if<ipc::OpenProcess>(&message)) {
    send(gate.number, ipc::ProcessRefused{open->session, open->channel, "limit"});
  }
  return {};
}

void IpcServer::answer(const ipc::SessionId& id, std::uint32_t channel, const ipc::Message& message,
                       std::vector<base::Fd> descriptors, bool ended) {
  Session* session = sessions_.find(id);
  if (session == nullptr) return;
  if (ended) session->permits.process_ended(channel);
  send(session->gate, message, std::move(descriptors));
}

void IpcServer::watcher_lost(const ipc::SessionId& id) {
  const Session* session = sessions_.find(id);
  if (session != nullptr) send(session->gate, ipc::EndSession{id, "session process gone"});
}

void IpcServer::end_session(const ipc::SessionId& id) {
  Session* session = sessions_.find(id);
  if (session == nullptr) return;
  const CaseId case_id = session->case_id;
  sessions_.remove(id);
  processes_.end_session(id);
  parts_.pool.release(case_id, id);
  parts_.cases.close(case_id, base::wall_now());
  if (sessions_.size() == 0 && on_idle_) on_idle_();
}

void IpcServer::end_sessions(const std::string& reason) {
  for (const auto& [number, gate] : gates_) {
    for (const ipc::SessionId& id : sessions_.of_gate(number)) {
      send(number, ipc::EndSession{id, reason});
      processes_.end_session(id);
    }
  }
}

void IpcServer::resume_sandboxes() {
  for (const Session* session : sessions_.resumed()) {
    parts_.pool.resume(
        Claimant{session->case_id, session->source_ip, session->id, session->source_port});
  }
}

}  // namespace sandtrap::warden
