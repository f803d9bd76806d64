// One field list per message, walked by an encoder and a decoder: the two can't drift apart.
// Wire form: u8 message index, then the fields; numbers little-endian, strings u32 length + bytes.
#include <algorithm>
#include <type_traits>

#include "ipc/messages.h"

namespace sandtrap::ipc {
namespace {

using base::Bytes;
using base::ByteView;

constexpr std::size_t kMaxText = 4096;   // paths, reasons
constexpr std::size_t kMaxBlob = 65536;  // key blobs, early output, modes

class Encoder {
 public:
  explicit Encoder(Bytes& to) : out(to) {}

  template <class T>
  void number(const T& value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      out.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i)));
    }
  }
  void flag(const bool& value) { out.push_back(value ? 1 : 0); }
  void session(const std::string& id) { text(id, 12); }
  void text(const std::string& value, std::size_t) {
    number(static_cast<std::uint32_t>(value.size()));
    base::append(out, base::as_bytes(value));
  }
  void bytes(const Bytes& value, std::size_t) {
    number(static_cast<std::uint32_t>(value.size()));
    base::append(out, value);
  }
  template <class T, class Each>
  void list(const std::vector<T>& items, std::size_t, Each each) {
    number(static_cast<std::uint32_t>(items.size()));
    for (const T& item : items) each(*this, item);
  }

  Bytes& out;
};

class Decoder {
 public:
  explicit Decoder(ByteView in) : in_(in) {}

  template <class T>
  void number(T& value) {
    std::uint64_t sum = 0;
    if (!take(sizeof(T))) return;
    for (std::size_t i = 0; i < sizeof(T); ++i) sum |= std::uint64_t{taken_[i]} << (8 * i);
    value = static_cast<T>(sum);
  }
  void flag(bool& value) {
    std::uint8_t byte = 0;
    number(byte);
    if (byte > 1) ok_ = false;
    value = byte == 1;
  }
  void session(std::string& id) {
    text(id, 12);
    if (id.size() != 12) ok_ = false;
    for (const char c : id) ok_ = ok_ && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
  }
  void text(std::string& value, std::size_t maximum) {
    if (take_sized(maximum)) value = base::to_string(taken_);
  }
  void bytes(Bytes& value, std::size_t maximum) {
    if (take_sized(maximum)) value.assign(taken_.begin(), taken_.end());
  }
  template <class T, class Each>
  void list(std::vector<T>& items, std::size_t maximum, Each each) {
    std::uint32_t count = 0;
    number(count);
    if (count > maximum) ok_ = false;
    for (std::uint32_t i = 0; ok_ && i < count; ++i) each(*this, items.emplace_back());
  }
  bool complete() const { return ok_ && in_.empty(); }

 private:
  bool take(std::size_t n) {
    ok_ = ok_ && n <= in_.size();
    if (!ok_) return false;
    taken_ = in_.first(n);
    in_ = in_.subspan(n);
    return true;
  }
  bool take_sized(std::size_t maximum) {
    std::uint32_t size = 0;
    number(size);
    if (size > maximum) ok_ = false;
    return take(size);
  }

  ByteView in_;
  ByteView taken_;
  bool ok_ = true;
};

// The field lists. `V` is Encoder or Decoder, `M` the message (const for the encoder).
template <class M, class T>
inline constexpr bool kIs = std::is_same_v<std::remove_const_t<M>, T>;

constexpr auto kStringPair = [](auto& v, auto& pair) {
  v.text(pair.first, kMaxShort);
  v.text(pair.second, kMaxText);
};

template <class V, class M>
void walk_process(V& v, M& m) {
  if constexpr (kIs<M, OpenProcess>) {
    v.session(m.session), v.number(m.channel), v.number(m.kind), v.text(m.command, kMaxCommand);
    v.flag(m.has_pty), v.text(m.pty.term, kMaxShort);
    v.number(m.pty.columns), v.number(m.pty.rows), v.number(m.pty.width_px);
    v.number(m.pty.height_px), v.bytes(m.pty.modes, kMaxModes);
    v.list(m.env, kMaxEnv, kStringPair);
  } else if constexpr (kIs<M, ResizeProcess>) {
    v.session(m.session), v.number(m.channel), v.number(m.columns), v.number(m.rows);
    v.number(m.width_px), v.number(m.height_px);
  } else if constexpr (kIs<M, SignalProcess>) {
    v.session(m.session), v.number(m.channel), v.text(m.name, kMaxShort);
  } else if constexpr (kIs<M, CloseProcess>) {
    v.session(m.session), v.number(m.channel);
  } else if constexpr (kIs<M, ProcessOpened>) {
    v.session(m.session), v.number(m.channel), v.text(m.sandbox, kMaxShort), v.flag(m.duplex);
    v.flag(m.multiplexed), v.bytes(m.early_output, kMaxBlob);
  } else if constexpr (kIs<M, ProcessRefused>) {
    v.session(m.session), v.number(m.channel), v.text(m.reason, kMaxText);
  } else {
    static_assert(kIs<M, ProcessExited>);
    v.session(m.session), v.number(m.channel), v.number(m.kind), v.number(m.value);
    v.flag(m.core_dumped);
  }
}

template <class V, class M>
void walk_session(V& v, M& m) {
  if constexpr (kIs<M, SessionOpened>) {
    v.session(m.session), v.text(m.source_ip, kMaxShort), v.number(m.source_port);
    v.text(m.local_ip, kMaxShort), v.number(m.local_port), v.text(m.hassh, kMaxShort);
  } else if constexpr (kIs<M, SessionResumed>) {
    v.session(m.session), v.text(m.source_ip, kMaxShort), v.text(m.user, kMaxShort);
    v.number(m.source_port), v.flag(m.authenticated);
    v.list(m.channels, kMaxShort, [](auto& w, auto& channel) { w.number(channel); });
  } else if constexpr (kIs<M, Authenticate>) {
    v.session(m.session), v.number(m.request), v.text(m.user, kMaxShort);
    v.text(m.method, kMaxShort), v.text(m.secret, kMaxShort), v.text(m.key_type, kMaxShort);
    v.text(m.key_fingerprint, kMaxShort), v.bytes(m.key_blob, kMaxBlob), v.flag(m.key_proven);
  } else if constexpr (kIs<M, AuthDecision>) {
    v.session(m.session), v.number(m.request), v.flag(m.accepted), v.text(m.decided_by, kMaxShort);
  } else if constexpr (kIs<M, CaseAssigned>) {
    v.session(m.session), v.text(m.case_id, kMaxShort);
  } else if constexpr (kIs<M, SessionClosed>) {
    v.session(m.session);
  } else {
    static_assert(kIs<M, EndSession>);
    v.session(m.session), v.text(m.reason, kMaxText);
  }
}

template <class V, class M>
void walk_keys(V& v, M& m) {
  if constexpr (kIs<M, Sign>) {
    v.session(m.session), v.number(m.request), v.number(m.key), v.text(m.algorithm, kMaxShort);
    v.bytes(m.hash, 64);
  } else if constexpr (kIs<M, Prove>) {
    v.session(m.session), v.number(m.request), v.bytes(m.session_identifier, 64);
    v.list(m.keys, 16, [](auto& w, auto& key) {
      w.number(key.first);
      w.text(key.second, kMaxShort);
    });
  } else if constexpr (kIs<M, Welcome>) {
    v.list(m.host_keys, 16, [](auto& w, auto& key) {
      w.text(key.first, kMaxShort);
      w.bytes(key.second, kMaxBlob);
    });
    v.number(m.delay_secret);
  } else {
    static_assert(kIs<M, Signed>);
    v.session(m.session), v.number(m.request);
    v.list(m.signatures, 16, [](auto& w, auto& signature) { w.bytes(signature, kMaxBlob); });
  }
}

template <class V, class M>
void walk_record(V& v, M& m) {
  if constexpr (kIs<M, OpenRecording>) {
    v.session(m.session), v.number(m.channel), v.text(m.case_id, kMaxShort);
    v.text(m.sandbox, kMaxShort), v.text(m.source_ip, kMaxShort), v.number(m.source_port);
  } else if constexpr (kIs<M, RecordingNamed> || kIs<M, RecordingOpened>) {
    v.session(m.session), v.number(m.channel), v.text(m.path, kMaxText);
  } else if constexpr (kIs<M, FinishRecording> || kIs<M, RecordingGrew>) {
    v.text(m.path, kMaxText);
  } else if constexpr (kIs<M, RecordingRefused>) {
    v.session(m.session), v.number(m.channel), v.text(m.reason, kMaxText);
  } else {
    static_assert(kIs<M, OpenEventLog> || kIs<M, EventLogOpened>);
  }
}

template <class V, class M>
void walk_control(V& v, M& m) {
  if constexpr (kIs<M, PeerConnected>) {
    v.text(m.role, kMaxShort);
  } else if constexpr (kIs<M, Drain>) {
    v.number(m.grace_seconds);
  } else if constexpr (kIs<M, RoleReady>) {
    v.text(m.detail, kMaxText);
  } else if constexpr (kIs<M, ReloadResult>) {
    v.text(m.applied, kMaxText), v.text(m.needs_restart, kMaxText);
  } else {
    static_assert(kIs<M, ListeningSockets> || kIs<M, Reload> || kIs<M, RoleDrained> ||
                  kIs<M, GateDenied>);
  }
}

template <class M, class... Ts>
inline constexpr bool kOneOf = (kIs<M, Ts> || ...);

template <class V, class M>
void walk(V& v, M& m) {
  if constexpr (kOneOf<M, OpenProcess, ResizeProcess, SignalProcess, CloseProcess, ProcessOpened,
                       ProcessRefused, ProcessExited>) {
    walk_process(v, m);
  } else if constexpr (kOneOf<M, SessionOpened, SessionResumed, Authenticate, AuthDecision,
                              CaseAssigned, SessionClosed, EndSession>) {
    walk_session(v, m);
  } else if constexpr (kOneOf<M, Sign, Prove, Welcome, Signed>) {
    walk_keys(v, m);
  } else if constexpr (kOneOf<M, OpenRecording, RecordingNamed, RecordingOpened, FinishRecording,
                              RecordingRefused, OpenEventLog, EventLogOpened, RecordingGrew>) {
    walk_record(v, m);
  } else {
    walk_control(v, m);
  }
}

template <std::size_t... I>
bool decode_index(std::size_t index, Decoder& decoder, Message& message,
                  std::index_sequence<I...>) {
  return ((index == I ? (walk(decoder, message.emplace<I>()), true) : false) || ...);
}

constexpr std::string_view kNames[] = {
    "SessionOpened", "SessionResumed",   "Sign",           "Prove",           "Authenticate",
    "OpenProcess",   "ResizeProcess",    "SignalProcess",  "CloseProcess",    "RecordingNamed",
    "SessionClosed", "Welcome",          "CaseAssigned",   "Signed",          "AuthDecision",
    "ProcessOpened", "ProcessRefused",   "ProcessExited",  "EndSession",      "OpenEventLog",
    "OpenRecording", "FinishRecording",  "EventLogOpened", "RecordingOpened", "RecordingRefused",
    "PeerConnected", "ListeningSockets", "Drain",          "Reload",          "RoleReady",
    "ReloadResult",  "RoleDrained",      "GateDenied",     "RecordingGrew"};
static_assert(std::size(kNames) == std::variant_size_v<Message>);

void append_encoded(Bytes& out, const Message& message) {
  out.push_back(static_cast<std::uint8_t>(message.index()));
  Encoder encoder(out);
  std::visit([&](const auto& m) { walk(encoder, m); }, message);
}

}  // namespace

std::string_view name(const Message& message) {
  return kNames[message.index()];
}

Bytes encode(const Message& message) {
  Bytes out;
  out.reserve(256);
  append_encoded(out, message);
  return out;
}

base::Result<Message> decode(ByteView message_bytes) {
  if (message_bytes.empty() || message_bytes.size() > kMaxMessage) {
    return base::fail(base::Errc::kInvalid, "ipc message of impossible size");
  }
  Decoder decoder(message_bytes.subspan(1));
  Message message;
  constexpr auto kAll = std::make_index_sequence<std::variant_size_v<Message>>{};
  if (!decode_index(message_bytes[0], decoder, message, kAll)) {
    return base::fail(base::Errc::kInvalid, "ipc message of unknown type");
  }
  if (!decoder.complete()) {
    return base::fail(base::Errc::kInvalid, "malformed ipc message " + std::string(name(message)));
  }
  return message;
}

void append_message(Bytes& packet, const Message& message) {
  const std::size_t head = packet.size();
  packet.resize(head + kMessageHead);
  append_encoded(packet, message);
  const std::size_t size = packet.size() - head - kMessageHead;
  for (std::size_t i = 0; i < kMessageHead; ++i) {
    packet[head + i] = static_cast<std::uint8_t>(size >> (8 * i));
  }
}

base::Result<Message> take_message(ByteView& packet) {
  std::uint32_t size = 0;
  Decoder head(packet.first(std::min(packet.size(), kMessageHead)));
  head.number(size);
  if (!head.complete() || size > packet.size() - kMessageHead) {
    return base::fail(base::Errc::kInvalid, "torn ipc packet");
  }
  const ByteView message = packet.subspan(kMessageHead, size);
  packet = packet.subspan(kMessageHead + size);
  return decode(message);
}

}  // namespace sandtrap::ipc
