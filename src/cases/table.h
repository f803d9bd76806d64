// All cases, and which one a connection belongs to. Pure: time comes in.
//
// The settings name the kinds of keys in an order. At its first message a connection gets the case
// that its source (or HASSH) leads to, or a new one. At each login the kinds are looked at in their
// order, and the first that matches decides:
//   source      matches when the connection's own case is established: a login was accepted in it
//   credential  matches when another case has earned this user and password, and at most kMaxSpread
//               cases have ever tried them: what everybody guesses leads nowhere
//   client_key  matches when another case logged in with this key
// Then the session moves there, and its source with it, unless that is an established case's.
//
// Bounded: beyond the maximum the case that was seen longest ago is forgotten; those that are not
// established first, then those without a sandbox, then those whose sandbox is preserved. One with
// a session, or with a living sandbox, never is. A key leads to one case, and a case has at most
// Case::kMaxKeys.
#pragma once

#include <array>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/entropy.h"
#include "cases/case.h"

namespace sandtrap::cases {

struct TableSettings {
  std::vector<KeyKind> order = {KeyKind::kSource, KeyKind::kCredential};
  std::size_t max_cases = 100'000;
};

struct Opened {
  std::string id;
  bool fresh = false;
};

struct Match {
  std::string id;
  KeyKind by = KeyKind::kSource;
};

class Table {
 public:
  static constexpr std::size_t kMaxSpread = 3;
  static constexpr std::size_t kMaxTried = 100'000;  // credentials whose spread is remembered

  // `entropy` outlives this.
  Table(TableSettings settings, base::Entropy& entropy);

  // Called with the id of each case that changed; it may be gone.
  void on_change(std::function<void(const std::string&)> callback) {
    on_change_ = std::move(callback);
  }

  // A session begins. Every open() is ended by one close() of the case that it has then.
  Opened open(const std::vector<Key>& keys, const std::string& source_ip, base::WallTime now);
  void close(const std::string& id, base::WallTime now);

  // Where a session of case `from` would go with these keys of a login; nothing: it stays.
  std::optional<Match> lead(const std::string& from, const std::vector<Key>& login) const;
  // Counts who tried a credential; call before lead().
  void tried(const std::string& id, const Key& credential);
  // One session of `from`, and its `source`, belong to `to` now.
  void move(const std::string& from, const std::string& to, const Key& source, base::WallTime now);

  // A login was accepted in this case. `keys`: proven client keys; ignored if not in the order.
  void establish(const std::string& id, const std::vector<Key>& keys);
  // The case found this password, or made it. Takes the place of the user's former one.
  void earn(const std::string& id, Earned login);

  void note(const std::string& id, SandboxNote sandbox);
  // What is preserved under this reference is gone.
  void lost(const std::string& reference);
  // A case of an earlier run; its keys lead to it unless they lead elsewhere already.
  void adopt(Case value);
  // kDenied: it has sessions.
  bool forget(const std::string& id);

  void configure(TableSettings settings);
  const Case* find(const std::string& id) const;
  std::size_t sessions(const std::string& id) const;
  std::vector<std::string> ids() const;
  std::size_t size() const { return entries_.size(); }
  bool uses(KeyKind kind) const;

 private:
  static constexpr std::size_t kRanks = 4;  // of idle cases; the last is never evicted
  struct Entry {
    Case value;
    std::size_t sessions = 0;
    std::size_t rank = 0;
    std::list<std::string>::iterator idle;  // valid while sessions == 0
  };
  using Entries = std::unordered_map<std::string, Entry>;

  Entry& make(std::string id, base::WallTime now);
  bool link(Entry& entry, const Key& key, bool take);
  void unlink(const Key& key);
  void rest(Entry& entry);   // files it among the idle
  void touch(Entry& entry);  // files it anew if it is idle, and tells of the change
  void drop(Entries::iterator it);
  void evict();
  static std::size_t rank_of(const Case& value);
  void changed(const std::string& id) const;

  TableSettings settings_;
  base::Entropy& entropy_;
  Entries entries_;
  std::map<Key, std::string> index_;
  std::array<std::list<std::string>, kRanks> idle_;         // front: seen longest ago
  std::unordered_map<std::string, std::string> preserved_;  // reference -> case
  std::unordered_map<std::string, std::vector<std::string>> tried_;
  std::list<std::string> tried_order_;
  std::function<void(const std::string&)> on_change_;
};

}  // namespace sandtrap::cases
