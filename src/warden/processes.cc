#include "warden/processes.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>

namespace sandtrap::warden {
namespace {

constexpr std::size_t kMaxSignalsWaiting = 16;
constexpr std::size_t kMaxEarlyOutput = 65536;  // what one ipc message takes

// What the gate is told; never the engine's own words.
std::string refusal(const base::Error& error) {
  switch (error.code) {
    case base::Errc::kLimit:
      return "no sandbox: too many wait";
    case base::Errc::kTimeout:
      return "no sandbox in time";
    default:
      return "the sandbox cannot run it";
  }
}

ipc::ProcessExited exited(const ipc::SessionId& session, std::uint32_t channel,
                          const sandbox::ExitResult& result) {
  ipc::ProcessExited out;
  out.session = session;
  out.channel = channel;
  out.kind = static_cast<std::uint8_t>(result.kind);
  out.value = static_cast<std::uint32_t>(result.value);
  out.core_dumped = result.core_dumped;
  return out;
}

static_assert(static_cast<int>(sandbox::ExitResult::Kind::kStatus) == 0 &&
              static_cast<int>(sandbox::ExitResult::Kind::kSignal) == 1 &&
              static_cast<int>(sandbox::ExitResult::Kind::kUnknown) == 2);

}  // namespace

Processes::Processes(net::asio::any_io_executor executor, SandboxPool& pool,
                     ProcessAnswers& answers, std::chrono::milliseconds exec_timeout,
                     base::Log& log)
    : executor_(executor),
      pool_(pool),
      answers_(answers),
      exec_timeout_(exec_timeout),
      log_(log),
      tasks_(executor, log) {}

Processes::RunRef Processes::find(const ipc::SessionId& session, std::uint32_t channel) const {
  const auto it = runs_.find(Key(session, channel));
  return it == runs_.end() ? nullptr : it->second;
}

bool Processes::in_use(const SlotRef& slot) const {
  return std::any_of(runs_.begin(), runs_.end(), [&](const auto& entry) {
    return entry.second->slot == slot && entry.second->process != nullptr;
  });
}

void Processes::forget(const RunRef& run) {
  const auto it = runs_.find(Key(run->session, run->channel));
  if (it != runs_.end() && it->second == run) runs_.erase(it);
}

void Processes::open(Claimant who, std::uint32_t channel, sandbox::ProcessSpec spec) {
  if (const RunRef old = find(who.session, channel)) let_go(old);
  auto fresh = std::make_shared<Run>();
  fresh->session = who.session;
  fresh->channel = channel;
  runs_[Key(who.session, channel)] = fresh;
  tasks_.spawn("run program", run(fresh, std::move(who), std::move(spec)));
}

void Processes::adopt(const ipc::SessionId& session, std::uint32_t channel) {
  auto old = std::make_shared<Run>();
  old->session = session;
  old->channel = channel;
  runs_[Key(session, channel)] = old;
}

net::Task<void> Processes::run(RunRef run, Claimant who, sandbox::ProcessSpec spec) {
  const base::Status started = co_await start(run, who, std::move(spec));
  if (run->interest->lost) {
    // The session ended while its sandbox was on the way; a second release does nothing.
    if (run->session_ended) pool_.release(who.case_id, who.session);
  } else if (!started) {
    refuse(run, started.error());
  }
  if (!run->process) co_return;
  if (run->interest->lost || !announce(run)) run->hang_up = true;
  control(run);
  const sandbox::ExitResult result = co_await run->process->wait();
  if (run->interest->lost) co_return;
  run->interest->lost = true;
  forget(run);
  if (result.kind == sandbox::ExitResult::Kind::kUnknown && !run->closed) {
    co_return answers_.watcher_lost(run->session);
  }
  answers_.answer(run->session, run->channel, exited(run->session, run->channel, result), {}, true);
}

// Leaves the process in `run`. An exec that misses its deadline is refused at once and hung up when
// it comes: the engine is not interrupted in the middle.
net::Task<base::Status> Processes::start(RunRef run, Claimant who, sandbox::ProcessSpec spec) {
  const base::Instant asked = base::monotonic_now();
  net::asio::steady_timer deadline(executor_);
  for (int attempt = 0;; ++attempt) {
    auto slot = co_await pool_.acquire(who, run->interest);
    if (!slot) co_return tl::unexpected(slot.error());
    run->slot = *slot;
    deadline.expires_after(exec_timeout_);
    deadline.async_wait([this, run](boost::system::error_code aborted) {
      if (!aborted && !run->process && !run->interest->lost) {
        refuse(run, base::Error{base::Errc::kTimeout, "exec took too long"});
      }
    });
    auto process = co_await run->slot->sandbox->exec(spec);
    deadline.cancel();
    if (process) {
      run->process = std::move(*process);
      const auto taken = base::monotonic_now() - asked;
      log_.debug("sandbox {}: claimed and running after {} us", run->slot->id,
                 std::chrono::duration_cast<std::chrono::microseconds>(taken).count());
      co_return base::Status{};
    }
    log_.warn("exec in sandbox {}: {}", run->slot->id, process.error().context);
    if (attempt == 1 || run->interest->lost) co_return tl::unexpected(process.error());
    // Full, or dead? Where another program still runs it is alive, and stays; a dead one leaves its
    // case, and the next attempt gets another.
    if (in_use(run->slot)) co_return tl::unexpected(process.error());
    const base::Status alive = co_await run->slot->sandbox->verify();
    if (!alive && !in_use(run->slot)) pool_.lost(run->slot);
  }
}

bool Processes::announce(const RunRef& run) {
  sandbox::Process::Streams streams = run->process->take_streams();
  if (streams.early_output.size() > kMaxEarlyOutput || !streams.input) {
    refuse(run, base::Error{base::Errc::kInvalid, "the engine's streams are unusable"});
    return false;
  }
  ipc::ProcessOpened opened;
  opened.session = run->session;
  opened.channel = run->channel;
  opened.sandbox = run->slot->id;
  opened.duplex = !streams.output;
  opened.multiplexed = streams.multiplexed;
  opened.early_output = std::move(streams.early_output);
  std::vector<base::Fd> descriptors;
  descriptors.push_back(std::move(streams.input));
  if (streams.output) {
    descriptors.push_back(std::move(streams.output));
    descriptors.push_back(std::move(streams.error));
  }
  answers_.answer(run->session, run->channel, opened, std::move(descriptors), false);
  return true;
}

void Processes::refuse(const RunRef& run, const base::Error& error) {
  run->interest->lost = true;
  forget(run);
  log_.info("session {}: program refused: {}", run->session, error.context);
  answers_.answer(run->session, run->channel,
                  ipc::ProcessRefused{run->session, run->channel, refusal(error)}, {}, true);
}

// Nobody hears of this one any more; it is hung up now, or as soon as it has started.
void Processes::let_go(const RunRef& run) {
  run->interest->lost = true;
  run->hang_up = true;
  control(run);
}

void Processes::close(const ipc::SessionId& session, std::uint32_t channel) {
  const RunRef run = find(session, channel);
  if (!run) return;  // it ended while the message was on its way
  if (run->process && !run->interest->lost) {
    run->closed = true;
    run->hang_up = true;  // its end is still reported: the client's channel waits for it
    return control(run);
  }
  forget(run);
  let_go(run);
  answers_.answer(session, channel, exited(session, channel, sandbox::ExitResult{}), {}, true);
}

void Processes::end_session(const ipc::SessionId& session) {
  for (auto it = runs_.lower_bound(Key(session, 0));
       it != runs_.end() && it->first.first == session;) {
    const RunRef run = it->second;
    it = runs_.erase(it);
    run->session_ended = true;
    let_go(run);
  }
}

void Processes::resize(const ipc::ResizeProcess& to) {
  const RunRef run = find(to.session, to.channel);
  if (!run) return;
  run->resize = Size{to.columns, to.rows, to.width_px, to.height_px};
  control(run);
}

void Processes::signal(const ipc::SessionId& session, std::uint32_t channel, int number) {
  const RunRef run = find(session, channel);
  if (!run || !run->process || run->signals.size() >= kMaxSignalsWaiting) return;
  run->signals.push_back(number);
  control(run);
}

// Orders to the engine go out one after the other, in a coroutine of their own; the newest size
// replaces one that waits.
void Processes::control(const RunRef& run) {
  if (!run->process || run->controlling) return;
  if (!run->resize && run->signals.empty() && !run->hang_up) return;
  run->controlling = true;
  tasks_.spawn("control program", control_loop(run));
}

net::Task<void> Processes::control_loop(RunRef run) {
  while (run->resize || !run->signals.empty() || run->hang_up) {
    if (run->hang_up) {
      run->hang_up = false;
      co_await run->process->hang_up();
    } else if (run->resize) {
      const Size to = *std::exchange(run->resize, std::nullopt);
      (void)co_await run->process->resize(to.columns, to.rows, to.width_px, to.height_px);
    } else {
      const int number = run->signals.front();
      run->signals.pop_front();
      (void)co_await run->process->signal(number);  // the process may have ended: nothing to do
    }
  }
  run->controlling = false;
}

}  // namespace sandtrap::warden
