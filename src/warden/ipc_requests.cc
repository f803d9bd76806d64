// What the warden does for each request of a gate. Everything here was found permitted before.
#include <fmt/format.h>

#include "warden/ipc_server.h"
#include "warden/requests.h"
#include "warden/user_name.h"

namespace sandtrap::warden {
namespace {

// sshd closes a connection after 1024 authentication requests; an honest gate does so as well.
constexpr std::uint32_t kMaxAuthRequests = 1024;
constexpr std::uint32_t kMaxProcesses = 1000;
// A client may ask for proofs of the same key again and again in one packet; RSA takes
// milliseconds.
constexpr std::size_t kMaxProofs = 8;

Claimant claimant(const Session& session) {
  return Claimant{session.case_id, session.source_ip, session.id, session.source_port,
                  session.user};
}

}  // namespace

base::Status IpcServer::add_session(Gate& gate, Session session, const ipc::Message& message) {
  if (sessions_.size() >= limits_.max_sessions) {
    return base::fail(base::Errc::kDenied, "more sessions than all gates may have");
  }
  if (sessions_.find(session.id) != nullptr) {
    return base::fail(base::Errc::kDenied, "the session is known already");
  }
  if (auto permitted = session.permits.request(message); !permitted) return permitted;
  session.gate = gate.number;
  session.case_source = source_key(session.source_ip, limits_.ipv6_prefix);
  std::vector<cases::Key> keys{session.case_source};
  if (const auto* opened = std::get_if<ipc::SessionOpened>(&message);
      opened != nullptr && !opened->hassh.empty()) {
    keys.push_back({cases::KeyKind::kHassh, opened->hassh});
  }
  const cases::Opened opened = parts_.cases.open(keys, session.source_ip, base::wall_now());
  session.case_id = opened.id;
  const Session* added = sessions_.add(std::move(session));
  send(gate.number, ipc::CaseAssigned{added->id, added->case_id});
  if (opened.fresh) emit(*added, event::CaseOpened{{describe(added->case_source)}});
  return {};
}

base::Status IpcServer::on(Gate& gate, const ipc::SessionOpened& m) {
  ipc::PermitLimits permits;
  permits.max_auth_attempts = kMaxAuthRequests;
  permits.max_processes = kMaxProcesses;
  permits.max_channels = limits_.max_channels;
  return add_session(gate,
                     Session{m.session,
                             0,
                             m.source_ip,
                             m.local_ip,
                             m.source_port,
                             m.local_port,
                             {},
                             {},
                             {},
                             {},
                             {},
                             false,
                             0,
                             ipc::SessionPermits(permits)},
                     m);
}

base::Status IpcServer::on(Gate& gate, const ipc::SessionResumed& m) {
  // It skips the login: believed only from a gate that has just found its way to a new warden.
  if (base::monotonic_now() - gate.since > limits_.resume_window) {
    return base::fail(base::Errc::kDenied, "long after the link was made");
  }
  ipc::PermitLimits permits;
  permits.max_auth_attempts = kMaxAuthRequests;
  permits.max_processes = kMaxProcesses;
  permits.max_channels = limits_.max_channels;
  const std::string user = m.authenticated ? m.user : std::string();
  const base::Status added = add_session(gate,
                                         Session{m.session,
                                                 0,
                                                 m.source_ip,
                                                 {},
                                                 m.source_port,
                                                 0,
                                                 {},
                                                 user,
                                                 {},
                                                 {},
                                                 {},
                                                 true,
                                                 0,
                                                 ipc::SessionPermits(permits)},
                                         m);
  if (!added) return added;
  for (const std::uint32_t channel : m.channels) processes_.adopt(m.session, channel);
  if (m.authenticated) parts_.pool.resume(claimant(*sessions_.find(m.session)));
  return {};
}

base::Status IpcServer::on(Session& session, const ipc::Sign& m) {
  auto signature = parts_.keys.sign(m.key, m.algorithm, m.hash);
  if (!signature && signature.error().code == base::Errc::kDenied) {
    return tl::unexpected(signature.error());
  }
  ipc::Signed out{m.session, m.request, {}};
  if (signature) {
    out.signatures.push_back(std::move(*signature));
  } else {
    parts_.log.error("sign: {}", signature.error().context);
  }
  send(session.gate, out);
  return {};
}

base::Status IpcServer::on(Session& session, const ipc::Prove& m) {
  ipc::Signed out{m.session, m.request, {}};
  if (m.keys.size() <= kMaxProofs) {
    auto proofs = parts_.keys.prove(m.session_identifier, m.keys);
    if (!proofs && proofs.error().code == base::Errc::kDenied) {
      return tl::unexpected(proofs.error());
    }
    if (proofs) out.signatures = std::move(*proofs);
  }
  send(session.gate, out);
  return {};
}

void IpcServer::emit(const Session& session, const event::Body& body) {
  event::Context context;
  context.session = session.id;
  context.case_id = session.case_id;
  context.source_ip = session.source_ip;
  context.source_port = session.source_port;
  (void)parts_.events.emit(std::move(context), body);  // a full backlog reports itself
}

base::Status IpcServer::on(Session& session, const ipc::OpenProcess& m) {
  sandbox::ProcessSpec spec = to_spec(m);
  spec.user = session.user;
  spec.password_hash = session.password_hash;
  // sshd's own; unknown for a session that an earlier warden took in.
  spec.env.emplace_back("SSH_CLIENT", fmt::format("{} {} {}", session.source_ip,
                                                  session.source_port, session.local_port));
  if (!session.local_ip.empty()) {
    spec.env.emplace_back("SSH_CONNECTION",
                          fmt::format("{} {} {} {}", session.source_ip, session.source_port,
                                      session.local_ip, session.local_port));
  }
  processes_.open(claimant(session), m.channel, std::move(spec));
  return {};
}

base::Status IpcServer::on(Session&, const ipc::ResizeProcess& m) {
  processes_.resize(m);
  return {};
}

base::Status IpcServer::on(Session&, const ipc::SignalProcess& m) {
  if (const auto number = signal_number(m.name)) processes_.signal(m.session, m.channel, *number);
  return {};
}

base::Status IpcServer::on(Session&, const ipc::CloseProcess& m) {
  processes_.close(m.session, m.channel);
  return {};
}

base::Status IpcServer::on(Session& session, const ipc::RecordingNamed& m) {
  parts_.pool.add_recording(session.case_id, m.path);
  return {};
}

base::Status IpcServer::on(Session&, const ipc::SessionClosed& m) {
  end_session(m.session);
  return {};
}

}  // namespace sandtrap::warden
