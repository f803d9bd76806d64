#include "scribe/intake.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <exception>
#include <utility>
#include <vector>

#include "scribe/log_repair.h"

namespace sandtrap::scribe {

namespace asio = boost::asio;
using base::Status;

namespace {

// Sums and the way to the disk can wait; sessions that use the same cores cannot.
void give_way(asio::thread_pool& pool) {
  constexpr int kNice = 10;
  asio::post(pool, [] { ::setpriority(PRIO_PROCESS, 0, kNice); });  // Linux: of this thread
}

}  // namespace

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
      pool_(1),
      behind_pool_(1) {
  give_way(pool_);
  give_way(behind_pool_);
  events_.on_pending([this] { asio::post(loop_, [this] { flush_soon(); }); });
}

Intake::~Intake() {
  pool_.join();
  behind_pool_.stop();  // what waits there is of use to nobody now
  behind_pool_.join();
}

Status Intake::start() {
  auto log_fd = folder_.open_log();
  if (!log_fd) return tl::unexpected(log_fd.error());
  repair();
  events_.attach(std::move(*log_fd));
  emit(event::SensorStarted{"scribe", {}, {}});
  for (Unfinished& found : folder_.unfinished()) {
    if (recordings_.size() >= kMaxRecordings) break;
    recordings_.emplace(found.path,
                        Open{std::move(found.origin), 0, found.complete, false, false, {}, {}});
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
  if (const auto* grew = std::get_if<ipc::RecordingGrew>(&message); grew != nullptr && gate) {
    return recording_grew(id, peer, *grew);
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
