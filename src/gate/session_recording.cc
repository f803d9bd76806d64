// A program that the warden has opened: it runs only once its recording is open.
#include <chrono>

#include "gate/session.h"

namespace sandtrap::gate {

void Session::open_recording(Program& program) {
  program.stage = Program::Stage::kRecording;
  if (!program.recording_deadline) {
    program.recording_deadline = base::monotonic_now() + services_.scribe_patience;
  }
  // A scribe that is away is asked when it is back; see scribe_back().
  services_.scribe.send(ipc::OpenRecording{id_, program.channel, case_id_, program.opened.sandbox,
                                           remote_.ip, remote_.port});
}

void Session::scribe_back() {
  for (auto& [channel, program] : programs_) {
    if (program.stage == Program::Stage::kRecording) open_recording(program);
  }
}

void Session::on(const ipc::RecordingRefused& message) {
  Program* program = find(message.channel);
  if (program == nullptr || program->stage != Program::Stage::kRecording) return;
  emit(event::ErrorRaised{"recording", message.reason});
  refuse(*program, "recording: " + message.reason);
  turn();
}

void Session::on(const ipc::RecordingOpened& message, std::vector<base::Fd> descriptors) {
  Program* program = find(message.channel);
  if (program == nullptr || program->stage != Program::Stage::kRecording ||
      descriptors.size() != 2) {
    return services_.finish_recording(message.path);  // refused meanwhile: nobody will write it
  }
  auto recording =
      RecordingWriter::begin(std::move(descriptors[0]), std::move(descriptors[1]), message.path,
                             recording_header(*program), base::monotonic_now());
  if (recording) {
    recording->limit(services_.settings.recording.max_bytes);
    recording->on_growth([&scribe = services_.scribe, path = message.path] {
      scribe.send(ipc::RecordingGrew{path});  // a scribe that is away misses nothing by it
    });
    services_.warden.send(ipc::RecordingNamed{id_, program->channel, message.path});
    run(*program, std::move(*recording));
  } else {
    emit(event::ErrorRaised{"recording", recording.error().context});
    refuse(*program, "recording: " + recording.error().context);
  }
  turn();
}

record::Header Session::recording_header(const Program& program) const {
  const ipc::OpenProcess& request = program.request;
  record::Header header;
  if (program.pty) {
    header.columns = program.pty->columns;
    header.rows = program.pty->rows;
    header.env["TERM"] = program.pty->term;
  }
  header.start = base::wall_now();
  header.command = request.command;
  header.kind = program_kind(request.kind);
  header.pty = program.pty.has_value();
  header.env["SHELL"] = "/bin/bash";
  header.session = id_;
  header.case_id = case_id_;
  header.sandbox = program.opened.sandbox;
  header.source_ip = remote_.ip;
  header.user = user_;
  header.sensor = services_.settings.logging.sensor;
  header.channel = program.channel;
  return header;
}

void Session::run(Program& program, std::optional<RecordingWriter> recording) {
  const auto waited =
      std::chrono::duration_cast<std::chrono::microseconds>(base::monotonic_now() - program.asked);
  emit(event::ProgramStarted{program.channel, program.opened.sandbox,
                             recording ? recording->path() : std::string(),
                             static_cast<std::uint64_t>(waited.count())});
  program.recording_deadline.reset();
  program.stage = Program::Stage::kRunning;
  ProgramStreams streams;
  streams.input = std::move(program.descriptors[0]);
  if (!program.opened.duplex) {
    streams.output = std::move(program.descriptors[1]);
    streams.error = std::move(program.descriptors[2]);
  }
  program.descriptors.clear();
  streams.terminal = program.pty.has_value();
  streams.multiplexed = program.opened.multiplexed;
  streams.early_output = std::move(program.opened.early_output);
  ChannelPort& port = *this;
  Bridge::Options options;
  options.channel = program.channel;
  options.record_input = services_.settings.recording.record_input;
  options.scratch = services_.scratch;
  program.bridge = std::make_shared<Bridge>(services_.executor, port, std::move(streams),
                                            std::move(recording), options);
  if (!interactive_set_) {
    interactive_set_ = true;  // sshd does this once, for the first program
    socket_.set_interactive(program.pty.has_value());
  }
  server_.submit_program(program.channel, true);
  program.bridge->start();
  if (program.early_exit) exited(program, *std::exchange(program.early_exit, std::nullopt));
}

}  // namespace sandtrap::gate
