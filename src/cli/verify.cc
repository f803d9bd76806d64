// `sandtrap verify`: attacks this machine's containment with the active configuration, on
// throw-away folders, and says what held.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>

#include "app/configuration.h"
#include "app/engines.h"
#include "app/folders.h"
#include "app/launch.h"
#include "app/verify_roles.h"
#include "base/entropy.h"
#include "cli/commands.h"
#include "cli/json_output.h"
#include "verify/attack.h"
#include "verify/report.h"

namespace sandtrap::cli {
namespace {

namespace fs = std::filesystem;

// Beside the real ones, so that the same disk is attacked; nothing of them is touched. A honeypot
// that runs on the real ones does not notice.
class ThrowAway {
 public:
  explicit ThrowAway(const config::Settings& real) : settings_(real) {
    base::SystemEntropy entropy;
    const std::string id = base::random_id(entropy, 6);
    std::error_code ignored;
    had_data_ = fs::exists(real.data_dir, ignored);
    had_run_ = fs::exists(real.run_dir, ignored);
    real_data_ = real.data_dir;
    real_run_ = real.run_dir;
    settings_.data_dir = fmt::format("{}/verify-{}", real.data_dir, id);
    settings_.run_dir = fmt::format("{}/v{}", real.run_dir, id);
    settings_.server.host_key_dir = settings_.data_dir + "/keys";
  }
  ThrowAway(const ThrowAway&) = delete;
  ThrowAway& operator=(const ThrowAway&) = delete;
  ~ThrowAway() {
    std::error_code ignored;
    fs::remove_all(settings_.data_dir, ignored);
    fs::remove_all(settings_.run_dir, ignored);
    // Only if it is empty: remove() takes nothing else.
    if (!had_data_) fs::remove(real_data_, ignored);
    if (!had_run_) fs::remove(real_run_, ignored);
  }
  const config::Settings& settings() const { return settings_; }

 private:
  config::Settings settings_;
  std::string real_data_, real_run_;
  bool had_data_ = false, had_run_ = false;
};

base::Result<verify::Attacked> attack(const config::Settings& settings, verify::Attack how,
                                      base::Log& log) {
  boost::asio::io_context io;
  base::Result<verify::Attacked> out = base::fail(base::Errc::kIo, "the attack did not end");
  const auto engine = app::make_engine(settings, io, log);
  boost::asio::co_spawn(io, verify::attack_sandbox(*engine, settings, std::move(how)),
                        [&](std::exception_ptr error, base::Result<verify::Attacked> result) {
                          if (!error) out = std::move(result);
                          io.stop();
                        });
  io.run();
  return out;
}

// Of every check of the sandbox, when there was none to attack.
verify::Attacked none_made(const base::Error& why, const config::Settings& settings) {
  verify::Attacked out;
  out.facts.engine = settings.container_pool.engine;
  for (const verify::Check& check : verify::checks()) {
    verify::Observation one;
    one.detail = why.context;
    out.observations.emplace(check.name, one);
  }
  return out;
}

std::vector<verify::Result> judge_roles(const verify::Facts& facts,
                                        const verify::Observations& observations,
                                        const std::vector<std::string>& waived) {
  std::vector<verify::Result> out;
  for (const verify::Check& check : verify::checks()) {
    if (check.where != verify::Where::kRole && check.where != verify::Where::kRoleAttack) continue;
    const auto seen = observations.find(check.name);
    const bool excused = std::find(waived.begin(), waived.end(), check.name) != waived.end();
    out.push_back(
        verify::judge(check, facts, seen == observations.end() ? nullptr : &seen->second, excused));
  }
  return out;
}

bool known(const std::vector<std::string>& names) {
  for (const std::string& one : names) {
    if (verify::find_check(one) != nullptr) continue;
    fmt::print(stderr, "sandtrap verify: --waive: no check is named {}; see --list\n", one);
    return false;
  }
  return true;
}

int run(const VerifyOptions& options, const config::Settings& real) {
  base::Log log("verify", base::LogLevel::kWarn);
  const ThrowAway folders(real);
  const config::Settings& settings = folders.settings();
  if (const auto made = app::make_folders(settings, {app::RoleKind::kScribe}); !made) {
    fmt::print(stderr, "sandtrap verify: {}\n", made.error().context);
    return kFailed;
  }
  verify::Attack how;
  how.quick = options.quick;
  if (::isatty(STDERR_FILENO) == 1) {
    how.progress = [](const std::string& what) { fmt::print(stderr, "verify: {} ...\n", what); };
  }
  std::vector<std::string> waived = options.waive;
  waived.insert(waived.end(), real.verify_waive.begin(), real.verify_waive.end());
  const auto progress = how.progress;
  auto attacked = attack(settings, std::move(how), log);
  if (!attacked) attacked = none_made(attacked.error(), settings);
  auto results = verify::judge_sandbox(*attacked, waived, options.quick);
  if (!options.quick) {
    progress("the gate and the scribe");
    auto observations = app::examine_roles(settings);
    observations.merge(app::attack_roles(settings));
    auto more = judge_roles(attacked->facts, observations, waived);
    results.insert(results.end(), more.begin(), more.end());
  }
  fmt::print("{}", options.json ? escaped_json(verify::as_json(results, attacked->facts))
                                : verify::as_table(results));
  return verify::holds(results) ? kOk : kFailed;
}

}  // namespace

int verify_containment(const VerifyOptions& options) {
  if (options.list || options.document) {
    fmt::print("{}", options.document ? verify::document()
                     : options.json   ? verify::list_as_json()
                                      : verify::list_of_checks());
    return kOk;
  }
  if (!known(options.waive)) return kUsage;
  const auto settings = app::read_configuration(options.config);
  if (!settings) return kBadConfig;
  if (!known(settings->verify_waive)) return kBadConfig;
  if (::geteuid() != 0) {
    fmt::print(stderr, "sandtrap verify: must be started as root, as `serve` is (try sudo)\n");
    return kNoPermission;
  }
  app::survive_broken_pipes();
  return run(options, *settings);
}

}  // namespace sandtrap::cli
