// event.h: what each event is called.
#include "event/event.h"

namespace sandtrap::event {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;  // clang 14 does not deduce aggregates by itself

std::string_view program_name(std::string_view kind) {
  if (kind == "shell") return "channel.shell";
  if (kind == "subsystem") return "channel.subsystem";
  return "channel.exec";
}

}  // namespace

std::string_view type_name(const Body& body) {
  using View = std::string_view;
  return std::visit(
      Overloaded{
          [](const SensorStarted&) -> View { return "sensor.started"; },
          [](const SensorStopped&) -> View { return "sensor.stopped"; },
          [](const RoleRestarted&) -> View { return "role.restarted"; },
          [](const ConnectionOpened&) -> View { return "connection.opened"; },
          [](const ConnectionRefused&) -> View { return "connection.refused"; },
          [](const ConnectionClosed&) -> View { return "connection.closed"; },
          [](const TrafficSeen&) -> View { return "connection.traffic"; },
          [](const ClientVersion&) -> View { return "client.version"; },
          [](const ClientKex&) -> View { return "client.kex"; },
          [](const KexCompleted&) -> View { return "kex.completed"; },
          [](const LoginAttempt& e) -> View {
            return e.succeeded ? "login.succeeded" : "login.failed";
          },
          [](const KeyOffered&) -> View { return "login.key_offered"; },
          [](const ChannelOpened&) -> View { return "channel.opened"; },
          [](const PtyRequested&) -> View { return "channel.pty"; },
          [](const EnvRequested&) -> View { return "channel.env"; },
          [](const ProgramRequested& e) -> View { return program_name(e.kind); },
          [](const ProgramStarted&) -> View { return "channel.started"; },
          [](const ProgramRefused&) -> View { return "channel.refused"; },
          [](const ProgramExited&) -> View { return "channel.exited"; },
          [](const WindowChanged&) -> View { return "channel.window_change"; },
          [](const SignalSent&) -> View { return "channel.signal"; },
          [](const ChannelRequestSeen&) -> View { return "channel.request"; },
          [](const ChannelClosed&) -> View { return "channel.closed"; },
          [](const ForwardAttempt&) -> View { return "forward.attempt"; },
          [](const GlobalRequestSeen&) -> View { return "connection.global_request"; },
          [](const SandboxReady&) -> View { return "sandbox.ready"; },
          [](const SandboxClaimed&) -> View { return "sandbox.claimed"; },
          [](const SandboxReleased&) -> View { return "sandbox.released"; },
          [](const CaseOpened&) -> View { return "case.opened"; },
          [](const CaseJoined&) -> View { return "case.joined"; },
          [](const SandboxFrozen&) -> View { return "sandbox.frozen"; },
          [](const SandboxThawed&) -> View { return "sandbox.thawed"; },
          [](const SandboxEvicted&) -> View { return "sandbox.evicted"; },
          [](const SandboxRestored&) -> View { return "sandbox.restored"; },
          [](const SandboxNotRestored&) -> View { return "sandbox.not_restored"; },
          [](const SandboxPreserved&) -> View { return "sandbox.preserved"; },
          [](const SandboxRemoved&) -> View { return "sandbox.removed"; },
          [](const PoolStatus&) -> View { return "pool.status"; },
          [](const RecordingFinished&) -> View { return "recording.finished"; },
          [](const RecordingRemoved&) -> View { return "recording.removed"; },
          [](const LogRotated&) -> View { return "log.rotated"; },
          [](const LogRemoved&) -> View { return "log.removed"; },
          [](const DiskSpace& e) -> View { return e.low ? "disk.low" : "disk.enough"; },
          [](const IpcDenied&) -> View { return "ipc.denied"; },
          [](const ErrorRaised&) -> View { return "error"; },
      },
      body);
}

}  // namespace sandtrap::event
