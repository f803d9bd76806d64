// All live sessions of the gate, and who may join them. Owned by Gate; lives on its loop.
#pragma once

#include <boost/asio/steady_timer.hpp>
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
  void log_refusals();  // those that were only counted, at the end of everything
  bool empty() const { return sessions_.empty(); }
  std::size_t size() const { return sessions_.size(); }
  void on_empty(std::function<void()> callback) { on_empty_ = std::move(callback); }

 private:
  struct Entry {
    std::shared_ptr<Session> session;
    std::string source;  // as it was admitted
  };
  void refuse(const std::string& source, const Connection& connection, Verdict verdict);
  void log_refused(const RefusalLog::Entry& entry);
  void arm_refusals();
  void closed(Session& session);

  Services& services_;
  Admission admission_;
  RefusalLog refusals_;
  boost::asio::steady_timer refusal_timer_;
  bool refusals_armed_ = false;
  Session::Owner owner_;
  std::shared_ptr<const Persona> persona_;
  // The table owns; a session's own callbacks hold it while they run.
  std::unordered_map<ipc::SessionId, Entry> sessions_;
  std::function<void()> on_empty_;
};

}  // namespace sandtrap::gate
