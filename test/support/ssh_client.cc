#include "support/ssh_client.h"

#include <algorithm>

#include "crypto/key_agreement.h"
#include "crypto/public_key.h"
#include "ssh/kex_method.h"
#include "ssh/packet_codec.h"
#include "ssh/transport_messages.h"
#include "ssh/wire.h"

namespace sandtrap::test {
namespace message = ssh::message;
using ssh::KexInit;
using ssh::KexMethod;
using ssh::Reader;
using ssh::Writer;

namespace {

constexpr std::uint32_t kMaxPacket = 512 * 1024;
constexpr std::string_view kDelayedZlib = "zlib@openssh.com";

}  // namespace

void SeededEntropy::fill(base::MutableByteView out) {
  for (std::uint8_t& b : out) {  // splitmix64
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    b = static_cast<std::uint8_t>(z >> 56);
  }
}

struct SshClient::Impl {
  Impl(ClientOptions o, base::Entropy& e)
      : options(std::move(o)), entropy(e), reader(kMaxPacket), writer(e) {}

  void receive(ByteView bytes);
  bool read_identification();
  void handle(std::uint32_t sequence, ByteView payload);
  void on_server_kex_init(ByteView payload);
  void start_exchange();
  void on_reply(ByteView payload);
  void on_group(ByteView payload);
  void send_new_keys();
  void on_new_keys();
  void seal(ByteView payload);
  void send_own_kex_init();
  Bytes make_own_kex_init();
  void give_up(std::string_view why) {
    if (error.empty()) error = why;
  }

  ClientOptions options;
  base::Entropy& entropy;
  ssh::PacketBuffer in, out;
  ssh::PacketReader reader;
  ssh::PacketWriter writer;
  std::string server_line, error;
  bool have_line = false, corrupt = false, running = true, strict = false;
  bool authenticated = false, done_once = false;
  int exchanges = 0;
  std::deque<Received> inbox;
  std::deque<Bytes> held;

  Bytes own_init, server_init;
  KexInit own_lists;
  std::optional<KexInit> server_lists;
  ssh::ChosenAlgorithms chosen;
  const KexMethod* method = nullptr;
  std::unique_ptr<crypto::Initiator> initiator;
  Bytes group_part, host_key, session_identifier;
  crypto::Secret secret;
  crypto::Digest hash;
};

// ---- output ----------------------------------------------------------------------------------

void SshClient::Impl::seal(ByteView payload) {
  writer.write(out, {}, payload);
  if (corrupt) out.writable()[out.size() - 1] ^= 1;
  corrupt = false;
}

Bytes SshClient::Impl::make_own_kex_init() {
  std::string kex = options.kex;
  if (!done_once && options.ext_info) kex += ",ext-info-c";
  if (!done_once && options.strict) kex += ",kex-strict-c-v00@openssh.com";
  const ClientOptions& o = options;
  own_lists.lists = {kex,   o.host_key,    o.cipher,      o.cipher, o.mac,
                     o.mac, o.compression, o.compression, "",       ""};
  own_lists.first_packet_follows = o.first_packet_follows;
  std::uint8_t cookie[ssh::kCookieSize];
  entropy.fill(cookie);
  return ssh::make_kex_init(own_lists, cookie);
}

void SshClient::Impl::send_own_kex_init() {
  own_init = make_own_kex_init();
  running = true;
  seal(own_init);
}

// ---- input -----------------------------------------------------------------------------------

bool SshClient::Impl::read_identification() {
  const std::string_view text = base::as_text(in.view());
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return false;
  server_line = text.substr(0, end);
  if (server_line.ends_with('\r')) server_line.pop_back();
  in.consume(end + 1);
  have_line = true;
  return true;
}

void SshClient::Impl::receive(ByteView bytes) {
  in.append(bytes);
  if (!have_line && !read_identification()) return;
  while (error.empty()) {
    const auto packet = reader.read(in);
    if (packet.outcome == ssh::PacketReader::Outcome::kNothing) return;
    if (packet.outcome != ssh::PacketReader::Outcome::kPacket) return give_up(packet.reason);
    handle(packet.sequence, packet.payload);
  }
}

void SshClient::Impl::handle(std::uint32_t sequence, ByteView payload) {
  const std::uint8_t type = payload[0];
  if (type == message::kKexInit) return on_server_kex_init(payload);
  if (options.automatic && running && method != nullptr) {
    const bool by_group = method->wire == KexMethod::Wire::kGroupExchange;
    if (by_group && type == message::kGexGroup) return on_group(payload);
    if (type == (by_group ? message::kGexReply : message::kKexEcdhReply)) return on_reply(payload);
    if (type == message::kNewKeys) return on_new_keys();
  }
  inbox.push_back({sequence, Bytes(payload.begin(), payload.end())});
  if (type == message::kUserauthSuccess && !authenticated) {
    authenticated = true;  // zlib@openssh.com starts here, both ways
    if (chosen.compression_s2c == kDelayedZlib) reader.start_compression();
    if (chosen.compression_c2s == kDelayedZlib) writer.start_compression();
  }
}

void SshClient::Impl::on_server_kex_init(ByteView payload) {
  server_init.assign(payload.begin(), payload.end());
  auto parsed = ssh::parse_kex_init(payload);
  if (!parsed) return give_up("server KEXINIT");
  server_lists = std::move(*parsed);
  if (!options.automatic) return;
  if (!running) send_own_kex_init();
  if (!done_once) {
    strict = options.strict && server_lists->offers(KexInit::kKex, "kex-strict-s-v00@openssh.com");
  }
  start_exchange();
}

void SshClient::Impl::start_exchange() {
  auto agreed = ssh::choose_algorithms(own_lists, *server_lists);
  if (!agreed) return give_up(agreed.error().context);
  chosen = std::move(*agreed);
  method = ssh::find_kex(chosen.kex);
  if (method == nullptr) return give_up("key exchange method");
  group_part.clear();
  if (method->wire == KexMethod::Wire::kGroupExchange) {
    Writer w(message::kGexRequest);
    w.u32(options.group_min).u32(options.group_preferred).u32(options.group_max);
    group_part.assign(w.view().begin() + 1, w.view().end());
    return seal(w.view());
  }
  auto started = crypto::Initiator::start(method->agreement, entropy);
  if (!started) return give_up(started.error().context);
  initiator = std::move(*started);
  Writer w(message::kKexEcdhInit);
  if (method->wire == KexMethod::Wire::kStrings) {
    w.string(initiator->ours());
  } else {
    w.mpint(initiator->ours());
  }
  seal(w.view());
}

void SshClient::Impl::on_group(ByteView payload) {
  Reader r(payload.subspan(1));
  const ByteView prime = r.mpint(), generator = r.mpint();
  if (!r.done()) return give_up("group");
  base::append(group_part, payload.subspan(1));
  const crypto::DhGroup group{Bytes(prime.begin(), prime.end()),
                              Bytes(generator.begin(), generator.end())};
  auto started = crypto::Initiator::start(group, entropy);
  if (!started) return give_up(started.error().context);
  initiator = std::move(*started);
  seal(Writer(message::kGexInit).mpint(initiator->ours()).view());
}

void SshClient::Impl::on_reply(ByteView payload) {
  if (!initiator) return give_up("reply without a question");
  Reader r(payload.subspan(1));
  const ByteView blob = r.string();
  const ByteView theirs = method->wire == KexMethod::Wire::kStrings ? r.string() : r.mpint();
  const ByteView signature = r.string();
  if (!r.done()) return give_up("malformed reply");
  auto shared = initiator->finish(theirs);
  if (!shared) return give_up(shared.error().context);
  secret = ssh::encode_secret(*method, shared->view());
  std::string own_line = options.identification;
  while (!own_line.empty() && (own_line.back() == '\n' || own_line.back() == '\r')) {
    own_line.pop_back();
  }
  ssh::ExchangeInput input;
  input.client_id = own_line;
  input.server_id = server_line;
  input.client_kex_init = own_init;
  input.server_kex_init = server_init;
  input.host_key = blob;
  input.group_exchange = group_part;
  input.client_value = initiator->ours();
  input.server_value = theirs;
  hash = ssh::exchange_hash(*method, input, secret.view());
  const auto key = crypto::PublicKey::parse(blob);
  if (!key || !key->verify(chosen.host_key, hash.view(), signature)) {
    return give_up("host key signature");
  }
  host_key.assign(blob.begin(), blob.end());
  if (session_identifier.empty()) {
    session_identifier.assign(hash.view().begin(), hash.view().end());
  }
  initiator.reset();
  send_new_keys();
}

void SshClient::Impl::send_new_keys() {
  const std::uint8_t new_keys[] = {message::kNewKeys};
  seal(new_keys);
  auto protection =
      ssh::derive_protection(*method, secret.view(), hash.view(), session_identifier,
                             {chosen.cipher_c2s, chosen.mac_c2s}, 'A', ssh::Direction::kSeal);
  if (!protection) return give_up(protection.error().context);
  writer.set_protection(std::move(*protection), strict);
  writer.stop_compression();
  if (authenticated && chosen.compression_c2s == kDelayedZlib) writer.start_compression();
}

void SshClient::Impl::on_new_keys() {
  auto protection =
      ssh::derive_protection(*method, secret.view(), hash.view(), session_identifier,
                             {chosen.cipher_s2c, chosen.mac_s2c}, 'B', ssh::Direction::kOpen);
  if (!protection) return give_up(protection.error().context);
  reader.set_protection(std::move(*protection), strict);
  reader.stop_compression();
  if (authenticated && chosen.compression_s2c == kDelayedZlib) reader.start_compression();
  running = false;
  done_once = true;
  method = nullptr;
  ++exchanges;
  for (const Bytes& payload : held) seal(payload);
  held.clear();
}

// ---- the public face -------------------------------------------------------------------------

SshClient::SshClient(ClientOptions options, base::Entropy& entropy)
    : impl_(std::make_unique<Impl>(std::move(options), entropy)) {
  impl_->out.append(base::as_bytes(impl_->options.identification));
  if (impl_->options.automatic) impl_->send_own_kex_init();
  if (!impl_->options.first_packet_follows || !impl_->options.automatic) return;
  // The guess: a value for the method we like best, sent before the server has answered.
  const KexMethod* guessed = ssh::find_kex(ssh::split_names(impl_->options.kex).front());
  auto started = crypto::Initiator::start(
      guessed != nullptr ? guessed->agreement : crypto::Agreement::kCurve25519, entropy);
  if (started) impl_->seal(Writer(message::kKexEcdhInit).string((*started)->ours()).view());
}

SshClient::~SshClient() = default;

void SshClient::receive(ByteView from_server) {
  impl_->receive(from_server);
}

ByteView SshClient::pending_output() const {
  return impl_->out.view();
}

void SshClient::consumed(std::size_t n) {
  impl_->out.consume(n);
}

bool SshClient::ready() const {
  return impl_->done_once && !impl_->running && impl_->error.empty();
}

int SshClient::exchanges() const {
  return impl_->exchanges;
}

const std::string& SshClient::error() const {
  return impl_->error;
}

const std::string& SshClient::server_identification() const {
  return impl_->server_line;
}

ByteView SshClient::session_identifier() const {
  return impl_->session_identifier;
}

const ssh::ChosenAlgorithms& SshClient::chosen() const {
  return impl_->chosen;
}

ByteView SshClient::host_key_blob() const {
  return impl_->host_key;
}

std::optional<KexInit> SshClient::server_kex_init() const {
  return impl_->server_lists;
}

std::optional<SshClient::Received> SshClient::next() {
  if (impl_->inbox.empty()) return std::nullopt;
  Received first = std::move(impl_->inbox.front());
  impl_->inbox.pop_front();
  return first;
}

std::optional<Bytes> SshClient::next_payload() {
  auto received = next();
  if (!received) return std::nullopt;
  return std::move(received->payload);
}

std::optional<Bytes> SshClient::find(std::uint8_t type) {
  while (auto payload = next_payload()) {
    if (payload->front() == type) return payload;
  }
  return std::nullopt;
}

void SshClient::send(ByteView payload) {
  if (impl_->running) {
    impl_->held.emplace_back(payload.begin(), payload.end());
  } else {
    impl_->seal(payload);
  }
}

void SshClient::send_now(ByteView payload) {
  impl_->seal(payload);
}

void SshClient::send_raw(ByteView wire) {
  impl_->out.append(wire);
}

void SshClient::send_kex_init() {
  impl_->send_own_kex_init();
}

Bytes SshClient::kex_init_payload() {
  return impl_->make_own_kex_init();
}

void SshClient::corrupt_next_packet() {
  impl_->corrupt = true;
}

std::uint32_t SshClient::next_sequence() const {
  return impl_->writer.sequence();
}

}  // namespace sandtrap::test
