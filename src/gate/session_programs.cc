// Channels and their programs: from the request to the end. What lies between the two is in
// session_recording.cc.
#include <algorithm>
#include <array>

#include "gate/loopback.h"
#include "gate/session.h"

namespace sandtrap::gate {
namespace {

constexpr std::size_t kModeSize = 5;          // opcode and argument (RFC 4254 §8)
constexpr std::uint32_t kMaxPrograms = 1000;  // what the warden permits (ipc/permissions.h)

// RFC 4254 §6.10's list; the others carry OpenSSH's suffix.
std::string signal_name(std::uint32_t number) {
  struct Row {
    std::uint32_t number;
    const char* name;
  };
  constexpr Row kNames[] = {{6, "ABRT"},  {14, "ALRM"}, {8, "FPE"},   {1, "HUP"},  {4, "ILL"},
                            {2, "INT"},   {9, "KILL"},  {13, "PIPE"}, {3, "QUIT"}, {11, "SEGV"},
                            {15, "TERM"}, {10, "USR1"}, {12, "USR2"}};
  for (const Row& row : kNames) {
    if (row.number == number) return row.name;
  }
  return "SIG@openssh.com";
}

}  // namespace

std::string_view program_kind(std::uint8_t kind) {
  constexpr std::array<std::string_view, 3> kNames = {"shell", "exec", "subsystem"};
  return kind < kNames.size() ? kNames[kind] : "";
}

Program* Session::find(ssh::ChannelId channel) {
  const auto found = programs_.find(channel);
  return found == programs_.end() ? nullptr : &found->second;
}

void Session::handle(const ssh::ChannelOpened& event) {
  ++channels_;
  programs_[event.channel].channel = event.channel;
  emit(event::ChannelOpened{event.channel});
}

void Session::handle(const ssh::PtyRequest& event) {
  if (Program* program = find(event.channel)) {
    // No terminal has such a name and no client so many modes; the warden would take a message that
    // it cannot decode for an attack and hang up on all sessions.
    base::Bytes modes = event.modes;
    modes.resize(std::min(modes.size(), ipc::kMaxModes / kModeSize * kModeSize));
    program->pty = ipc::Pty{event.term.substr(0, ipc::kMaxShort),
                            event.columns,
                            event.rows,
                            event.width_px,
                            event.height_px,
                            std::move(modes)};
  }
  emit(event::PtyRequested{event.channel, event.term, event.columns, event.rows,
                           base::to_hex(event.modes)});
}

void Session::handle(const ssh::EnvRequest& event) {
  Program* program = find(event.channel);
  const std::size_t size = event.name.size() + event.value.size();
  if (program != nullptr && event.accepted && program->env.size() < ipc::kMaxEnv &&
      event.name.size() <= ipc::kMaxShort && event.value.size() <= ipc::kMaxShort &&
      program->env_bytes + size <= ipc::kMaxEnvBytes) {
    program->env_bytes += size;
    program->env.emplace_back(event.name, event.value);
  }
  emit(event::EnvRequested{event.channel, event.name, event.value, event.accepted});
}

void Session::handle(const ssh::ProgramRequest& event) {
  Program* program = find(event.channel);
  if (program == nullptr) return server_.submit_program(event.channel, false);
  ipc::OpenProcess request;
  request.session = id_;
  request.channel = event.channel;
  request.kind = static_cast<std::uint8_t>(event.kind);
  request.command = event.command;
  emit(event::ProgramRequested{event.channel, std::string(program_kind(request.kind)),
                               event.command});
  if (event.kind == ssh::ProgramKind::kSubsystem && event.command != "sftp") {
    return server_.submit_program(event.channel, false);  // sshd: no such subsystem
  }
  program->asked = base::monotonic_now();
  program->request = std::move(request);
  program->stage = Program::Stage::kOpening;
  if (program->request.command.size() > ipc::kMaxCommand || ++programs_opened_ > kMaxPrograms) {
    return refuse(*program, "limit");
  }
  program->request.has_pty = program->pty.has_value();
  if (program->pty) program->request.pty = *program->pty;
  program->request.env = environment(*program);
  program->warden = warden_;
  if (!services_.warden.send(program->request) && !warden_deadline_) {
    warden_deadline_ = base::monotonic_now() + services_.warden_patience;
  }
}

void Session::on(const ipc::ProcessRefused& message) {
  Program* program = find(message.channel);
  if (program == nullptr || program->stage != Program::Stage::kOpening) return;
  refuse(*program, message.reason);
  turn();
}

// What sshd answers when its fork fails: CHANNEL_FAILURE, and the connection stays.
void Session::refuse(Program& program, std::string_view reason) {
  if (program.stage == Program::Stage::kRecording && program.warden == warden_) {
    services_.warden.send(ipc::CloseProcess{id_, program.channel});
  }
  emit(event::ProgramRefused{program.channel, std::string(reason)});
  program.stage = Program::Stage::kNone;
  program.descriptors.clear();
  program.recording_deadline.reset();
  program.early_exit.reset();
  server_.submit_program(program.channel, false);
}

void Session::on(ipc::ProcessOpened message, std::vector<base::Fd> descriptors) {
  Program* program = find(message.channel);
  if (program == nullptr || program->stage != Program::Stage::kOpening) return;
  if (descriptors.size() != (message.duplex ? 1U : 3U)) {
    program->stage = Program::Stage::kRecording;  // for the CloseProcess
    refuse(*program, "the warden sent the wrong descriptors");
    return turn();
  }
  program->opened = std::move(message);
  program->descriptors = std::move(descriptors);
  if (services_.settings.recording.enabled) {
    open_recording(*program);
  } else {
    run(*program, std::nullopt);
  }
  turn();
}

void Session::handle(const ssh::WindowChange& event) {
  Program* program = find(event.channel);
  emit(event::WindowChanged{event.channel, event.columns, event.rows});
  if (program == nullptr || !program->bridge) return;
  program->bridge->resize(event.columns, event.rows);
  if (program->warden != warden_) return;
  services_.warden.send(ipc::ResizeProcess{id_, event.channel, event.columns, event.rows,
                                           event.width_px, event.height_px});
}

void Session::handle(const ssh::SignalRequest& event) {
  const Program* program = find(event.channel);
  emit(event::SignalSent{event.channel, event.name});
  if (program == nullptr || !program->bridge || program->warden != warden_) return;
  if (program->stage != Program::Stage::kRunning) return;
  services_.warden.send(ipc::SignalProcess{id_, event.channel, event.name});
}

void Session::handle(const ssh::BreakRequest& event) {
  emit(event::ChannelRequestSeen{event.channel, "break"});
}

void Session::handle(const ssh::ChannelInput& event) {
  if (const auto loopback = loopbacks_.find(event.channel); loopback != loopbacks_.end()) {
    // The view may die with the answer.
    const base::Bytes data(event.data.begin(), event.data.end());
    loopback->second->input(data);
    return server_.channel_consumed(event.channel, data.size());
  }
  Program* program = find(event.channel);
  if (program == nullptr || !program->bridge) {
    return server_.channel_consumed(event.channel, event.data.size());
  }
  program->bridge->input(event.data);
}

void Session::handle(const ssh::ChannelEof& event) {
  if (const auto loopback = loopbacks_.find(event.channel); loopback != loopbacks_.end()) {
    return loopback->second->input_ended();
  }
  Program* program = find(event.channel);
  if (program == nullptr || !program->bridge) return;
  if (!event.closed) return program->bridge->input_ended();
  abandon(*program);
}

// The client closed the channel while the program runs: as sshd, let go of its descriptors (hence
// SIGHUP or SIGPIPE); the channel waits for the program's end.
void Session::abandon(Program& program) {
  program.client_closed = true;
  end_program(program);
  if (program.stage != Program::Stage::kRunning) return;
  if (program.warden == warden_ && services_.warden.up()) {
    services_.warden.send(ipc::CloseProcess{id_, program.channel});
  } else {
    exited(program, {id_, program.channel, 2, 0, false});
  }
}

void Session::on(const ipc::ProcessExited& message) {
  Program* program = find(message.channel);
  if (program == nullptr) return;
  if (program->stage == Program::Stage::kRecording) {
    program->early_exit = message;
  } else if (program->stage == Program::Stage::kRunning) {
    exited(*program, message);
    turn();
  }
}

void Session::exited(Program& program, const ipc::ProcessExited& exit) {
  program.stage = Program::Stage::kEnded;
  if (program.bridge) program.bridge->feed();  // its last words first
  event::ProgramExited logged{};
  logged.channel = program.channel;
  ssh::Exit result = ssh::ExitStatus{0};  // also for an end that nobody saw: docs/gate.md
  if (exit.kind == 1) {
    result = ssh::ExitSignal{signal_name(exit.value), exit.core_dumped};
    logged.signal = std::get<ssh::ExitSignal>(result).name;
  } else if (exit.kind == 0) {
    result = ssh::ExitStatus{exit.value};
    logged.status = exit.value;
  }
  emit(logged);
  server_.channel_exited(program.channel, result);
}

void Session::output_ended(ssh::ChannelId channel, std::size_t recent) {
  Program* program = find(channel);
  if (program == nullptr) return;
  program->output_ended = true;
  server_.channel_output_eof(channel, recent);
  const bool orphaned = program->warden != warden_ || !services_.warden.up();
  if (orphaned && program->stage == Program::Stage::kRunning) {
    exited(*program, {id_, channel, 2, 0, false});
  }
}

// Closes the bridge and its recording, and says so, once.
void Session::end_program(Program& program) {
  if (program.closed_logged) return;
  program.closed_logged = true;
  Bridge::Totals totals;
  if (const std::shared_ptr<Bridge> bridge = std::exchange(program.bridge, nullptr)) {
    const std::string path = bridge->close();
    if (!path.empty()) services_.finish_recording(path);
    totals = bridge->totals();
  }
  emit(event::ChannelClosed{program.channel, totals.in, totals.out, totals.error});
}

void Session::handle(const ssh::ChannelClosed& event) {
  loopbacks_.erase(event.channel);
  Program* program = find(event.channel);
  if (program == nullptr) return;
  end_program(*program);
  programs_.erase(event.channel);
}

void Session::close_programs() {
  for (auto& [channel, program] : programs_) end_program(program);
  programs_.clear();
}

}  // namespace sandtrap::gate
