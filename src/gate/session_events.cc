// What the SSH engine reports, as events; the parts that ask or run something are in
// session_auth.cc and session_programs.cc.
#include "gate/session.h"
#include "gate/tcp_syn.h"
#include "ssh/hassh.h"

namespace sandtrap::gate {
namespace {

// "OpenSSH_9.2p1" of "SSH-2.0-OpenSSH_9.2p1 Debian-2" (RFC 4253 §4.2); empty if it is not so
// formed.
std::string software_of(std::string_view line) {
  if (!line.starts_with("SSH-")) return {};
  const std::size_t dash = line.find('-', 4);
  if (dash == std::string_view::npos) return {};
  return std::string(line.substr(dash + 1, line.find(' ', dash) - dash - 1));
}

}  // namespace

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

event::ConnectionOpened Session::opened_event() const {
  event::ConnectionOpened opened{local_.ip, local_.port, {}};
  if (const auto syn = parse_syn(syn_)) {
    opened.ja4t = ja4t(*syn);
    opened.ttl = syn->ttl;
    opened.syn_hex = base::to_hex(syn_);
  }
  return opened;
}

void Session::note_traffic() {
  if (const auto window = traffic_.close(socket_.acknowledgements())) {
    emit(event::TrafficSeen{window->number, ja4ssh(*window)});
  }
}

void Session::handle(const ssh::ClientVersion& event) {
  emit(event::ClientVersion{event.line, software_of(event.line)});
}

void Session::handle(const ssh::ClientKexInit& event) {
  hassh_ = ssh::hassh(event);
  emit(event::ClientKex{hassh_, ssh::hassh_algorithms(event), event.kex, event.host_key,
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
  emit(event::ForwardAttempt{event.kind, event.host, event.port, event.originator, event.accepted});
}

void Session::handle(const ssh::GlobalRequest& event) {
  emit(event::GlobalRequestSeen{event.name});
}

void Session::handle(const ssh::Closed& event) {
  closing_ = event;
}

}  // namespace sandtrap::gate
