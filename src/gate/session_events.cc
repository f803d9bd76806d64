// What the SSH engine reports, as events; the parts that ask or run something are in
// session_auth.cc and session_programs.cc.
#include "gate/session.h"
#include "ssh/hassh.h"

namespace sandtrap::gate {

void Session::emit(const event::Body& body) {
  event::Context context;
  context.session = id_;
  context.case_id = case_id_;
  context.source_ip = remote_.ip;
  context.source_port = remote_.port;
  services_.events.emit(context, body);
}

void Session::drain_engine() {
  while (!closing_) {
    std::optional<ssh::Event> event = server_.next_event();
    if (!event) return;
    std::visit([this](auto& one) { handle(one); }, *event);
  }
}

void Session::handle(const ssh::ClientVersion& event) {
  emit(event::ClientVersion{event.line});
}

void Session::handle(const ssh::ClientKexInit& event) {
  emit(event::ClientKex{ssh::hassh(event), ssh::hassh_algorithms(event), event.kex, event.host_key,
                        event.enc_c2s, event.enc_s2c, event.mac_c2s, event.mac_s2c, event.comp_c2s,
                        event.comp_s2c, event.lang_c2s, event.lang_s2c});
}

void Session::handle(const ssh::KexDone& event) {
  emit(event::KexCompleted{event.kex, event.host_key, event.cipher_c2s, event.cipher_s2c,
                           event.mac_c2s, event.mac_s2c, !event.first});
}

void Session::handle(const ssh::Authenticated& event) {
  user_ = event.user;
  authenticated_ = true;
  owner_.authenticated(*this);
}

void Session::handle(const ssh::OtherChannelRequest& event) {
  emit(event::ChannelRequestSeen{event.channel, event.type});
}

void Session::handle(const ssh::ForwardRequest& event) {
  emit(event::ForwardAttempt{event.kind, event.host, event.port, event.originator, false});
}

void Session::handle(const ssh::GlobalRequest& event) {
  emit(event::GlobalRequestSeen{event.name});
}

void Session::handle(const ssh::Closed& event) {
  closing_ = event;
}

}  // namespace sandtrap::gate
