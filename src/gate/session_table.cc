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
    : services_(services), admission_(services.settings.server), refusal_timer_(services.executor) {
  owner_.authenticated = [this](Session&) { admission_.authenticated(); };
  owner_.closed = [this](Session& session) { closed(session); };
}

void SessionTable::accept(Connection connection) {
  std::string source = admission_.source_of(connection.remote.ip);
  const Verdict verdict =
      admission_.admit(source, draw_percent(services_.entropy), base::monotonic_now());
  if (verdict != Verdict::kAdmit) return refuse(source, connection, verdict);
  auto session = std::make_shared<Session>(services_, owner_, persona_, std::move(connection));
  sessions_.emplace(session->id(), Entry{session, std::move(source)});
  session->start();
}

void SessionTable::refuse(const std::string& source, const Connection& connection,
                          Verdict verdict) {
  // What sshd says at MaxStartups and PerSourceMaxStartups alike, in place of its banner. The
  // sshd of our personas (before 9.8) knows no other refusal.
  constexpr std::string_view kText = "Exceeded MaxStartups\r\n";
  ::send(connection.socket.get(), kText.data(), kText.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  const RefusalLog::Entry entry{connection.remote.ip, connection.remote.port,
                                std::string(reason(verdict))};
  if (refusals_.note(source, entry, base::monotonic_now())) log_refused(entry);
  arm_refusals();
}

void SessionTable::log_refused(const RefusalLog::Entry& entry) {
  event::Context context;
  context.source_ip = entry.ip;
  context.source_port = entry.port;
  services_.events.emit(context, event::ConnectionRefused{entry.reason, entry.count});
}

void SessionTable::arm_refusals() {
  const auto next = refusals_.next_due();
  if (refusals_armed_ || !next) return;
  refusals_armed_ = true;
  refusal_timer_.expires_at(boost::asio::steady_timer::time_point((*next).time_since_epoch()));
  refusal_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    refusals_armed_ = false;
    for (const RefusalLog::Entry& entry : refusals_.due(base::monotonic_now())) log_refused(entry);
    arm_refusals();
  });
}

void SessionTable::log_refusals() {
  refusal_timer_.cancel();
  for (const RefusalLog::Entry& entry : refusals_.rest()) log_refused(entry);
}

void SessionTable::closed(Session& session) {
  const auto found = sessions_.find(session.id());
  admission_.closed(found->second.source, session.authenticated());
  sessions_.erase(found);
  if (sessions_.empty() && on_empty_) on_empty_();
}

Session* SessionTable::find(const ipc::SessionId& id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.session.get();
}

void SessionTable::for_each(const std::function<void(Session&)>& act) {
  std::vector<std::shared_ptr<Session>> all;
  all.reserve(sessions_.size());
  for (const auto& [id, entry] : sessions_) all.push_back(entry.session);
  for (const auto& session : all) act(*session);
}

void SessionTable::end_all(const std::string& reason) {
  for_each([&reason](Session& session) { session.end(reason); });
}

}  // namespace sandtrap::gate
