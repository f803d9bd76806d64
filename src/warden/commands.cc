#include "warden/commands.h"

#include <boost/json.hpp>

#include "base/instant.h"
#include "event/event.h"

namespace sandtrap::warden {
namespace json = boost::json;
namespace {

constexpr std::size_t kMaxListed = 500;  // removals named in one answer

std::string text_of(const json::object& request, std::string_view key) {
  const json::value* value = request.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::optional<std::uint64_t> number_of(const json::object& request, std::string_view key) {
  const json::value* value = request.if_contains(key);
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return std::nullopt;
  return static_cast<std::uint64_t>(value->get_int64());
}

std::string answer(const base::Status& done) {
  json::object out;
  if (done) {
    out["ok"] = true;
  } else {
    out["error"] = done.error().context;
  }
  return json::serialize(out);
}

// The figures of event pool.status without what every event has, and what the cases hold.
json::object figures(const SandboxPool& pool, const cases::Table& cases) {
  const event::PoolStatus now = pool.status(base::monotonic_now());
  json::object warm = json::parse(event::to_line({}, now)).as_object();
  for (const char* common : {"time", "event", "sensor"}) warm.erase(common);
  const cases::Life& life = pool.life();
  const cases::LifeSettings& limits = life.settings();
  json::object out;
  out["ok"] = true;
  out["pool"] = std::move(warm);
  out["cases"] = json::object{{"known", cases.size()},
                              {"running", life.running()},
                              {"max_running", limits.max_running},
                              {"frozen", life.frozen()},
                              {"max_frozen", limits.max_frozen},
                              {"frozen_memory", life.frozen_memory()},
                              {"max_frozen_memory", limits.max_frozen_memory}};
  return out;
}

}  // namespace

net::Task<base::Status> Commands::drop(std::string case_id) {
  const cases::Case* known = cases_.find(case_id);
  if (known == nullptr) co_return base::fail(base::Errc::kNotFound, "no such case");
  if (cases_.sessions(case_id) > 0) co_return base::fail(base::Errc::kDenied, "sessions are in it");
  base::Status done;
  if (known->sandbox.state == cases::SandboxState::kPreserved) {
    done = co_await preserved_.remove_now(known->sandbox.reference);
  } else if (known->sandbox.state != cases::SandboxState::kNone) {
    done = co_await pool_.stop(case_id, true);
  }
  if (done && !cases_.forget(case_id))
    done = base::fail(base::Errc::kDenied, "a session has come meanwhile");
  co_return done;
}

net::Task<std::string> Commands::handle(std::string text) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object())
    co_return answer(base::fail(base::Errc::kInvalid, "not a JSON object"));
  const json::object& request = value.get_object();
  const std::string command = text_of(request, "command"), case_id = text_of(request, "case");
  if (command == "cleanup") {
    const auto age = number_of(request, "older_than");
    const Cleanup wanted{age ? std::optional(std::chrono::seconds(*age)) : std::nullopt,
                         number_of(request, "keep_bytes")};
    const std::vector<Kept> gone = co_await preserved_.cleanup(wanted);
    json::object out;
    json::array names;
    std::uint64_t bytes = 0;
    for (const Kept& one : gone) {
      bytes += one.bytes;
      if (names.size() < kMaxListed) names.emplace_back(one.sandbox);
    }
    out["ok"] = true;
    out["count"] = gone.size();
    out["bytes"] = bytes;
    out["removed"] = std::move(names);
    co_return json::serialize(out);
  }
  if (command == "status") co_return json::serialize(figures(pool_, cases_));
  if (cases_.find(case_id) == nullptr)
    co_return answer(base::fail(base::Errc::kNotFound, "no such case"));
  if (command == "stop") co_return answer(co_await pool_.stop(case_id, false));
  if (command == "freeze") co_return answer(co_await pool_.freeze(case_id));
  if (command == "thaw") co_return answer(co_await pool_.thaw(case_id));
  if (command == "drop") co_return answer(co_await drop(case_id));
  co_return answer(base::fail(base::Errc::kInvalid, "no such command"));
}

}  // namespace sandtrap::warden
