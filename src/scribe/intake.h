// What gates and the warden ask of the scribe: the event log's descriptor, recordings, and their
// end. A peer that dies leaves its recordings to us. Owned by run(); lives on the scribe's loop;
// one pool thread hashes, another brings to the disk what is still written.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/log.h"
#include "config/settings.h"
#include "event/event_log.h"
#include "net/channel.h"
#include "scribe/data_folder.h"
#include "scribe/finisher.h"
#include "scribe/keeper.h"
#include "scribe/write_behind.h"

namespace sandtrap::scribe {

class Intake {
 public:
  // More open recordings are refused: a gate that lost count must not fill our memory.
  static constexpr std::size_t kMaxRecordings = 65536;
  // How often a recording without an owner is asked whether somebody still writes it.
  static constexpr std::chrono::seconds kSweep{3};

  Intake(boost::asio::io_context& loop, DataFolder& folder, const config::Settings& settings,
         base::Log& log);
  ~Intake();

  // Repairs the log, opens it, and takes over what an earlier scribe left unfinished.
  base::Status start();
  void add_peer(std::string role, base::Fd socket);
  void emit(const event::Body& body) { events_.emit({}, body); }

  // Finishes what no process writes any more. Runs by itself every kSweep while there is any.
  void sweep();
  // Called when a gate has lost its link for what it sent.
  void on_denied(std::function<void()> callback) { on_denied_ = std::move(callback); }
  bool peers_gone() const { return peers_.empty(); }
  bool no_jobs() const { return jobs_ == 0 && keeper_.no_jobs(); }
  Keeper& keeper() { return keeper_; }
  // Called whenever peers_gone() or no_jobs() may have become true.
  void on_change(std::function<void()> callback) { on_change_ = std::move(callback); }
  base::Status flush();  // the event log, at the end

 private:
  struct Peer {
    std::string role;
    net::Channel channel;
  };
  struct Open {
    Origin origin;
    std::uint64_t owner = 0;  // peer; 0: none that we know
    bool complete = false, finishing = false;
    bool behind_busy = false;  // also for good, after an error of the disk
    WriteBehind cast, binary;
  };

  boost::asio::awaitable<void> serve(std::uint64_t id);
  bool handle(std::uint64_t id, Peer& peer, const ipc::Message& message);
  void open_log(Peer& peer);
  base::Status new_log();
  void open_recording(std::uint64_t id, Peer& peer, const ipc::OpenRecording& request);
  bool finish_recording(std::uint64_t id, Peer& peer, const ipc::FinishRecording& request);
  bool recording_grew(std::uint64_t id, Peer& peer, const ipc::RecordingGrew& note);
  void went_behind(const std::string& path, WriteBehind cast, WriteBehind binary,
                   const base::Status& done);
  void deny(const Peer& peer, std::string_view request, std::string why);
  void peer_gone(std::uint64_t id);
  void repair();
  void finish(const std::string& path, bool complete);
  void finished(const std::string& path, const base::Result<Finished>& result);
  void arm_sweep();
  void flush_soon();

  boost::asio::io_context& loop_;
  DataFolder& folder_;
  const bool recording_enabled_;
  base::Log& log_;
  event::EventLog events_;
  std::function<void()> on_change_, on_denied_;
  std::map<std::uint64_t, std::unique_ptr<Peer>> peers_;
  std::map<std::string, Open> recordings_;      // by path
  std::map<std::string, unsigned> lost_peers_;  // by role; not yet replaced
  std::uint64_t next_peer_ = 1;
  std::size_t jobs_ = 0;
  Keeper keeper_;
  bool sweep_armed_ = false, write_failed_ = false;
  boost::asio::steady_timer sweep_timer_, retry_timer_;
  boost::asio::thread_pool pool_, behind_pool_;  // last: their threads end before what they use
};

}  // namespace sandtrap::scribe
