#include "warden/bookkeeper.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

namespace sandtrap::warden {
namespace {

// A crowd that guesses passwords changes something all the time: one save for what a moment
// brought. A change after a quiet moment is saved at once.
constexpr std::chrono::milliseconds kMoment{20};

}  // namespace

Bookkeeper::Bookkeeper(boost::asio::any_io_executor loop, boost::asio::thread_pool& disk,
                       cases::Table& cases, event::EventLog& events, base::Log& log)
    : loop_(loop), disk_(disk), cases_(cases), events_(events), log_(log), next_(loop) {}

void Bookkeeper::failed(const base::Error& error) {
  log_.error("{}", error.context);
  if (!std::exchange(reported_, true)) {
    (void)events_.emit({}, event::ErrorRaised{"casebook", error.context});
  }
}

void Bookkeeper::open(const std::string& data_dir) {
  auto book = casebook::Casebook::open(data_dir, casebook::Casebook::Mode::kReadWrite);
  if (!book) return failed(book.error());
  auto rows = book->load_cases();
  auto memory = book->load_memory();
  if (!rows) return failed(rows.error());
  if (!memory) return failed(memory.error());
  book_ = std::make_shared<casebook::Casebook>(std::move(*book));
  // The oldest first: they go first if the table has become smaller.
  std::sort(rows->begin(), rows->end(), [](const cases::Case& a, const cases::Case& b) {
    return a.last_seen.micros < b.last_seen.micros;
  });
  for (cases::Case& one : *rows) {
    on_disk_.insert(one.id);
    cases_.adopt(std::move(one));
  }
  if (on_memory_) {
    for (const auto& [key, value] : *memory) on_memory_(key, value);
  }
  log_.info("casebook: {} cases", rows->size());
  cases_.on_change([this](const std::string& id) { case_changed(id); });
  for (const std::string& id : on_disk_) {
    if (cases_.find(id) == nullptr) case_changed(id);
  }
}

void Bookkeeper::case_changed(const std::string& id) {
  if (!book_) return;
  dirty_.insert(id);
  flush();
}

void Bookkeeper::memory_changed(std::string key, std::optional<std::string> value) {
  if (!book_) return;
  memory_[std::move(key)] = std::move(value);
  flush();
}

casebook::Changes Bookkeeper::collect() {
  casebook::Changes changes;
  for (const std::string& id : dirty_) {
    const cases::Case* value = cases_.find(id);
    const bool matters = value != nullptr &&
                         (value->established || value->sandbox.state != cases::SandboxState::kNone);
    if (matters) {
      changes.rows.emplace(id, *value);
      on_disk_.insert(id);
    } else if (on_disk_.erase(id) > 0) {
      changes.rows.emplace(id, std::nullopt);
      changes.memory[id] = std::nullopt;
    }
  }
  dirty_.clear();
  for (auto& [key, value] : std::exchange(memory_, {})) {
    if (cases_.find(key) != nullptr) changes.memory[key] = std::move(value);
  }
  return changes;
}

void Bookkeeper::flush() {
  if (saving_) return;
  saving_ = true;
  // Later in this turn more may change: one save for all of it.
  boost::asio::post(loop_, [this] {
    auto changes = std::make_shared<casebook::Changes>(collect());
    if (changes->empty()) {
      saving_ = false;
      return;
    }
    boost::asio::post(disk_, [this, changes, book = book_] {
      base::Status done = book->save(*changes);
      boost::asio::post(loop_, [this, changes, done = std::move(done)] { saved(*changes, done); });
    });
  });
}

void Bookkeeper::saved(const casebook::Changes& changes, const base::Status& done) {
  if (done) {
    reported_ = false;
    return go_on_after(kMoment);
  }
  failed(done.error());
  for (const auto& [id, value] : changes.rows) {
    dirty_.insert(id);
    on_disk_.insert(id);  // unknown: so that a deletion is tried again
  }
  for (const auto& [key, value] : changes.memory) memory_.emplace(key, value);
  go_on_after(std::chrono::seconds(1));
}

void Bookkeeper::go_on_after(std::chrono::milliseconds pause) {
  saving_ = true;
  next_.expires_after(pause);
  next_.async_wait([this](boost::system::error_code aborted) {
    saving_ = false;
    if (!aborted && (!dirty_.empty() || !memory_.empty())) flush();
  });
}

void Bookkeeper::finish() {
  if (!book_) return;
  const casebook::Changes changes = collect();
  if (changes.empty()) return;
  if (auto done = book_->save(changes); !done) failed(done.error());
}

}  // namespace sandtrap::warden
