// Method publickey (RFC 4252 §7) and OpenSSH's publickey-hostbound-v00@openssh.com, which binds the
// signature to the server's host key.
#include <algorithm>

#include "crypto/public_key.h"
#include "ssh/auth.h"
#include "ssh/channel_messages.h"

namespace sandtrap::ssh {
namespace {

constexpr std::string_view kHostBound = "publickey-hostbound-v00@openssh.com";

// The key, if sshd would take one of this algorithm at all.
std::optional<crypto::PublicKey> usable_key(const Profile& profile, std::string_view algorithm,
                                            ByteView blob) {
  const NameList& accepted = profile.accepted_user_key_algorithms;
  if (std::find(accepted.begin(), accepted.end(), algorithm) == accepted.end()) return std::nullopt;
  if (blob.size() > crypto::kMaxKeyBlob) return std::nullopt;
  base::Result<crypto::PublicKey> key = crypto::PublicKey::parse(blob);
  if (!key || key->type() != crypto::key_type_of(algorithm)) return std::nullopt;
  return std::move(*key);
}

}  // namespace

Bytes Auth::signed_data(std::string_view algorithm, ByteView blob, bool host_bound) const {
  Writer w;
  w.string(session_identifier_).byte(message::kUserauthRequest);
  w.string(signed_user_).string(service_).string(host_bound ? kHostBound : "publickey");
  w.boolean(true).string(algorithm).string(blob);
  if (host_bound) w.string(host_key_blob_);
  return w.take();
}

void Auth::method_key(Reader& in, Instant now, bool host_bound) {
  const bool has_signature = in.boolean();
  const std::string_view algorithm = in.text();
  const ByteView blob = in.string();
  const ByteView host_key = host_bound ? in.string() : ByteView(host_key_blob_);
  if (!in.ok()) return malformed();
  if (!std::equal(host_key.begin(), host_key.end(), host_key_blob_.begin(), host_key_blob_.end())) {
    return sink_.close_silently("publickey bound to another host key");
  }
  method_ = has_signature ? Method::kKeySigned : Method::kKeyQuery;
  KeyCredential credential{std::string(algorithm), Bytes(blob.begin(), blob.end()),
                           crypto::fingerprint(blob), has_signature, false};
  const std::optional<crypto::PublicKey> key = usable_key(profile_, algorithm, blob);
  if (!key) {  // sshd does not look at what follows
    attempt(std::move(credential), false);
    return fail(Work::kNone, now);
  }
  const ByteView signature = has_signature ? in.string() : ByteView{};
  if (!in.done()) return malformed();
  if (has_signature) {
    credential.verified =
        key->verify(algorithm, signed_data(algorithm, blob, host_bound), signature);
  } else {
    key_answer_ = Writer(message::kUserauthPkOk).string(algorithm).string(blob).take();
  }
  const bool decide = decidable() && (!has_signature || credential.verified);
  attempt(std::move(credential), decide);
  if (!decide) fail(Work::kNone, now);
}

}  // namespace sandtrap::ssh
