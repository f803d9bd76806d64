#include "verify/attack.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>

#include "base/entropy.h"
#include "base/instant.h"
#include "verify/host.h"
#include "verify/probe_image.h"
#include "verify/program.h"
#include "verify/report.h"

namespace sandtrap::verify {
namespace {

using std::chrono::milliseconds;

// On the writable layer: /dev/shm is not executable under every engine.
constexpr const char* kPlace = "/tmp/.probe";
constexpr milliseconds kTogether{60000}, kAlone{150000};

std::vector<const Check*> chosen(Where where, bool quick) {
  std::vector<const Check*> out;
  for (const Check& check : checks())
    if (check.where == where && (check.critical || !quick)) out.push_back(&check);
  // What takes masks off, where it is not refused, must not spoil the others.
  std::stable_partition(out.begin(), out.end(),
                        [](const Check* one) { return one->name != "mount-change"; });
  return out;
}

std::string arguments(const Facts& facts, const Marks& marks, std::uint64_t bound) {
  const sandbox::Limits& limits = facts.limits;
  return fmt::format("bound={} pids={} memory={} disk={} inodes={} file_size={} open_files={} {}",
                     bound, limits.pids, limits.memory_bytes, limits.disk_bytes,
                     limits.disk_bytes / (16 << 10), limits.file_size_bytes, limits.open_files,
                     fmt::join(marks.arguments, " "));
}

std::string names_of(const std::vector<const Check*>& list) {
  std::string out;
  for (const Check* check : list) out += fmt::format(" {}", check->name);
  return out;
}

std::vector<std::string_view> asked(const std::vector<const Check*>& list) {
  std::vector<std::string_view> out;
  for (const Check* check : list) out.push_back(check->name);
  return out;
}

void add(Observations& into, Observations&& more) {
  into.merge(std::move(more));
}

// For each of `list` that has no answer: why.
void explain(const std::vector<const Check*>& list, const std::string& why, Observations& into) {
  for (const Check* check : list) {
    Observation none;
    none.detail = why;
    into.emplace(check->name, none);
  }
}

// Execs go on in the sandbox while the probe lies in wait for the runtime's program.
sandbox::Task<void> bait(sandbox::Sandbox& sandbox, std::shared_ptr<bool> stop) {
  while (!*stop) (void)co_await sandbox.verify();
  *stop = false;  // over
}

class Attacker {
 public:
  Attacker(sandbox::Sandbox& sandbox, const config::Settings& settings, const Attack& attack,
           Attacked& out)
      : sandbox_(sandbox),
        settings_(settings),
        attack_(attack),
        out_(out),
        marks_(make_marks(settings, !attack.quick)) {}

  sandbox::Task<base::Status> run() {
    const auto together = chosen(Where::kSandbox, attack_.quick);
    attack_.progress(fmt::format("{} attacks from inside", together.size()));
    // One program carries the probe in and runs it: one start instead of two.
    const std::string text =
        fmt::format("cat >{0} && chmod 700 {0} && exec {0} {1}{2} </dev/null 2>/dev/null", kPlace,
                    arguments(out_.facts, marks_, 0), names_of(together));
    Command command{text, probe_image(), kTogether};
    auto output = co_await run_program(sandbox_, std::move(command));
    if (!output) co_return base::wrap("the probe in the sandbox", output.error());
    add(out_.observations, parse_probe_output(*output, asked(together)));
    for (const Check* check : chosen(Where::kSandboxAlone, attack_.quick))
      co_await run_alone(*check);
    co_return base::Status{};
  }

 private:
  std::uint64_t bound(const Check& check) const {
    if (check.rule == Rule::kMemory) return memory_available() / 10 * 8;
    if (check.rule == Rule::kDisk || check.rule == Rule::kInodes) {
      // The layers of a Docker Engine usually lie below /var/lib.
      return std::min(disk_free(settings_.data_dir), disk_free("/var/lib")) / 10 * 8;
    }
    return 0;
  }

  sandbox::Task<void> run_alone(const Check& check) {
    attack_.progress(std::string(check.name));
    const auto watch = std::make_shared<Watch>(co_await boost::asio::this_coro::executor,
                                               settings_.data_dir, kPlace);
    const auto baiting = std::make_shared<bool>(false);
    const bool needs_bait = check.name == "runtime-program";
    watch->start();
    if (needs_bait) {
      boost::asio::co_spawn(co_await boost::asio::this_coro::executor, bait(sandbox_, baiting),
                            boost::asio::detached);
    }
    Command command;
    command.text = fmt::format("exec {} {} {} </dev/null 2>/dev/null", kPlace,
                               arguments(out_.facts, marks_, bound(check)), check.name);
    command.limit = kAlone;
    auto output = co_await run_program(sandbox_, std::move(command));
    watch->stop();
    if (needs_bait) co_await end_bait(baiting);
    if (!output) {
      explain({&check}, output.error().context, out_.observations);
      co_return;
    }
    add(out_.observations, parse_probe_output(*output, {check.name}));
    watch->report(check.name, out_.facts, out_.observations);
  }

  static sandbox::Task<void> end_bait(std::shared_ptr<bool> stop) {
    *stop = true;
    boost::asio::steady_timer pause(co_await boost::asio::this_coro::executor);
    while (*stop) {
      pause.expires_after(milliseconds(10));
      co_await pause.async_wait(net::use_ec);
    }
  }

  sandbox::Sandbox& sandbox_;
  const config::Settings& settings_;
  const Attack& attack_;
  Attacked& out_;
  const Marks marks_;
};

}  // namespace

sandbox::Task<base::Result<Attacked>> attack_sandbox(sandbox::Engine& engine,
                                                     const config::Settings& settings,
                                                     Attack attack) {
  const auto capabilities = co_await engine.prepare();
  if (!capabilities) co_return base::wrap("engine", capabilities.error());
  Attacked out;
  out.facts = facts_of(settings, *capabilities);
  base::SystemEntropy entropy;
  attack.progress("a throw-away sandbox");
  std::string id = base::random_id(entropy, 12);
  auto made = co_await engine.create(std::move(id), out.facts.limits);
  if (!made) co_return base::wrap("a sandbox to attack", made.error());
  base::Status done = co_await (*made)->verify();
  if (done) {
    Attacker attacker(**made, settings, attack, out);
    done = co_await attacker.run();
  }
  co_await (*made)->destroy();
  if (!done) co_return tl::unexpected(done.error());
  co_return out;
}

std::vector<Result> judge_sandbox(const Attacked& attacked, const std::vector<std::string>& waived,
                                  bool quick) {
  std::vector<Result> out;
  for (const Check& check : checks()) {
    if (check.where == Where::kRole || check.where == Where::kRoleAttack) continue;
    if (quick && !check.critical) continue;
    const auto seen = attacked.observations.find(check.name);
    const bool excused = std::find(waived.begin(), waived.end(), check.name) != waived.end();
    out.push_back(judge(check, attacked.facts,
                        seen == attacked.observations.end() ? nullptr : &seen->second, excused));
  }
  return out;
}

sandbox::Task<base::Status> verify_critical(sandbox::Engine& engine,
                                            const config::Settings& settings,
                                            const std::vector<std::string>& waived) {
  Attack attack;
  attack.quick = true;
  const auto attacked = co_await attack_sandbox(engine, settings, std::move(attack));
  if (!attacked) co_return tl::unexpected(attacked.error());
  const auto results = judge_sandbox(*attacked, waived, true);
  if (holds(results)) co_return base::Status{};
  co_return base::fail(base::Errc::kDenied, fmt::format("{}", fmt::join(failures(results), "; ")));
}

}  // namespace sandtrap::verify
