// GLOBAL_REQUESTs (RFC 4254 §4 and OpenSSH's PROTOCOL): host key announcement and proofs,
// no-more-sessions. Forwardings are in connection_forward.cc.
#include <algorithm>

#include "ssh/channel_messages.h"
#include "ssh/connection.h"

namespace sandtrap::ssh {
namespace {

// More blobs than this in one hostkeys-prove are not a client's update of its known hosts, and each
// costs a signature.
constexpr std::size_t kMaxProofs = 16;

bool is_rsa_algorithm(std::string_view name) {
  return name == "ssh-rsa" || name == "rsa-sha2-256" || name == "rsa-sha2-512";
}

}  // namespace

void Connection::announce_host_keys() {
  if (!client_takes_host_keys(peer_.client_software)) return;
  Writer w(message::kGlobalRequest);
  w.string("hostkeys-00@openssh.com").boolean(false);
  for (const HostKey& key : keys_) w.string(key.blob);
  sink_.send(w.view());
}

void Connection::tell_key_options(std::uint32_t times) {
  const std::string home = peer_.user == "root" ? "/root" : "/home/" + peer_.user;
  const std::string text = home + "/.ssh/authorized_keys" + profile_.key_debug;
  for (std::uint32_t i = 0; i < times; ++i) send_debug(text);
}

void Connection::answer_global(bool want_reply, bool success) {
  if (!want_reply) return;
  sink_.send(Writer(success ? message::kRequestSuccess : message::kRequestFailure).view());
}

void Connection::global_request(Reader in) {
  const std::string_view name = in.text();
  const bool want_reply = in.boolean();
  if (!in.ok()) return malformed("global request");
  Answer answer = Answer::kFailure;
  if (name == "tcpip-forward" || name == "cancel-tcpip-forward" ||
      name == "streamlocal-forward@openssh.com" ||
      name == "cancel-streamlocal-forward@openssh.com") {
    answer = forward_request(name, in, want_reply);
  } else if (name == "hostkeys-prove-00@openssh.com") {
    answer = prove_host_keys(in, want_reply);
  } else {
    if (name == "no-more-sessions@openssh.com") {
      no_more_sessions_ = true;
      answer = Answer::kSuccess;
    }
    events_.emplace_back(GlobalRequest{std::string(name)});
  }
  if (answer == Answer::kMalformed) return malformed("global request");
  if (answer != Answer::kLater) answer_global(want_reply, answer == Answer::kSuccess);
}

// sshd signs with the algorithm of the key exchange if that was RSA, else with the best one that
// the client listed.
std::string Connection::rsa_signature_algorithm() const {
  if (is_rsa_algorithm(peer_.host_key_algorithm)) return peer_.host_key_algorithm;
  const std::vector<std::string_view> offered = split_names(peer_.host_key_algorithms);
  for (const std::string_view name : {"rsa-sha2-512", "rsa-sha2-256"}) {
    if (std::find(offered.begin(), offered.end(), name) != offered.end()) return std::string(name);
  }
  return "ssh-rsa";
}

Connection::Answer Connection::prove_host_keys(Reader& in, bool want_reply) {
  ProveNeeded needed{prove_id_ + 1, peer_.session_identifier, {}};
  while (in.ok() && in.left() > 0) {
    const ByteView blob = in.string();
    const auto key = std::find_if(keys_.begin(), keys_.end(), [blob](const HostKey& k) {
      return std::equal(k.blob.begin(), k.blob.end(), blob.begin(), blob.end());
    });
    if (!in.ok() || key == keys_.end() || needed.keys.size() == kMaxProofs) {
      return Answer::kFailure;
    }
    needed.keys.emplace_back(static_cast<std::size_t>(key - keys_.begin()),
                             key->type == "ssh-rsa" ? rsa_signature_algorithm() : key->type);
  }
  if (needed.keys.empty() || !want_reply) return Answer::kSuccess;
  ++prove_id_;
  proving_ = true;
  prove_count_ = needed.keys.size();
  events_.emplace_back(std::move(needed));
  return Answer::kLater;
}

void Connection::submit_proofs(std::uint32_t id, const std::vector<Bytes>& signatures) {
  if (!proving_ || id != prove_id_) return;
  proving_ = false;
  if (signatures.size() != prove_count_) return answer_global(true, false);
  Writer w(message::kRequestSuccess);
  for (const Bytes& signature : signatures) w.string(signature);
  sink_.send(w.view());
}

}  // namespace sandtrap::ssh
