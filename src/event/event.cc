#include "event/event.h"

#include "event/json_line.h"

namespace sandtrap::event {
namespace {

template <class T>
void text_if_set(JsonLine& line, std::string_view key, const T& value) {
  if (value) line.text(key, *value);
}

void fields(JsonLine& line, const SensorStarted& e) {
  line.text("role", e.role);
  line.text_if_any("version", e.version);
  line.text_if_any("engine", e.engine);
}
void fields(JsonLine& line, const SensorStopped& e) {
  line.text("role", e.role);
  line.text("reason", e.reason);
}
void fields(JsonLine& line, const RoleRestarted& e) {
  line.text("role", e.role);
  line.text("reason", e.reason);
}
void fields(JsonLine& line, const ConnectionOpened& e) {
  line.text("local_ip", e.local_ip);
  line.number("local_port", e.local_port);
  text_if_set(line, "ja4t", e.ja4t);
  if (e.ttl) line.number("ttl", *e.ttl);
  text_if_set(line, "syn_hex", e.syn_hex);
}
void fields(JsonLine& line, const ConnectionRefused& e) {
  line.text("reason", e.reason);
  line.number("count", e.count);
}
void fields(JsonLine& line, const ConnectionClosed& e) {
  line.text("reason", e.reason);
  line.flag("by_peer", e.by_peer);
  line.number("bytes_in", e.bytes_in);
  line.number("bytes_out", e.bytes_out);
  line.number("duration_us", e.duration_us);
  line.number("auth_attempts", e.auth_attempts);
  line.number("channels", e.channels);
}
void fields(JsonLine& line, const TrafficSeen& e) {
  line.number("window", e.window);
  line.text("ja4ssh", e.ja4ssh);
}
void fields(JsonLine& line, const ClientVersion& e) {
  line.text("version", e.version);
  line.text("software", e.software);
}
void fields(JsonLine& line, const ClientKex& e) {
  line.text("hassh", e.hassh);
  line.text("hassh_algorithms", e.hassh_algorithms);
  line.text("kex", e.kex);
  line.text("host_key", e.host_key);
  line.text("enc_c2s", e.enc_c2s);
  line.text("enc_s2c", e.enc_s2c);
  line.text("mac_c2s", e.mac_c2s);
  line.text("mac_s2c", e.mac_s2c);
  line.text("comp_c2s", e.comp_c2s);
  line.text("comp_s2c", e.comp_s2c);
  line.text("lang_c2s", e.lang_c2s);
  line.text("lang_s2c", e.lang_s2c);
}
void fields(JsonLine& line, const KexCompleted& e) {
  line.text("kex", e.kex);
  line.text("host_key", e.host_key);
  line.text("cipher_c2s", e.cipher_c2s);
  line.text("cipher_s2c", e.cipher_s2c);
  line.text("mac_c2s", e.mac_c2s);
  line.text("mac_s2c", e.mac_s2c);
  line.flag("rekey", e.rekey);
}
void fields(JsonLine& line, const LoginAttempt& e) {
  line.text("user", e.user);
  line.text("method", e.method);
  text_if_set(line, "password", e.password);
  text_if_set(line, "key_type", e.key_type);
  text_if_set(line, "key_fingerprint", e.key_fingerprint);
  text_if_set(line, "key_base64", e.key_base64);
  if (e.key_proven) line.flag("key_proven", *e.key_proven);
  line.number("number", e.number);
  line.text_if_any("decided_by", e.decided_by);
  line.number("after_ms", e.after_ms);
}
void fields(JsonLine& line, const KeyOffered& e) {
  line.text("user", e.user);
  line.text("key_type", e.key_type);
  line.text("key_fingerprint", e.key_fingerprint);
  line.text("key_base64", e.key_base64);
  line.flag("accepted", e.accepted);
  line.number("number", e.number);
  line.number("after_ms", e.after_ms);
}
void fields(JsonLine& line, const ChannelOpened& e) {
  line.number("channel", e.channel);
}
void fields(JsonLine& line, const PtyRequested& e) {
  line.number("channel", e.channel);
  line.text("term", e.term);
  line.number("columns", e.columns);
  line.number("rows", e.rows);
  line.text("modes_hex", e.modes_hex);
}
void fields(JsonLine& line, const EnvRequested& e) {
  line.number("channel", e.channel);
  line.text("name", e.name);
  line.text("value", e.value);
  line.flag("accepted", e.accepted);
}
void fields(JsonLine& line, const ProgramRequested& e) {
  line.number("channel", e.channel);
  if (e.kind != "shell") line.text("command", e.command);
}
void fields(JsonLine& line, const ProgramStarted& e) {
  line.number("channel", e.channel);
  line.text("sandbox", e.sandbox);
  line.text_if_any("recording", e.recording);
  line.number("wait_us", e.wait_us);
}
void fields(JsonLine& line, const ProgramRefused& e) {
  line.number("channel", e.channel);
  line.text("reason", e.reason);
}
void fields(JsonLine& line, const ProgramExited& e) {
  line.number("channel", e.channel);
  if (e.status) line.number("status", *e.status);
  text_if_set(line, "signal", e.signal);
}
void fields(JsonLine& line, const WindowChanged& e) {
  line.number("channel", e.channel);
  line.number("columns", e.columns);
  line.number("rows", e.rows);
}
void fields(JsonLine& line, const SignalSent& e) {
  line.number("channel", e.channel);
  line.text("name", e.name);
}
void fields(JsonLine& line, const ChannelRequestSeen& e) {
  line.number("channel", e.channel);
  line.text("type", e.type);
}
void fields(JsonLine& line, const ChannelClosed& e) {
  line.number("channel", e.channel);
  line.number("bytes_in", e.bytes_in);
  line.number("bytes_out", e.bytes_out);
  line.number("bytes_err", e.bytes_err);
}
void fields(JsonLine& line, const ForwardAttempt& e) {
  line.text("kind", e.kind);
  line.text("host", e.host);
  line.number("port", e.port);
  line.text_if_any("originator", e.originator);
  line.flag("allowed", e.allowed);
}
void fields(JsonLine& line, const GlobalRequestSeen& e) {
  line.text("name", e.name);
}
void fields(JsonLine& line, const SandboxReady& e) {
  line.text("sandbox", e.sandbox);
  line.text("engine", e.engine);
  line.number("start_us", e.start_us);
}
void fields(JsonLine& line, const SandboxClaimed& e) {
  line.text("sandbox", e.sandbox);
  line.text("engine", e.engine);
  line.flag("warm", e.warm);
  line.flag("returning", e.returning);
  line.number("wait_us", e.wait_us);
}
void fields(JsonLine& line, const SandboxReleased& e) {
  line.text("sandbox", e.sandbox);
  line.number("observe_s", e.observe_s);
}
void fields(JsonLine& line, const CaseOpened& e) {
  line.list("keys", e.keys);
}
void fields(JsonLine& line, const CaseJoined& e) {
  line.text("from", e.from);
  line.text("by", e.by);
}
void fields(JsonLine& line, const SandboxFrozen& e) {
  line.text("sandbox", e.sandbox);
  line.text("reason", e.reason);
  line.number("memory", e.memory);
  line.number("freeze_us", e.freeze_us);
}
void fields(JsonLine& line, const SandboxThawed& e) {
  line.text("sandbox", e.sandbox);
  line.number("thaw_us", e.thaw_us);
}
void fields(JsonLine& line, const SandboxEvicted& e) {
  line.text("sandbox", e.sandbox);
  line.text("state", e.state);
  line.text("reason", e.reason);
}
void fields(JsonLine& line, const SandboxRestored& e) {
  line.text("sandbox", e.sandbox);
  line.text("engine", e.engine);
  line.number("restore_us", e.restore_us);
}
void fields(JsonLine& line, const SandboxNotRestored& e) {
  line.text("sandbox", e.sandbox);
  line.text("path", e.path);
  line.text("reason", e.reason);
}
void fields(JsonLine& line, const SandboxPreserved& e) {
  line.text("sandbox", e.sandbox);
  line.text("engine", e.engine);
  line.text("path", e.path);
  line.number("bytes", e.bytes);
  line.list("sessions", e.sessions);
  line.list("recordings", e.recordings);
}
void fields(JsonLine& line, const SandboxRemoved& e) {
  line.text("sandbox", e.sandbox);
  line.text("reason", e.reason);
}
void fields(JsonLine& line, const PoolStatus& e) {
  line.text("engine", e.engine);
  line.flag("failing", e.failing);
  line.number("warm", e.warm);
  line.number("target", e.target);
  line.number("starting", e.starting);
  line.number("total", e.total);
  line.number("waiting", e.waiting);
  line.number("arrivals_per_hour", e.arrivals_per_hour);
  line.number("start_ms", e.start_ms);
  line.number("started", e.started);
  line.number("failed", e.failed);
  line.number("claimed", e.claimed);
  line.number("claimed_warm", e.claimed_warm);
  line.number("refused", e.refused);
  line.number("recycled", e.recycled);
  line.list("images", e.images);
}
void fields(JsonLine& line, const RecordingFinished& e) {
  line.text("path", e.path);
  line.number("size", e.size);
  line.text("sha256", e.sha256);
  text_if_set(line, "sidecar_path", e.sidecar_path);
  if (e.sidecar_size) line.number("sidecar_size", *e.sidecar_size);
  text_if_set(line, "sidecar_sha256", e.sidecar_sha256);
  line.number("channel", e.channel);
  line.text_if_any("sandbox", e.sandbox);
  line.flag("complete", e.complete);
}
void fields(JsonLine& line, const RecordingRemoved& e) {
  line.text("path", e.path);
  line.number("bytes", e.bytes);
  line.text("reason", e.reason);
}
void fields(JsonLine& line, const LogRotated& e) {
  line.text("path", e.path);
  line.number("size", e.size);
  line.number("original_size", e.original_size);
}
void fields(JsonLine& line, const LogRemoved& e) {
  line.text("path", e.path);
  line.number("bytes", e.bytes);
  line.text("reason", e.reason);
}
void fields(JsonLine& line, const DiskSpace& e) {
  line.number("free", e.free);
  line.number("least", e.least);
}
void fields(JsonLine& line, const IpcDenied& e) {
  line.text("role", e.role);
  line.text("request", e.request);
  line.text("why", e.why);
}
void fields(JsonLine& line, const ErrorRaised& e) {
  line.text("where", e.where);
  line.text("what", e.what);
}

}  // namespace

std::string to_line(const Context& context, const Body& body) {
  std::string out;
  out.reserve(512);
  JsonLine line(out);
  line.text("time", base::to_iso8601(context.time));
  line.text("event", type_name(body));
  line.text_if_any("sensor", context.sensor);
  line.text_if_any("session", context.session);
  line.text_if_any("case", context.case_id);
  line.text_if_any("source_ip", context.source_ip);
  if (context.source_port != 0) line.number("source_port", context.source_port);
  std::visit([&line](const auto& event) { fields(line, event); }, body);
  line.end();
  out += '\n';
  return out;
}

}  // namespace sandtrap::event
