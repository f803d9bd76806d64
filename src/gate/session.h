// One connection: owns the client's socket and the SSH engine, carries the engine's questions to
// the other roles and their answers back, and logs what happens. Callbacks only, no coroutine: an
// idle session is this object, the engine and one wait. Owned by the session table.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "event/event.h"
#include "gate/client_socket.h"
#include "gate/listener.h"
#include "gate/program.h"
#include "gate/services.h"
#include "gate/traffic_profile.h"

namespace sandtrap::gate {

class Loopback;

class Session final : public std::enable_shared_from_this<Session>, private ChannelPort {
 public:
  struct Owner {  // called from inside a session's callback; may drop the session
    std::function<void(Session&)> authenticated;
    std::function<void(Session&)> closed;
  };

  Session(Services& services, const Owner& owner, std::shared_ptr<const Persona> persona,
          Connection connection);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start();
  const ipc::SessionId& id() const { return id_; }
  const Endpoint& remote() const { return remote_; }
  bool authenticated() const { return authenticated_; }

  // From the warden.
  void on(const ipc::CaseAssigned& message);
  void on(const ipc::Signed& message);
  void on(const ipc::AuthDecision& message);
  void on(ipc::ProcessOpened message, std::vector<base::Fd> descriptors);
  void on(const ipc::ProcessRefused& message);
  void on(const ipc::ProcessExited& message);
  void on(const ipc::EndSession& message);
  // From the scribe.
  void on(const ipc::RecordingOpened& message, std::vector<base::Fd> descriptors);
  void on(const ipc::RecordingRefused& message);

  void warden_lost();
  void warden_back();  // tells the new one who we are, and asks again what was not answered
  void scribe_back();

  // Closes the connection without a word, as sshd does when it is terminated.
  void end(std::string reason);

 private:
  struct Question {  // to the warden, unanswered
    ipc::Message message;
    std::optional<ssh::AuthAttempt> attempt;
    std::uint64_t after_ms = 0;  // of the attempt
  };

  // session.cc: sockets, time, turns
  void turn();
  void read_some();
  bool read_once();
  void flush();
  bool feed_starved();
  void arm();
  void arm_timer();
  std::optional<base::Instant> next_deadline() const;
  void on_timer();
  void doom(std::string reason, bool by_peer);
  event::ConnectionOpened opened_event() const;
  void note_traffic();
  void finish();
  void close_programs();

  // session_events.cc: what the engine reports
  void drain_engine();
  void handle(const ssh::ClientVersion& event);
  void handle(const ssh::ClientKexInit& event);
  void handle(const ssh::KexDone& event);
  void handle(const ssh::Authenticated& event);
  void handle(const ssh::OtherChannelRequest& event);
  void handle(const ssh::ForwardRequest& event);
  void handle(const ssh::GlobalRequest& event);
  void handle(const ssh::Closed& event);
  void emit(const event::Body& body);

  // session_auth.cc: questions to the warden before and beside the programs
  void handle(const ssh::SignNeeded& event);
  void handle(const ssh::ProveNeeded& event);
  void handle(ssh::AuthAttempt& event);
  void announce();
  void resume();
  void ask(Question question);
  std::optional<Question> take_question(std::uint32_t request, bool authentication);
  void log_attempt(const ssh::AuthAttempt& attempt, std::uint64_t after_ms, bool accepted,
                   const std::string& decided_by);
  std::uint64_t since_last_attempt();
  void fail_questions();

  // session_programs.cc: channels and what runs on them
  void handle(const ssh::ChannelOpened& event);
  void handle(const ssh::PtyRequest& event);
  void handle(const ssh::EnvRequest& event);
  void handle(const ssh::ProgramRequest& event);
  void handle(const ssh::WindowChange& event);
  void handle(const ssh::SignalRequest& event);
  void handle(const ssh::BreakRequest& event);
  void handle(const ssh::ChannelInput& event);
  void handle(const ssh::ChannelEof& event);
  void handle(const ssh::ChannelClosed& event);
  Program* find(ssh::ChannelId channel);
  void refuse(Program& program, std::string_view reason);
  void abandon(Program& program);
  void exited(Program& program, const ipc::ProcessExited& exit);
  void end_program(Program& program);

  // session_recording.cc: from an open program to a running one
  void open_recording(Program& program);
  record::Header recording_header(const Program& program) const;
  void run(Program& program, std::optional<RecordingWriter> recording);

  // session_forward.cc: forwardings
  void handle(const ssh::AgentRequest& event);
  void handle(const ssh::X11Request& event);
  void handle(const ssh::DirectOpened& event);
  std::vector<std::pair<std::string, std::string>> environment(const Program& program) const;
  void sign_for(ssh::ChannelId channel, const ssh::SignNeeded& needed);
  bool answer_loopback(const ipc::Signed& message);

  // ChannelPort
  std::size_t room(ssh::ChannelId channel) override;
  std::size_t output(ssh::ChannelId channel, ssh::Stream stream, base::ByteView data) override;
  void consumed(ssh::ChannelId channel, std::size_t n) override;
  void output_ended(ssh::ChannelId channel, std::size_t recent) override;
  void input_closed(ssh::ChannelId channel) override;
  void failed(ssh::ChannelId channel, const base::Error& error) override;
  bool hold_input(std::int64_t difference) override;
  void settle() override;

  Services& services_;
  const Owner& owner_;
  const std::shared_ptr<const Persona> persona_;
  const ipc::SessionId id_;
  const Endpoint remote_, local_;
  const base::Bytes syn_;
  const base::Instant opened_;
  base::Instant last_activity_, last_attempt_;
  ClientSocket socket_;
  TrafficProfile traffic_;
  ssh::Server server_;
  boost::asio::steady_timer timer_;
  std::optional<base::Instant> armed_;  // when the timer fires

  std::string case_id_, user_, hassh_;
  std::vector<Question> questions_;
  std::map<ssh::ChannelId, Program> programs_;
  std::map<ssh::ChannelId, std::unique_ptr<Loopback>> loopbacks_;
  std::map<std::uint32_t, std::pair<ssh::ChannelId, std::uint32_t>> loopback_questions_;
  std::uint32_t loopback_signatures_ = 0;
  std::string agent_socket_;
  std::uint64_t warden_ = 0;  // counts the wardens we have seen
  std::optional<base::Instant> warden_deadline_, linger_deadline_;

  std::uint64_t bytes_in_ = 0, bytes_out_ = 0;
  std::uint32_t auth_attempts_ = 0, auth_asked_ = 0, signatures_ = 0, channels_ = 0,
                programs_opened_ = 0;
  std::size_t read_hint_;
  bool reading_ = false, writing_ = false, in_turn_ = false;
  bool announced_ = false;  // the warden knows this session
  bool authenticated_ = false, interactive_set_ = false, finished_ = false;
  std::optional<ssh::Closed> closing_;  // the engine or we have decided
  bool silent_ = false;                 // what is still to be sent is not sent
};

}  // namespace sandtrap::gate
