// All live sessions of the gate, and who may join them. Owned by Gate; lives on its loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "gate/listener.h"
#include "gate/services.h"
#include "gate/session.h"
#include "gate/startups.h"

namespace sandtrap::gate {

class SessionTable {
 public:
  explicit SessionTable(Services& services);
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  void set_persona(std::shared_ptr<const Persona> persona) { persona_ = std::move(persona); }
  void configure(const config::Server& limits) { admission_.configure(limits); }
  void accept(Connection connection);

  Session* find(const ipc::SessionId& id);
  // `act` may end any session.
  void for_each(const std::function<void(Session&)>& act);
  void end_all(const std::string& reason);
  bool empty() const { return sessions_.empty(); }
  std::size_t size() const { return sessions_.size(); }
  void on_empty(std::function<void()> callback) { on_empty_ = std::move(callback); }

 private:
  void refuse(const Connection& connection, Verdict verdict);
  void closed(Session& session);

  Services& services_;
  Admission admission_;
  Session::Owner owner_;
  std::shared_ptr<const Persona> persona_;
  // The table owns; a session's own callbacks hold it while they run.
  std::unordered_map<ipc::SessionId, std::shared_ptr<Session>> sessions_;
  std::function<void()> on_empty_;
};

}  // namespace sandtrap::gate
