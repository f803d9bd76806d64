#include "gate/session_table.h"

#include <sys/socket.h>

#include <cstring>
#include <vector>

namespace sandtrap::gate {
namespace {

std::uint32_t draw_percent(base::Entropy& entropy) {
  std::uint8_t bytes[4];
  entropy.fill(bytes);
  std::uint32_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value % 100;
}

}  // namespace

SessionTable::SessionTable(Services& services)
    : services_(services), admission_(services.settings.server) {
  owner_.authenticated = [this](Session&) { admission_.authenticated(); };
  owner_.closed = [this](Session& session) { closed(session); };
}

void SessionTable::accept(Connection connection) {
  const Verdict verdict =
      admission_.admit(source_key(connection.remote.ip), draw_percent(services_.entropy));
  if (verdict != Verdict::kAdmit) return refuse(connection, verdict);
  auto session = std::make_shared<Session>(services_, owner_, persona_, std::move(connection));
  sessions_.emplace(session->id(), session);
  session->start();
}

void SessionTable::refuse(const Connection& connection, Verdict verdict) {
  // What sshd says at MaxStartups and PerSourceMaxStartups alike, in place of its banner.
  constexpr std::string_view kText = "Exceeded MaxStartups\r\n";
  ::send(connection.socket.get(), kText.data(), kText.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  event::Context context;
  context.source_ip = connection.remote.ip;
  context.source_port = connection.remote.port;
  services_.events.emit(context, event::ConnectionRefused{std::string(reason(verdict))});
}

void SessionTable::closed(Session& session) {
  admission_.closed(source_key(session.remote().ip), session.authenticated());
  sessions_.erase(session.id());
  if (sessions_.empty() && on_empty_) on_empty_();
}

Session* SessionTable::find(const ipc::SessionId& id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void SessionTable::for_each(const std::function<void(Session&)>& act) {
  std::vector<std::shared_ptr<Session>> all;
  all.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) all.push_back(session);
  for (const auto& session : all) act(*session);
}

void SessionTable::end_all(const std::string& reason) {
  for_each([&reason](Session& session) { session.end(reason); });
}

}  // namespace sandtrap::gate
