#include "warden/cases.h"

namespace sandtrap::warden {

Cases::Entry& Cases::enter(const SourceKey& source, CaseId id) {
  idle_.push_back(source);
  Entry entry{std::move(id), 0, std::prev(idle_.end())};
  return cases_.insert_or_assign(source, std::move(entry)).first->second;
}

CaseId Cases::open(const SourceKey& source) {
  const auto it = cases_.find(source);
  Entry& entry = it != cases_.end() ? it->second : enter(source, base::random_id(entropy_, 12));
  if (entry.sessions++ == 0) idle_.erase(entry.idle);
  CaseId id = entry.id;
  evict();
  return id;
}

void Cases::close(const SourceKey& source) {
  const auto it = cases_.find(source);
  if (it == cases_.end() || it->second.sessions == 0) return;
  if (--it->second.sessions > 0) return;
  idle_.push_back(source);
  it->second.idle = std::prev(idle_.end());
  evict();
}

void Cases::adopt(const SourceKey& source, CaseId id) {
  const auto it = cases_.find(source);
  if (it == cases_.end()) {
    enter(source, std::move(id));
    evict();
  } else {
    it->second.id = std::move(id);
  }
}

void Cases::configure(std::size_t max_cases) {
  max_ = max_cases;
  evict();
}

void Cases::evict() {
  while (cases_.size() > max_ && !idle_.empty()) {
    cases_.erase(idle_.front());
    idle_.pop_front();
  }
}

}  // namespace sandtrap::warden
