// Forwardings: what programs find of those that were granted, and the channel to ourselves.
#include <fmt/format.h>

#include "gate/loopback.h"
#include "gate/session.h"

namespace sandtrap::gate {
namespace {

// Questions of a loopback have numbers of their own: the session's engine counts from 1.
constexpr std::uint32_t kLoopbackRequest = 1U << 31;
constexpr std::uint32_t kMaxSignatures = 1000;
constexpr std::string_view kLetters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

std::string random_letters(base::Entropy& entropy, std::size_t count) {
  std::string out;
  while (out.size() < count) {
    std::uint8_t byte = 0;
    entropy.fill({&byte, 1});
    if (byte < 4 * kLetters.size()) out += kLetters[byte % kLetters.size()];
  }
  return out;
}

}  // namespace

// As sshd's mkdtemp(3) and its process number; the socket itself is made where the program runs.
void Session::handle(const ssh::AgentRequest& event) {
  emit(event::ChannelRequestSeen{event.channel, "auth-agent-req@openssh.com"});
  std::uint8_t draw[2];
  services_.entropy.fill(draw);
  const int pid = 400 + (draw[0] << 8 | draw[1]) % 3000;
  agent_socket_ = fmt::format("/tmp/ssh-{}/agent.{}", random_letters(services_.entropy, 10), pid);
}

void Session::handle(const ssh::X11Request& event) {
  emit(event::ChannelRequestSeen{event.channel, "x11-req"});
  Program* program = find(event.channel);
  if (program == nullptr) return;
  program->display = fmt::format("localhost:{}.{}", event.display, event.screen);
}

// What sshd adds to the environment of a program for its forwardings.
std::vector<std::pair<std::string, std::string>> Session::environment(
    const Program& program) const {
  auto env = program.env;
  if (!program.display.empty()) env.emplace_back("DISPLAY", program.display);
  if (!agent_socket_.empty()) env.emplace_back("SSH_AUTH_SOCK", agent_socket_);
  return env;
}

void Session::handle(const ssh::DirectOpened& event) {
  const ssh::ChannelId channel = event.channel;
  Loopback::Owner owner;
  owner.output = [this, channel](base::ByteView data) {
    return server_.channel_output(channel, ssh::Stream::kOutput, data);
  };
  owner.ended = [this, channel] { server_.channel_output_eof(channel); };
  owner.sign = [this, channel](const ssh::SignNeeded& needed) { sign_for(channel, needed); };
  owner.refused = [this](const ssh::AuthAttempt& attempt) {
    log_attempt(attempt, since_last_attempt(), false, "loopback");
  };
  const auto [entry, added] = loopbacks_.insert_or_assign(
      channel, std::make_unique<Loopback>(persona_, services_.entropy, std::move(owner)));
  entry->second->turn();
}

void Session::sign_for(ssh::ChannelId channel, const ssh::SignNeeded& needed) {
  if (++loopback_signatures_ > kMaxSignatures) return doom("too many key exchanges", false);
  ipc::Sign sign;
  sign.session = id_;
  sign.request = kLoopbackRequest | loopback_signatures_;
  sign.key = static_cast<std::uint32_t>(needed.host_key);
  sign.algorithm = needed.algorithm;
  sign.hash = needed.data;
  loopback_questions_[sign.request] = {channel, needed.id};
  ask({std::move(sign), {}});
}

// True where the signature was for a loopback.
bool Session::answer_loopback(const ipc::Signed& message) {
  const auto found = loopback_questions_.find(message.request);
  if (found == loopback_questions_.end()) return false;
  const auto [channel, id] = found->second;
  loopback_questions_.erase(found);
  const auto loopback = loopbacks_.find(channel);
  if (loopback != loopbacks_.end()) {
    const base::Bytes none;
    loopback->second->signature(id, message.signatures.empty() ? none : message.signatures.front());
  }
  return true;
}

}  // namespace sandtrap::gate
