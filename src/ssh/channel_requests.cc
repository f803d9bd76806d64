#include "ssh/channel_requests.h"

#include <algorithm>
#include <array>

#include "ssh/channel_messages.h"

namespace sandtrap::ssh {
namespace {

using Verdict = RequestVerdict;
constexpr std::size_t kLoopbackAddresses = 2;
constexpr std::uint32_t kMaxEnvRequests = 129;  // sshd: "too many env vars"

// The names sshd knows on Linux, which has no SIGINFO.
constexpr std::array<std::string_view, 13> kSignals = {"ABRT", "ALRM", "FPE",  "HUP",  "ILL",
                                                       "INT",  "KILL", "PIPE", "QUIT", "SEGV",
                                                       "TERM", "USR1", "USR2"};

Verdict pty_req(Reader& in, const RequestContext& c) {
  if (c.channel.has_pty) return Verdict::kSecondPty;
  PtyRequest pty{c.channel.id(), std::string(in.text()), 0, 0, 0, 0, {}};
  pty.columns = in.u32();
  pty.rows = in.u32();
  pty.width_px = in.u32();
  pty.height_px = in.u32();
  const ByteView modes = in.string();
  if (!in.done() || !valid_terminal_modes(modes)) return Verdict::kMalformed;
  pty.modes.assign(modes.begin(), modes.end());
  c.channel.has_pty = true;
  c.events.emplace_back(std::move(pty));
  return Verdict::kSuccess;
}

Verdict env(Reader& in, const RequestContext& c) {
  EnvRequest request{c.channel.id(), std::string(in.text()), std::string(in.text()), false};
  if (!in.done()) return Verdict::kMalformed;
  request.accepted = c.channel.env_requests < kMaxEnvRequests &&
                     env_accepted(c.profile.accepted_env, request.name);
  if (request.accepted) ++c.channel.env_requests;
  const Verdict verdict = request.accepted ? Verdict::kSuccess : Verdict::kFailure;
  c.events.emplace_back(std::move(request));
  return verdict;
}

Verdict program(ProgramKind kind, Reader& in, const RequestContext& c) {
  std::string command;
  if (kind != ProgramKind::kShell) command = in.text();
  if (!in.done()) return Verdict::kMalformed;
  c.channel.is_subsystem = kind == ProgramKind::kSubsystem;
  c.channel.starting();
  c.events.emplace_back(ProgramRequest{c.channel.id(), kind, std::move(command)});
  return Verdict::kLater;
}
Verdict shell(Reader& in, const RequestContext& c) {
  return program(ProgramKind::kShell, in, c);
}
Verdict exec(Reader& in, const RequestContext& c) {
  return program(ProgramKind::kExec, in, c);
}
Verdict subsystem(Reader& in, const RequestContext& c) {
  return program(ProgramKind::kSubsystem, in, c);
}

// What sshd would hand to xauth(1).
bool valid_for_xauth(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view(".:/-_").find(c) != std::string_view::npos;
  });
}

Verdict x11_req(Reader& in, const RequestContext& c) {
  X11Request request{c.channel.id(), c.free_display, 0, in.boolean(), {}, {}};
  request.protocol = in.text();
  request.cookie = in.text();
  request.screen = in.u32();
  if (!in.done()) return Verdict::kMalformed;
  const auto refuse = [&c] {
    c.events.emplace_back(OtherChannelRequest{c.channel.id(), "x11-req"});
    return Verdict::kFailure;
  };
  if (!valid_for_xauth(request.protocol) || !valid_for_xauth(request.cookie)) return refuse();
  if (!c.profile.xauth) {
    c.sink.send(Writer(message::kDebug)
                    .boolean(false)
                    .string("No xauth program; cannot forward X11.")
                    .string("")
                    .view());
    return refuse();
  }
  if (c.channel.display) return refuse();
  c.channel.listeners = c.listen(kLoopbackAddresses);
  if (c.channel.listeners.empty()) return refuse();
  c.channel.display = c.free_display;
  c.events.emplace_back(std::move(request));
  return Verdict::kSuccess;
}

Verdict auth_agent_req(Reader& in, const RequestContext& c) {
  if (!in.done()) return Verdict::kMalformed;
  if (c.agent_requested || c.listen(1).empty()) {
    c.events.emplace_back(OtherChannelRequest{c.channel.id(), "auth-agent-req@openssh.com"});
    return Verdict::kFailure;
  }
  c.agent_requested = true;
  c.events.emplace_back(AgentRequest{c.channel.id()});
  return Verdict::kSuccess;
}

Verdict window_change(Reader& in, const RequestContext& c) {
  WindowChange change{c.channel.id(), 0, 0, 0, 0};
  change.columns = in.u32();
  change.rows = in.u32();
  change.width_px = in.u32();
  change.height_px = in.u32();
  if (!in.done()) return Verdict::kMalformed;
  if (c.channel.has_pty) c.events.emplace_back(change);
  return Verdict::kSuccess;
}

Verdict signal(Reader& in, const RequestContext& c) {
  const std::string name(in.text());
  if (!in.done()) return Verdict::kMalformed;
  const bool known = std::find(kSignals.begin(), kSignals.end(), name) != kSignals.end();
  if (!known || c.refuse_signals || c.channel.is_subsystem ||
      c.channel.phase() != Channel::Phase::kRunning) {
    c.events.emplace_back(OtherChannelRequest{c.channel.id(), "signal"});
    return Verdict::kFailure;
  }
  c.events.emplace_back(SignalRequest{c.channel.id(), name});
  return Verdict::kSuccess;
}

Verdict send_break(Reader& in, const RequestContext& c) {
  const std::uint32_t milliseconds = in.u32();
  if (!in.done()) return Verdict::kMalformed;
  if (!c.channel.has_pty || c.channel.phase() != Channel::Phase::kRunning) {
    c.events.emplace_back(OtherChannelRequest{c.channel.id(), "break"});
    return Verdict::kFailure;
  }
  c.events.emplace_back(BreakRequest{c.channel.id(), milliseconds});
  return Verdict::kSuccess;
}

struct Handler {
  std::string_view type;
  bool larval_only;  // on a started channel sshd refuses it without a look at its fields
  Verdict (*handle)(Reader&, const RequestContext&);
};
constexpr Handler kHandlers[] = {
    {"pty-req", true, pty_req},
    {"env", true, env},
    {"shell", true, shell},
    {"exec", true, exec},
    {"subsystem", true, subsystem},
    {"x11-req", true, x11_req},
    {"auth-agent-req@openssh.com", true, auth_agent_req},
    {"window-change", false, window_change},
    {"signal", false, signal},
    {"break", false, send_break},
};

}  // namespace

RequestVerdict handle_channel_request(std::string_view type, Reader body,
                                      const RequestContext& context) {
  // Once the program is gone its session is released, and everything is refused.
  const bool session = !context.channel.is_direct;
  const bool larval = context.channel.phase() == Channel::Phase::kLarval;
  for (const Handler& handler : kHandlers) {
    if (!session || handler.type != type || (handler.larval_only && !larval)) continue;
    return handler.handle(body, context);
  }
  if (type == "eow@openssh.com") {
    if (!body.done()) return Verdict::kMalformed;
    context.channel.peer_eow(context.events);
    return Verdict::kFailure;
  }
  context.events.emplace_back(OtherChannelRequest{context.channel.id(), std::string(type)});
  return Verdict::kFailure;
}

bool valid_terminal_modes(ByteView modes) {
  Reader in(modes);
  while (in.ok() && in.left() > 0) {  // sshd does not miss a TTY_OP_END
    const std::uint8_t opcode = in.byte();
    if (opcode == 0 || opcode >= 160) return true;  // 160 and up end the list (RFC 4254 §8)
    in.u32();
  }
  return in.ok();
}

bool env_accepted(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(), [name](std::string_view pattern) {
    if (!pattern.empty() && pattern.back() == '*') {
      return name.starts_with(pattern.substr(0, pattern.size() - 1));
    }
    return name == pattern;
  });
}

}  // namespace sandtrap::ssh
