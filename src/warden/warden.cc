#include "warden/warden.h"

#include "warden/host_keys.h"
#include "warden/reload.h"
#include "warden/role.h"
#include "warden/verification.h"

namespace sandtrap::warden {
namespace {

constexpr int kExitFailure = 1;
constexpr int kExitConfig = 78;  // EX_CONFIG of sysexits.h: trying again would not help

}  // namespace

int run(const config::Settings& settings, base::Fd control, const EngineFactory& make_engine,
        base::Log& log) {
  const std::string key_dir = settings.server.host_key_dir.empty() ? settings.data_dir + "/keys"
                                                                   : settings.server.host_key_dir;
  const std::string salt = settings.server.persona + "\n" + join(settings.server.listen);
  auto keys = HostKeys::load(key_dir, salt, log);
  if (!keys) {
    log.error("{}", keys.error().context);
    return kExitConfig;
  }
  // The loop goes last: what still waits in it refers to nothing but itself.
  boost::asio::io_context loop;
  const std::unique_ptr<sandbox::Engine> engine = make_engine(settings, loop, log);
  if (!engine) {
    log.error("no engine named {}", settings.container_pool.engine);
    return kExitConfig;
  }
  if (const auto held = verify_at_start(settings, *engine, loop, log); !held) {
    log.error("{}", held.error().context);
    const bool away = held.error().code == base::Errc::kUnavailable;  // the engine
    return away ? kExitFailure : kExitConfig;
  }
  Role role(settings, loop, *engine, std::move(*keys), std::move(control), log);
  role.start();
  loop.run();
  return role.exit_code();
}

}  // namespace sandtrap::warden
