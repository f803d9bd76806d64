#include "scribe/intake.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <exception>
#include <utility>
#include <vector>

#include "scribe/log_repair.h"

namespace sandtrap::scribe {

namespace asio = boost::asio;
using base::Result;
using base::Status;

Intake::Intake(asio::io_context& loop, DataFolder& folder, const config::Settings& settings,
               base::Log& log)
    : loop_(loop),
      folder_(folder),
      recording_enabled_(settings.recording.enabled),
      log_(log),
      events_(settings.logging.sensor),
      keeper_(loop, pool_, folder, Keeper::Limits{settings.logging, settings.disk},
              Keeper::Hooks{[this](const event::Body& body) { emit(body); },
                            [this] { return new_log(); }, [this] { return !recordings_.empty(); },
                            [this] {
                              if (on_change_) on_change_();
                            }},
              log),
      sweep_timer_(loop),
      retry_timer_(loop),
      pool_(1) {
  events_.on_pending([this] { asio::post(loop_, [this] { flush_soon(); }); });
}

Intake::~Intake() {
  pool_.join();
}

Status Intake::start() {
  auto log_fd = folder_.open_log();
  if (!log_fd) return tl::unexpected(log_fd.error());
  repair();
  events_.attach(std::move(*log_fd));
  emit(event::SensorStarted{"scribe", {}, {}});
  for (Unfinished& found : folder_.unfinished()) {
    if (recordings_.size() >= kMaxRecordings) break;
    recordings_.emplace(found.path, Open{std::move(found.origin), 0, found.complete, false});
  }
  arm_sweep();
  return keeper_.start();
}

// The old one was moved away: everybody goes on with the new one.
Status Intake::new_log() {
  static_cast<void>(flush());  // what is left unwritten goes into the new one
  auto log_fd = folder_.open_log();
  if (!log_fd) return tl::unexpected(log_fd.error());
  events_.attach(std::move(*log_fd));
  for (auto& [id, peer] : peers_) open_log(*peer);
  return {};
}

void Intake::add_peer(std::string role, base::Fd socket) {
  const std::uint64_t id = next_peer_++;
  if (unsigned& lost = lost_peers_[role]; lost > 0) {
    --lost;
    emit(event::RoleRestarted{role, "its process ended unexpectedly"});
  }
  peers_.emplace(id, std::unique_ptr<Peer>(new Peer{
                         std::move(role), net::Channel(loop_.get_executor(), std::move(socket))}));
  asio::co_spawn(loop_, serve(id), [this, id](const std::exception_ptr& failure) {
    if (failure) log_.error("a peer's loop ended by an exception");
    peer_gone(id);
  });
}

asio::awaitable<void> Intake::serve(std::uint64_t id) {
  Peer& peer = *peers_.at(id);  // erased only after this coroutine
  while (true) {
    auto packet = co_await peer.channel.receive();
    if (!packet) {
      if (packet.error().code != base::Errc::kClosed) {
        deny(peer, "packet", packet.error().context);
      }
      break;
    }
    if (!handle(id, peer, packet->message)) break;
  }
}

bool Intake::handle(std::uint64_t id, Peer& peer, const ipc::Message& message) {
  const bool gate = peer.role == "gate";
  if (std::holds_alternative<ipc::OpenEventLog>(message)) {
    open_log(peer);
    return true;
  }
  if (const auto* open = std::get_if<ipc::OpenRecording>(&message); open != nullptr && gate) {
    open_recording(id, peer, *open);
    return true;
  }
  if (const auto* finish = std::get_if<ipc::FinishRecording>(&message); finish != nullptr && gate) {
    return finish_recording(id, peer, *finish);
  }
  deny(peer, ipc::name(message), "not a request of this role");
  return false;
}

void Intake::open_log(Peer& peer) {
  auto fd = folder_.open_log();
  if (!fd) {
    log_.error("event log: {}", fd.error().context);
    return;
  }
  std::vector<base::Fd> descriptors;
  descriptors.push_back(std::move(*fd));
  static_cast<void>(peer.channel.send(ipc::EventLogOpened{}, std::move(descriptors)));
}

void Intake::open_recording(std::uint64_t id, Peer& peer, const ipc::OpenRecording& request) {
  const auto refuse = [&peer, &request](std::string reason) {
    static_cast<void>(peer.channel.send(
        ipc::RecordingRefused{request.session, request.channel, std::move(reason)}));
  };
  if (!recording_enabled_) return refuse("recording is turned off");
  if (keeper_.disk_low()) return refuse("the disk is nearly full: disk.min_free_bytes");
  if (recordings_.size() >= kMaxRecordings) return refuse("too many open recordings");
  Origin origin{request.session,   request.case_id,     request.sandbox,
                request.source_ip, request.source_port, request.channel};
  auto made = folder_.create_recording(origin, base::wall_now());
  if (!made) {
    log_.error("new recording: {}", made.error().context);
    emit(event::ErrorRaised{"scribe.recording", made.error().context});
    return refuse(made.error().context);
  }
  recordings_.emplace(made->path, Open{std::move(origin), id, false, false});
  std::vector<base::Fd> descriptors;
  descriptors.push_back(std::move(made->cast));
  descriptors.push_back(std::move(made->binary));
  const Status sent = peer.channel.send(
      ipc::RecordingOpened{request.session, request.channel, made->path}, std::move(descriptors));
  if (sent) return;
  // It asks and does not read, or is gone: serve() sees the end, and the sweep what is left.
  peer.channel.close();
  if (sent.error().code == base::Errc::kLimit && on_denied_) on_denied_();
}

bool Intake::finish_recording(std::uint64_t id, Peer& peer, const ipc::FinishRecording& request) {
  const auto found = recordings_.find(request.path);
  // An earlier scribe's recordings have no owner here; one that the sweep found first is done.
  if (found == recordings_.end()) return true;
  if (found->second.owner != 0 && found->second.owner != id) {
    deny(peer, ipc::name(request), "another gate's recording");
    return false;
  }
  folder_.mark_complete(request.path);
  finish(request.path, true);
  return true;
}

void Intake::deny(const Peer& peer, std::string_view request, std::string why) {
  log_.warn("{} sent {}: {}; connection ended", peer.role, request, why);
  emit(event::IpcDenied{peer.role, std::string(request), std::move(why)});
  if (peer.role == "gate" && on_denied_) on_denied_();
}

void Intake::peer_gone(std::uint64_t id) {
  ++lost_peers_[peers_.at(id)->role];
  peers_.erase(id);
  repair();
  for (auto& [path, open] : recordings_) {
    if (open.owner == id) open.owner = 0;
  }
  sweep();
  if (on_change_) on_change_();
}

void Intake::repair() {
  auto fd = folder_.open_log_for_repair();
  if (!fd) return;
  const auto done = repair_log(fd->get());
  if (!done) {
    log_.error("repair of the event log: {}", done.error().context);
  } else if (done->pieces > 0) {
    const std::string text =
        fmt::format("events.jsonl: blanked {} torn lines, {} bytes", done->pieces, done->bytes);
    log_.warn("{}", text);
    // This line also ends the run of spaces that the torn one became.
    emit(event::ErrorRaised{"scribe.repair", text});
    flush_soon();
  }
}

void Intake::sweep() {
  std::vector<std::pair<std::string, bool>> dead;
  bool undecided = false;
  for (const auto& [path, open] : recordings_) {
    if (open.owner != 0 || open.finishing) continue;
    if (folder_.has_writer(path)) {
      undecided = true;
    } else {
      dead.emplace_back(path, open.complete);
    }
  }
  for (const auto& [path, complete] : dead) finish(path, complete);
  if (undecided) arm_sweep();
}

void Intake::arm_sweep() {
  if (sweep_armed_ || recordings_.empty()) return;
  sweep_armed_ = true;
  sweep_timer_.expires_after(kSweep);
  sweep_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    sweep_armed_ = false;
    sweep();
  });
}

void Intake::finish(const std::string& path, bool complete) {
  Open& open = recordings_.at(path);
  if (open.finishing) return;
  open.finishing = true;
  open.complete = complete;
  ++jobs_;
  // The pool uses the folder's const functions only, which share nothing but descriptors.
  asio::post(pool_, [this, path, origin = open.origin, &folder = std::as_const(folder_)] {
    auto files = folder.open_recording(path);
    Result<Finished> result =
        files ? finish_files(*files, origin) : Result<Finished>(tl::unexpected(files.error()));
    asio::post(loop_, [this, path, result = std::move(result)] { finished(path, result); });
  });
}

void Intake::finished(const std::string& path, const Result<Finished>& result) {
  --jobs_;
  keeper_.recording_changed();
  const auto found = recordings_.find(path);
  const Open open = std::move(found->second);
  recordings_.erase(found);
  event::Context context;
  context.session = open.origin.session;
  context.case_id = open.origin.case_id;
  context.source_ip = open.origin.source_ip;
  context.source_port = open.origin.source_port;
  if (!result) {
    log_.error("finish {}: {}", path, result.error().context);
    events_.emit(context, event::ErrorRaised{"scribe.recording", result.error().context});
  } else {
    event::RecordingFinished event;
    event.path = path;
    event.size = result->cast.size;
    event.sha256 = result->cast.sha256;
    if (result->sidecar) {
      event.sidecar_path = sidecar_of(path);
      event.sidecar_size = result->sidecar->size;
      event.sidecar_sha256 = result->sidecar->sha256;
    } else {
      folder_.remove_sidecar(path);
    }
    event.channel = open.origin.channel;
    event.sandbox = open.origin.sandbox;
    event.complete = open.complete;
    events_.emit(context, event);
  }
  // The marker goes once the event is on disk: a crash in between finishes the recording twice
  // rather than never. One that cannot be finished now is tried again at the next start.
  const bool gone = !result && result.error().code == base::Errc::kNotFound;
  if (flush() && (result || gone)) folder_.finished(path);
  if (on_change_) on_change_();
}

Status Intake::flush() {
  const Status status = events_.flush();
  if (!status && !write_failed_) log_.error("{}; trying again", status.error().context);
  if (status && write_failed_) log_.info("the event log can be written again");
  write_failed_ = !status;
  return status;
}

void Intake::flush_soon() {
  if (flush()) return;
  retry_timer_.expires_after(std::chrono::seconds(1));
  retry_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) flush_soon();
  });
}

}  // namespace sandtrap::scribe
