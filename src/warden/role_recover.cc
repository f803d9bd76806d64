// What an earlier run left: its memory, its sandboxes, the disks of its cases.
#include <boost/asio/post.hpp>
#include <map>
#include <set>

#include "base/source.h"
#include "warden/login_memory.h"
#include "warden/role.h"

namespace sandtrap::warden {

// What an earlier run knew, and from here on what this one learns.
void Role::remember() {
  std::vector<SavedRecord> records;
  bookkeeper_.on_memory([&](const std::string& key, const std::string& value) {
    auto record = record_from_text(key, value);
    if (record) records.push_back(std::move(*record));
  });
  bookkeeper_.open(settings_.data_dir);
  bookkeeper_.on_memory(nullptr);
  policy_.records().load(records, {base::monotonic_now(), base::wall_now()});
  server_.on_remembered([this](const std::string& record) {
    const auto saved = policy_.records().save(record, {base::monotonic_now(), base::wall_now()});
    bookkeeper_.memory_changed(record, saved ? std::optional(to_text(*saved)) : std::nullopt);
  });
}

// What lies in the folder of what is preserved; looked through on the disk thread.
net::Task<std::vector<Kept>> Role::scan() {
  std::vector<Kept> found;
  bool done = false;
  Signal finished(loop_.get_executor());
  net::asio::post(disk_, [&, folder = settings_.data_dir + "/preserved"] {
    auto result = scan_preserved(folder);
    net::asio::post(loop_, [&, result = std::move(result)]() mutable {
      found = std::move(result);
      done = true;
      finished.notify();
    });
  });
  while (!done) co_await finished.wait();
  co_return found;
}

// The casebook says what was, the engine and the folder what is.
void Role::reconcile(const std::vector<sandbox::Leftover>& leftovers,
                     const std::vector<Kept>& kept) {
  std::map<std::string, const Kept*> newest;
  for (const Kept& one : kept) {
    if (one.case_id.empty()) continue;
    const Kept*& best = newest[one.case_id];
    if (best == nullptr || best->ended.micros < one.ended.micros) best = &one;
  }
  std::set<std::string> alive;
  for (const sandbox::Leftover& one : leftovers) {
    adopt_case(one.label.case_id, one.label.source_ip);
    alive.insert(one.label.case_id);
  }
  for (const auto& [id, one] : newest) {
    adopt_case(id, one->source_ip);
    const cases::Case* known = cases_.find(id);
    if (known == nullptr || alive.contains(id)) continue;
    const bool same = known->sandbox.id == one->sandbox &&
                      known->sandbox.state == cases::SandboxState::kPreserved;
    const std::uint64_t bytes = same ? std::max(known->sandbox.bytes, one->bytes) : one->bytes;
    cases_.note(id, {one->sandbox, cases::SandboxState::kPreserved, one->reference, bytes});
  }
  for (const std::string& id : cases_.ids()) {
    const bool there = alive.contains(id) || newest.contains(id);
    if (!there && cases_.find(id)->sandbox.state != cases::SandboxState::kNone) {
      log_.warn("case {}: its sandbox {} is gone", id, cases_.find(id)->sandbox.id);
      cases_.note(id, {});
    }
  }
}

// A case that only its sandbox's label remembers.
void Role::adopt_case(const std::string& id, const std::string& source_ip) {
  const std::string source = base::source_of(source_ip, settings_.cases.ipv6_prefix);
  if (id.empty() || source.empty() || cases_.find(id) != nullptr) return;
  cases::Case value;
  value.id = id;
  value.created = value.last_seen = base::wall_now();
  value.source_ip = source_ip;
  value.keys = {{cases::KeyKind::kSource, source}};
  value.established = true;
  cases_.adopt(std::move(value));
}

}  // namespace sandtrap::warden
