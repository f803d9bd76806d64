// Makes a throw-away sandbox with the active settings, attacks it from inside with the probe, and
// destroys it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/log.h"
#include "config/settings.h"
#include "sandbox/engine.h"
#include "verify/result.h"

namespace sandtrap::verify {

struct Attack {
  bool quick = false;  // the critical checks alone
  // Told of each step, for who waits.
  std::function<void(const std::string& what)> progress = [](const std::string&) {};
};

struct Attacked {
  Facts facts;
  Observations observations;
};

// `engine` is prepared in here.
sandbox::Task<base::Result<Attacked>> attack_sandbox(sandbox::Engine& engine,
                                                     const config::Settings& settings,
                                                     Attack attack);

// The results of the checks that are made in sandboxes; of the critical ones alone if `quick`.
std::vector<Result> judge_sandbox(const Attacked& attacked, const std::vector<std::string>& waived,
                                  bool quick);

// What `serve` asks before it opens its port: every critical check holds, or what failed and what
// to do.
sandbox::Task<base::Status> verify_critical(sandbox::Engine& engine,
                                            const config::Settings& settings,
                                            const std::vector<std::string>& waived);

}  // namespace sandtrap::verify
