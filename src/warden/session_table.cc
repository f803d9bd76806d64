#include "warden/session_table.h"

namespace sandtrap::warden {

Session* SessionTable::find(const ipc::SessionId& id) {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : &it->second;
}

Session* SessionTable::add(Session session) {
  ipc::SessionId id = session.id;
  const auto [it, added] = sessions_.try_emplace(std::move(id), std::move(session));
  return added ? &it->second : nullptr;
}

std::vector<ipc::SessionId> SessionTable::of_gate(std::uint64_t gate) const {
  std::vector<ipc::SessionId> out;
  for (const auto& [id, session] : sessions_) {
    if (session.gate == gate) out.push_back(id);
  }
  return out;
}

std::vector<Session*> SessionTable::resumed() {
  std::vector<Session*> out;
  for (auto& [id, session] : sessions_) {
    if (session.resumed) out.push_back(&session);
  }
  return out;
}

}  // namespace sandtrap::warden
