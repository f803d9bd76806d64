// The server's side of key exchange: RFC 4253 §7-9, RFC 4419, RFC 8308, strict KEX.
#include <algorithm>
#include <utility>

#include "crypto/public_key.h"
#include "ssh/transport_impl.h"
#include "ssh/wire.h"

namespace sandtrap::ssh {
namespace {

constexpr std::string_view kStrictClient = "kex-strict-c-v00@openssh.com";
constexpr std::string_view kExtInfoClient = "ext-info-c";
constexpr std::string_view kDelayedZlib = "zlib@openssh.com";

std::string server_kex_list(const Profile& profile, const ClientQuirks& quirks) {
  NameList names;
  for (const std::string& name : profile.kex) {
    if (quirks.no_curve25519_libssh && name == "curve25519-sha256@libssh.org") continue;
    if (quirks.no_group_exchange && name.starts_with("diffie-hellman-group-exchange-")) continue;
    names.push_back(name);
  }
  return join_names(names);
}

std::optional<std::size_t> key_for(const std::vector<HostKey>& keys, std::string_view algorithm) {
  const std::string_view type = crypto::key_type_of(algorithm);
  const auto it =
      std::find_if(keys.begin(), keys.end(), [&](const HostKey& k) { return k.type == type; });
  if (it == keys.end()) return std::nullopt;
  return static_cast<std::size_t>(it - keys.begin());
}

std::string host_key_list(const Profile& profile, const std::vector<HostKey>& keys) {
  NameList names;
  for (const std::string& name : profile.host_key_algorithms) {
    if (key_for(keys, name)) names.push_back(name);
  }
  return join_names(names);
}

// OpenSSH's ssh_set_newkeys: 2^(2 * block) blocks for AES, 1 GiB for short blocks.
std::uint64_t max_blocks(std::size_t block, std::uint64_t limit_bytes) {
  const std::uint64_t by_cipher =
      block >= 16 ? std::uint64_t{1} << (2 * block) : (std::uint64_t{1} << 30) / block;
  return limit_bytes == 0 ? by_cipher : std::min(by_cipher, limit_bytes / block);
}

bool over(const PacketCounters& c, std::size_t more, std::size_t block, const Profile& p) {
  const std::uint64_t blocks = (more + block - 1) / block;
  return c.packets > p.rekey_packets || c.blocks + blocks > max_blocks(block, p.rekey_bytes);
}

}  // namespace

void Transport::Impl::send_kex_init() {
  if (!run) run = std::make_unique<KexRun>();
  KexInit& lists = run->server_lists;
  const std::string ciphers = join_names(profile.ciphers), macs = join_names(profile.macs),
                    compression = join_names(profile.compression);
  lists.lists = {server_kex_list(profile, quirks),
                 host_key_list(profile, keys),
                 ciphers,
                 ciphers,
                 macs,
                 macs,
                 compression,
                 compression,
                 "",
                 ""};
  std::uint8_t cookie[kCookieSize];
  entropy.fill(cookie);
  run->server_init = make_kex_init(lists, cookie);
  if (phase == KexPhase::kNone) phase = KexPhase::kSentInit;
  put({}, run->server_init);
}

void Transport::Impl::on_kex_message(std::uint8_t type, std::uint32_t sequence, ByteView payload) {
  const bool may_start =
      phase == KexPhase::kSentInit || (phase == KexPhase::kNone && authenticated);
  if (type == message::kKexInit && may_start) return on_kex_init(sequence, payload);
  if (type == message::kNewKeys && phase == KexPhase::kAwaitNewKeys) return on_new_keys(payload);
  if (phase == KexPhase::kAwaitValue) {
    const bool by_group = run->method->wire == KexMethod::Wire::kGroupExchange;
    const bool group_known = run->group_requested;
    if (by_group && !group_known && type == message::kGexRequest) return on_group_request(payload);
    if (by_group && group_known && type == message::kGexInit) return on_client_value(payload);
    if (!by_group && type == message::kKexEcdhInit) return on_client_value(payload);
  }
  const bool exchanging = phase != KexPhase::kNone && phase != KexPhase::kSentInit;
  if (type == message::kKexInit && exchanging && profile.repeated_kex_init_closes) {
    return close_silently("a second KEXINIT");
  }
  if (type == message::kExtInfo && profile.ext_info_in_auth && ext_info_wanted && first_kex_done &&
      !authenticated && !ext_info_came) {
    return on_ext_info(sequence, payload);
  }
  unexpected(type, sequence);
}

void Transport::Impl::on_kex_init(std::uint32_t sequence, ByteView payload) {
  const auto parsed = parse_kex_init(payload);
  if (!parsed) return close_silently(parsed.error().context);
  if (phase == KexPhase::kNone) send_kex_init();
  run->client_init.assign(payload.begin(), payload.end());
  if (!first_kex_done) {
    const auto& l = parsed->lists;
    events.push_back(ClientKexInit{l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7], l[8], l[9]});
    ext_info_wanted = parsed->offers(KexInit::kKex, kExtInfoClient);
    const bool we_are_strict =
        run->server_lists.offers(KexInit::kKex, "kex-strict-s-v00@openssh.com");
    strict = we_are_strict && parsed->offers(KexInit::kKex, kStrictClient);
    if (strict && sequence != 0) {
      return disconnect("strict KEX violation: KEXINIT was not the first packet",
                        "strict KEX violation");
    }
  }
  negotiate(sequence, *parsed);
}

void Transport::Impl::negotiate(std::uint32_t, const KexInit& client) {
  auto chosen = choose_algorithms(client, run->server_lists);
  if (!chosen) return close_silently(chosen.error().context);
  run->chosen = std::move(*chosen);
  run->method = find_kex(run->chosen.kex);
  const auto key = key_for(keys, run->chosen.host_key);
  if (run->method == nullptr || !key) return close_silently("no usable key exchange method");
  run->host_key = *key;
  if (run->chosen.guess_is_wrong) skip_packets = 1;
  phase = KexPhase::kAwaitValue;
}

void Transport::Impl::on_group_request(ByteView payload) {
  Reader r(payload.subspan(1));
  GroupRequest request;
  request.min = r.u32();
  request.preferred = r.u32();
  request.max = r.u32();
  if (!r.done()) return close_silently("malformed group exchange request");
  auto group = choose_group(profile.moduli, request, entropy);
  if (!group) return close_silently(group.error().context);
  run->group_requested = true;
  run->group = std::move(*group);
  Writer numbers;
  numbers.mpint(run->group.prime).mpint(run->group.generator);
  Writer hash_part;
  hash_part.u32(request.min).u32(request.preferred).u32(request.max).raw(numbers.view());
  run->group_hash_part = hash_part.take();
  Writer reply(message::kGexGroup);
  reply.raw(numbers.view());
  put({}, reply.view());
}

void Transport::Impl::on_client_value(ByteView payload) {
  Reader r(payload.subspan(1));
  const bool strings = run->method->wire == KexMethod::Wire::kStrings;
  const ByteView theirs = strings ? r.string() : r.mpint();
  if (!r.done()) return close_silently("malformed key exchange value");
  auto agreed = run->group_requested ? crypto::respond(run->group, theirs, entropy)
                                     : crypto::respond(run->method->agreement, theirs, entropy);
  if (!agreed) return close_silently(agreed.error().context);
  run->server_value = std::move(agreed->ours);
  run->secret = encode_secret(*run->method, agreed->shared.view());

  ExchangeInput input;
  const std::string server_id = "SSH-2.0-" + profile.software;
  input.client_id = identification.line();
  input.server_id = server_id;
  input.client_kex_init = run->client_init;
  input.server_kex_init = run->server_init;
  input.host_key = keys[run->host_key].blob;
  input.group_exchange = run->group_hash_part;
  input.client_value = theirs;
  input.server_value = run->server_value;
  run->hash = exchange_hash(*run->method, input, run->secret.view());
  run->client_init = {};
  run->server_init = {};
  if (session_identifier.empty()) {
    session_identifier.assign(run->hash.view().begin(), run->hash.view().end());
  }
  run->signature_id = ++last_signature_id;
  phase = KexPhase::kSigning;
  events.push_back(SignNeeded{run->signature_id, run->host_key, run->chosen.host_key,
                              Bytes(run->hash.view().begin(), run->hash.view().end())});
}

// Reply, NEWKEYS and EXT_INFO leave together: sshd queues all three before it writes.
void Transport::Impl::on_signature(ByteView signature) {
  if (signature.empty()) return close_silently("no host key signature");
  const bool strings = run->method->wire == KexMethod::Wire::kStrings;
  Writer reply(run->group_requested ? message::kGexReply : message::kKexEcdhReply);
  reply.string(keys[run->host_key].blob);
  if (strings) {
    reply.string(run->server_value);
  } else {
    reply.mpint(run->server_value);
  }
  reply.string(signature);
  put({}, reply.view());
  send_new_keys();
}

void Transport::Impl::send_new_keys() {
  const ChosenAlgorithms& c = run->chosen;
  auto next_out =
      derive_protection(*run->method, run->secret.view(), run->hash.view(), session_identifier,
                        {c.cipher_s2c, c.mac_s2c}, 'B', Direction::kSeal);
  auto next_in =
      derive_protection(*run->method, run->secret.view(), run->hash.view(), session_identifier,
                        {c.cipher_c2s, c.mac_c2s}, 'A', Direction::kOpen);
  if (!next_in || !next_out) return close_silently("cannot set up keys");
  run->secret.wipe();
  run->next_in = std::move(*next_in);
  const std::uint8_t new_keys[] = {message::kNewKeys};
  put({}, new_keys);
  writer.set_protection(std::move(*next_out), strict);
  compress_out = c.compression_s2c == kDelayedZlib;
  writer.stop_compression();
  if (authenticated && compress_out) writer.start_compression();
  phase = KexPhase::kAwaitNewKeys;
  flush_held();  // sshd does so with NEWKEYS itself
  if (!first_kex_done && ext_info_wanted) send_ext_info();
}

void Transport::Impl::send_ext_info() {
  if (profile.ext_info.empty()) return;
  Writer w(message::kExtInfo);
  w.u32(static_cast<std::uint32_t>(profile.ext_info.size()));
  for (const auto& [name, value] : profile.ext_info) w.string(name).string(value);
  put({}, w.view());
}

// A client's EXT_INFO (RFC 8308 §2.3), where sshd takes one: once, while it logs in.
void Transport::Impl::on_ext_info(std::uint32_t sequence, ByteView payload) {
  constexpr std::uint32_t kMostEntries = 1024;
  Reader r(payload.subspan(1));
  const std::uint32_t count = r.u32();
  ext_info_came = true;
  if (r.ok() && count >= kMostEntries) return send_unimplemented(sequence);
  bool wanted = false;
  for (std::uint32_t i = 0; i < count && r.ok(); ++i) {
    const std::string_view name = r.text(), value = r.text();
    wanted = wanted || (name == "ext-info-in-auth@openssh.com" && value == "0");
  }
  if (!r.done()) return close_silently("malformed EXT_INFO");
  late_ext_info_wanted = wanted;
}

void Transport::Impl::send_late_ext_info() {
  if (!std::exchange(late_ext_info_due, false)) return;
  const auto entry = std::find_if(profile.ext_info.begin(), profile.ext_info.end(),
                                  [](const auto& e) { return e.first == "server-sig-algs"; });
  if (entry == profile.ext_info.end()) return;
  Writer w(message::kExtInfo);
  w.u32(1).string(entry->first).string(entry->second);
  put({}, w.view());
}

void Transport::Impl::on_new_keys(ByteView payload) {
  if (payload.size() != 1) return close_silently("malformed NEWKEYS");
  reader.set_protection(std::move(run->next_in), strict);
  const ChosenAlgorithms& c = run->chosen;
  compress_in = c.compression_c2s == kDelayedZlib;
  reader.stop_compression();
  if (authenticated && compress_in) reader.start_compression();
  events.push_back(KexDone{c.kex, c.host_key, c.cipher_c2s, c.cipher_s2c, c.mac_c2s, c.mac_s2c,
                           c.compression_c2s, c.compression_s2c, !first_kex_done});
  first_kex_done = true;
  phase = KexPhase::kNone;
  run.reset();
}

void Transport::Impl::start_compression() {
  if (compress_out) writer.start_compression();
  if (compress_in) reader.start_compression();
}

bool Transport::Impl::rekey_due(std::size_t next_packet) const {
  if (!authenticated || phase != KexPhase::kNone || is_closed) return false;
  // One packet per key at least, or a tiny limit would allow nothing but key exchanges.
  if (writer.counters().packets == 0 && reader.counters().packets == 0) return false;
  return over(writer.counters(), next_packet, writer.block_size(), profile) ||
         over(reader.counters(), 0, reader.block_size(), profile);
}

}  // namespace sandtrap::ssh
