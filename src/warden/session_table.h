// The sessions (connections) that the gates have told us of. Values; owned by the ipc server.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "ipc/permissions.h"
#include "warden/case_keys.h"

namespace sandtrap::warden {

struct Session {
  ipc::SessionId id;
  std::uint64_t gate = 0;  // number of the link it came by
  std::string source_ip, local_ip;
  std::uint16_t source_port = 0, local_port = 0;
  CaseId case_id;
  std::string user;           // once authenticated
  std::string password_hash;  // of the password that the policy took: for the machine's own account
  cases::Key case_source;
  std::optional<cases::Match> lead;  // the case that the login under way would lead to
  bool resumed = false;
  std::uint32_t refused_logins = 0;
  ipc::SessionPermits permits;
};

class SessionTable {
 public:
  // nullptr: unknown.
  Session* find(const ipc::SessionId& id);
  // nullptr: the id is in use.
  Session* add(Session session);
  void remove(const ipc::SessionId& id) { sessions_.erase(id); }
  std::vector<ipc::SessionId> of_gate(std::uint64_t gate) const;
  std::vector<Session*> resumed();
  std::size_t size() const { return sessions_.size(); }

 private:
  std::unordered_map<ipc::SessionId, Session> sessions_;  // references stay valid
};

}  // namespace sandtrap::warden
