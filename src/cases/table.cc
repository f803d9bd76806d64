#include "cases/table.h"

#include <algorithm>
#include <utility>

namespace sandtrap::cases {

Table::Table(TableSettings settings, base::Entropy& entropy)
    : settings_(std::move(settings)), entropy_(entropy) {}

bool Table::uses(KeyKind kind) const {
  return std::find(settings_.order.begin(), settings_.order.end(), kind) != settings_.order.end();
}

const Case* Table::find(const std::string& id) const {
  const auto it = entries_.find(id);
  return it == entries_.end() ? nullptr : &it->second.value;
}

std::size_t Table::sessions(const std::string& id) const {
  const auto it = entries_.find(id);
  return it == entries_.end() ? 0 : it->second.sessions;
}

std::vector<std::string> Table::ids() const {
  std::vector<std::string> out;
  for (const auto& [id, entry] : entries_) out.push_back(id);
  return out;
}

void Table::changed(const std::string& id) const {
  if (on_change_) on_change_(id);
}

std::size_t Table::rank_of(const Case& value) {
  switch (value.sandbox.state) {
    case SandboxState::kRunning:
    case SandboxState::kFrozen:
      return 3;
    case SandboxState::kPreserved:
      return 2;
    case SandboxState::kNone:
      break;
  }
  return value.established ? 1 : 0;
}

Table::Entry& Table::make(std::string id, base::WallTime now) {
  Entry& entry = entries_[id];
  entry.value.id = std::move(id);
  entry.value.created = entry.value.last_seen = now;
  rest(entry);
  return entry;
}

void Table::rest(Entry& entry) {
  entry.rank = rank_of(entry.value);
  idle_[entry.rank].push_back(entry.value.id);
  entry.idle = std::prev(idle_[entry.rank].end());
}

void Table::touch(Entry& entry) {
  if (entry.sessions == 0) {
    idle_[entry.rank].erase(entry.idle);
    rest(entry);
  }
  changed(entry.value.id);
}

bool Table::link(Entry& entry, const Key& key, bool take) {
  if (!uses(key.kind)) return false;
  const auto it = index_.find(key);
  if (it != index_.end()) {
    if (it->second == entry.value.id || !take) return false;
    unlink(key);
  }
  if (entry.value.keys.size() >= Case::kMaxKeys) return false;
  index_.emplace(key, entry.value.id);
  entry.value.keys.push_back(key);
  return true;
}

void Table::unlink(const Key& key) {
  const auto it = index_.find(key);
  if (it == index_.end()) return;
  const auto owner = entries_.find(it->second);
  if (owner != entries_.end()) std::erase(owner->second.value.keys, key);
  index_.erase(it);
}

Opened Table::open(const std::vector<Key>& keys, const std::string& source_ip, base::WallTime now) {
  Entry* entry = nullptr;
  for (const KeyKind kind : settings_.order) {
    for (const Key& key : keys) {
      const auto it = key.kind == kind ? index_.find(key) : index_.end();
      if (it != index_.end() && entry == nullptr) entry = &entries_.at(it->second);
    }
  }
  const bool fresh = entry == nullptr;
  if (fresh) entry = &make(base::random_id(entropy_, 12), now);
  for (const Key& key : keys) link(*entry, key, false);
  if (entry->sessions++ == 0) idle_[entry->rank].erase(entry->idle);
  entry->value.last_seen = now;
  entry->value.source_ip = source_ip;
  ++entry->value.visits;
  std::string id = entry->value.id;
  changed(id);
  evict();
  return {std::move(id), fresh};
}

void Table::close(const std::string& id, base::WallTime now) {
  const auto it = entries_.find(id);
  if (it == entries_.end() || it->second.sessions == 0) return;
  it->second.value.last_seen = now;
  if (--it->second.sessions == 0) rest(it->second);
  changed(id);
  evict();
}

std::optional<Match> Table::lead(const std::string& from, const std::vector<Key>& login) const {
  const Case* mine = find(from);
  for (const KeyKind kind : settings_.order) {
    if (kind == KeyKind::kSource && mine != nullptr && mine->established) return std::nullopt;
    for (const Key& key : login) {
      if (key.kind != kind) continue;
      const auto it = index_.find(key);
      if (it == index_.end()) continue;
      const auto spread = tried_.find(key.value);
      const bool common = kind == KeyKind::kCredential && spread != tried_.end() &&
                          spread->second.size() > kMaxSpread;
      if (common) continue;
      if (it->second == from) return std::nullopt;
      return Match{it->second, kind};
    }
  }
  return std::nullopt;
}

void Table::tried(const std::string& id, const Key& credential) {
  if (!uses(KeyKind::kCredential)) return;
  const auto [it, added] = tried_.try_emplace(credential.value);
  if (added) tried_order_.push_back(credential.value);
  std::vector<std::string>& by = it->second;
  if (by.size() <= kMaxSpread && std::find(by.begin(), by.end(), id) == by.end()) {
    by.push_back(id);
  }
  if (tried_order_.size() <= kMaxTried) return;
  tried_.erase(tried_order_.front());
  tried_order_.pop_front();
}

void Table::move(const std::string& from, const std::string& to, const Key& source,
                 base::WallTime now) {
  const auto old = entries_.find(from);
  const auto next = entries_.find(to);
  if (next == entries_.end() || from == to) return;
  Entry& entry = next->second;
  if (entry.sessions++ == 0) idle_[entry.rank].erase(entry.idle);
  entry.value.last_seen = now;
  ++entry.value.visits;
  bool stays = false;
  if (old != entries_.end()) {
    Entry& left = old->second;
    stays = left.value.established;
    if (left.value.visits > 0) --left.value.visits;
    if (left.sessions > 0 && --left.sessions == 0) rest(left);
  }
  if (!stays) {
    link(entry, source, true);
    if (old != entries_.end()) entry.value.source_ip = old->second.value.source_ip;
  }
  // Nothing leads to the one that was left, and nothing is in it.
  const bool empty = old != entries_.end() && !stays && old->second.sessions == 0 &&
                     old->second.value.sandbox.state == SandboxState::kNone;
  if (empty) drop(old);
  changed(to);
}

void Table::establish(const std::string& id, const std::vector<Key>& keys) {
  const auto it = entries_.find(id);
  if (it == entries_.end()) return;
  bool news = !it->second.value.established;
  it->second.value.established = true;
  for (const Key& key : keys) news = link(it->second, key, false) || news;
  if (news) touch(it->second);
}

void Table::earn(const std::string& id, Earned login) {
  const auto it = entries_.find(id);
  if (it == entries_.end()) return;
  std::vector<Earned>& earned = it->second.value.earned;
  for (const Earned& one : earned) {
    if (one == login) return;
  }
  std::erase_if(earned, [&](const Earned& one) {
    if (one.user != login.user) return false;
    unlink(credential_key(one.user, one.password));
    return true;
  });
  if (earned.size() >= Case::kMaxEarned) {
    unlink(credential_key(earned.front().user, earned.front().password));
    earned.erase(earned.begin());
  }
  // Two cases found the same one by themselves: it tells nothing about who uses it.
  link(it->second, credential_key(login.user, login.password), false);
  earned.push_back(std::move(login));
  it->second.value.established = true;
  touch(it->second);
}

void Table::note(const std::string& id, SandboxNote sandbox) {
  const auto it = entries_.find(id);
  if (it == entries_.end()) return;
  Case& value = it->second.value;
  if (!value.sandbox.reference.empty()) preserved_.erase(value.sandbox.reference);
  value.sandbox = std::move(sandbox);
  if (!value.sandbox.reference.empty()) preserved_[value.sandbox.reference] = id;
  touch(it->second);
  evict();
}

void Table::lost(const std::string& reference) {
  const auto it = preserved_.find(reference);
  if (it == preserved_.end()) return;
  note(std::string(it->second), SandboxNote{});
}

void Table::adopt(Case value) {
  const auto known = entries_.find(value.id);
  if (known != entries_.end()) return;
  Entry& entry = make(value.id, value.created);
  const std::vector<Key> keys = std::exchange(value.keys, {});
  idle_[entry.rank].erase(entry.idle);
  entry.value = std::move(value);
  rest(entry);
  for (const Key& key : keys) link(entry, key, false);
  if (!entry.value.sandbox.reference.empty()) {
    preserved_[entry.value.sandbox.reference] = entry.value.id;
  }
  changed(entry.value.id);
  evict();
}

bool Table::forget(const std::string& id) {
  const auto it = entries_.find(id);
  if (it == entries_.end() || it->second.sessions > 0) return false;
  drop(it);
  return true;
}

void Table::drop(Entries::iterator it) {
  const Case& value = it->second.value;
  for (const Key& key : value.keys) index_.erase(key);
  if (!value.sandbox.reference.empty()) preserved_.erase(value.sandbox.reference);
  if (it->second.sessions == 0) idle_[it->second.rank].erase(it->second.idle);
  const std::string id = value.id;
  entries_.erase(it);
  changed(id);
}

void Table::configure(TableSettings settings) {
  settings_ = std::move(settings);
  evict();
}

void Table::evict() {
  while (entries_.size() > settings_.max_cases) {
    const auto rank = std::find_if(idle_.begin(), std::prev(idle_.end()),
                                   [](const auto& list) { return !list.empty(); });
    if (rank == std::prev(idle_.end())) return;
    drop(entries_.find(rank->front()));
  }
}

}  // namespace sandtrap::cases
