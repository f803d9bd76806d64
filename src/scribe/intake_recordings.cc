// Recordings: opened for a gate, brought to the disk while they grow, finished at their end.
#include <fcntl.h>

#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "scribe/intake.h"

namespace sandtrap::scribe {

namespace asio = boost::asio;
using base::Result;
using base::Status;

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
  recordings_.emplace(made->path, Open{std::move(origin), id, false, false, false, {}, {}});
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

// The next note makes good for one that finds the disk still busy with this recording.
bool Intake::recording_grew(std::uint64_t id, Peer& peer, const ipc::RecordingGrew& note) {
  const auto found = recordings_.find(note.path);
  if (found == recordings_.end()) return true;
  Open& open = found->second;
  if (open.owner != 0 && open.owner != id) {
    deny(peer, ipc::name(note), "another gate's recording");
    return false;
  }
  if (open.behind_busy || open.finishing) return true;
  open.behind_busy = true;
  asio::post(behind_pool_, [this, path = note.path, cast = open.cast, binary = open.binary,
                            &folder = std::as_const(folder_)]() mutable {
    // Only to read: one who writes would look like the gate to has_writer().
    const auto files = folder.open_recording(path, O_RDONLY);
    Status done = files ? cast.advance(files->cast.get()) : tl::unexpected(files.error());
    if (done && files->binary) done = binary.advance(files->binary.get());
    asio::post(loop_, [this, path, cast, binary, done] { went_behind(path, cast, binary, done); });
  });
  return true;
}

void Intake::went_behind(const std::string& path, WriteBehind cast, WriteBehind binary,
                         const Status& done) {
  const auto found = recordings_.find(path);
  if (found == recordings_.end()) return;
  Open& open = found->second;
  if (!done) {
    log_.error("{}: {}", path, done.error().context);
    return emit(event::ErrorRaised{"scribe.recording", path + ": " + done.error().context});
  }
  open.behind_busy = false;
  open.cast = cast;
  open.binary = binary;
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

}  // namespace sandtrap::scribe
