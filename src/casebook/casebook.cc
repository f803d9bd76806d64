#include "casebook/casebook.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "casebook/statement.h"

namespace sandtrap::casebook {
namespace {

constexpr int kBusyMilliseconds =
    5000;  // a reader never blocks a writer; two writers are a mistake
constexpr int kSchema = 1;

constexpr const char* kTables =
    "CREATE TABLE IF NOT EXISTS cases (id TEXT PRIMARY KEY, created INTEGER, last_seen INTEGER,"
    " visits INTEGER, established INTEGER, source_ip TEXT, sandbox TEXT, state INTEGER,"
    " reference TEXT, bytes INTEGER) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS keys (case_id TEXT, kind INTEGER, value BLOB,"
    " PRIMARY KEY (case_id, kind, value)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS earned (case_id TEXT, user BLOB, password BLOB, since INTEGER,"
    " PRIMARY KEY (case_id, user)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS memory (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID;";

// The data folder is the scribe's to write in: what lies there under our name may not be ours.
base::Status make_private(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return base::fail_errno("create " + folder, errno);
  }
  const base::Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return base::fail_errno("open " + folder, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return base::fail_errno("stat " + folder, errno);
  if (info.st_uid != ::geteuid() || (info.st_mode & 077) != 0) {
    return base::fail(base::Errc::kDenied, folder + ": not ours alone (owner root, mode 0700)");
  }
  return {};
}

}  // namespace

void Casebook::Close::operator()(sqlite3* db) const noexcept {
  ::sqlite3_close_v2(db);
}

Casebook::Casebook(sqlite3* db) : db_(db) {}
Casebook::~Casebook() = default;
Casebook::Casebook(Casebook&&) noexcept = default;
Casebook& Casebook::operator=(Casebook&&) noexcept = default;

base::Status Casebook::run(const char* sql) const {
  if (::sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return tl::unexpected(sqlite_error(db_.get(), "casebook"));
}

base::Result<Casebook> Casebook::open(const std::string& data_dir, Mode mode) {
  const std::string folder = data_dir + "/cases";
  const bool write = mode == Mode::kReadWrite;
  if (write) {
    if (auto made = make_private(folder); !made) return tl::unexpected(made.error());
  }
  sqlite3* raw = nullptr;
  const std::string path = folder + "/cases.db";
  const int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  const int code = ::sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOFOLLOW, nullptr);
  Casebook book(raw);
  if (code != SQLITE_OK) return tl::unexpected(sqlite_error(raw, path));
  ::sqlite3_busy_timeout(raw, kBusyMilliseconds);
  ::sqlite3_extended_result_codes(raw, 1);
  if (!write) return book;
  ::chmod(path.c_str(), 0600);
  for (const char* sql : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL",
                          "PRAGMA trusted_schema=OFF", "PRAGMA secure_delete=ON", kTables}) {
    if (auto done = book.run(sql); !done) return base::wrap(path, done.error());
  }
  Statement version(raw, "PRAGMA user_version");
  const auto row = version.step();
  if (!row) return base::wrap(path, row.error());
  if (version.integer(0) > kSchema) {
    return base::fail(base::Errc::kUnsupported, path + ": written by a newer sandtrap");
  }
  if (auto done = book.run("PRAGMA user_version=1"); !done) return base::wrap(path, done.error());
  return book;
}

base::Status Casebook::save_case(const std::string& id,
                                 const std::optional<cases::Case>& value) const {
  for (const char* sql : {"DELETE FROM keys WHERE case_id=?", "DELETE FROM earned WHERE case_id=?",
                          "DELETE FROM cases WHERE id=?"}) {
    if (auto done = Statement(db_.get(), sql).text(id).run(); !done) return done;
  }
  if (!value) return {};
  Statement row(db_.get(), "INSERT INTO cases VALUES (?,?,?,?,?,?,?,?,?,?)");
  row.text(id).number(value->created.micros).number(value->last_seen.micros);
  row.number(static_cast<std::int64_t>(value->visits)).number(value->established ? 1 : 0);
  row.text(value->source_ip).text(value->sandbox.id);
  row.number(static_cast<std::int64_t>(value->sandbox.state)).text(value->sandbox.reference);
  if (auto done = row.number(static_cast<std::int64_t>(value->sandbox.bytes)).run(); !done) {
    return done;
  }
  Statement key(db_.get(), "INSERT OR REPLACE INTO keys VALUES (?,?,?)");
  for (const cases::Key& one : value->keys) {
    auto done = key.text(id).number(static_cast<std::int64_t>(one.kind)).blob(one.value).run();
    if (!done) return done;
  }
  Statement earned(db_.get(), "INSERT OR REPLACE INTO earned VALUES (?,?,?,?)");
  for (const cases::Earned& one : value->earned) {
    auto done = earned.text(id).blob(one.user).blob(one.password).number(one.since.micros).run();
    if (!done) return done;
  }
  return {};
}

base::Status Casebook::save(const Changes& changes) {
  if (auto begun = run("BEGIN IMMEDIATE"); !begun) return begun;
  base::Status done;
  for (const auto& [id, value] : changes.rows) {
    if (done) done = save_case(id, value);
  }
  for (const auto& [key, value] : changes.memory) {
    if (!done) break;
    Statement row(db_.get(), value ? "INSERT OR REPLACE INTO memory VALUES (?,?)"
                                   : "DELETE FROM memory WHERE key=?");
    row.blob(key);
    if (value) row.blob(*value);
    done = row.run();
  }
  if (done) done = run("COMMIT");
  if (!done) (void)run("ROLLBACK");  // the first error is the one that counts
  return done;
}

base::Result<std::vector<cases::Case>> Casebook::load_cases() const {
  std::map<std::string, cases::Case> found;
  Statement rows(db_.get(),
                 "SELECT id,created,last_seen,visits,established,source_ip,sandbox,state,"
                 "reference,bytes FROM cases");
  auto row = rows.step();
  for (; row && *row; row = rows.step()) {
    cases::Case one;
    one.id = rows.bytes(0);
    one.created.micros = rows.integer(1);
    one.last_seen.micros = rows.integer(2);
    one.visits = static_cast<std::uint64_t>(rows.integer(3));
    one.established = rows.integer(4) != 0;
    one.source_ip = rows.bytes(5);
    one.sandbox.id = rows.bytes(6);
    if (const auto state = rows.integer(7); state >= 0 && state <= 3) {
      one.sandbox.state = static_cast<cases::SandboxState>(state);
    }
    one.sandbox.reference = rows.bytes(8);
    one.sandbox.bytes = static_cast<std::uint64_t>(rows.integer(9));
    found.emplace(one.id, std::move(one));
  }
  if (!row) return tl::unexpected(row.error());
  Statement keys(db_.get(), "SELECT case_id,kind,value FROM keys");
  for (row = keys.step(); row && *row; row = keys.step()) {
    const auto it = found.find(keys.bytes(0));
    const auto kind = keys.integer(1);
    if (it == found.end() || kind < 0 || kind >= static_cast<std::int64_t>(cases::kKeyKinds)) {
      continue;
    }
    it->second.keys.push_back({static_cast<cases::KeyKind>(kind), keys.bytes(2)});
  }
  if (!row) return tl::unexpected(row.error());
  Statement earned(db_.get(), "SELECT case_id,user,password,since FROM earned");
  for (row = earned.step(); row && *row; row = earned.step()) {
    const auto it = found.find(earned.bytes(0));
    if (it == found.end()) continue;
    it->second.earned.push_back({earned.bytes(1), earned.bytes(2), {earned.integer(3)}});
  }
  if (!row) return tl::unexpected(row.error());
  std::vector<cases::Case> out;
  for (auto& [id, one] : found) out.push_back(std::move(one));
  return out;
}

base::Result<std::vector<std::pair<std::string, std::string>>> Casebook::load_memory() const {
  std::vector<std::pair<std::string, std::string>> out;
  Statement rows(db_.get(), "SELECT key,value FROM memory");
  auto row = rows.step();
  for (; row && *row; row = rows.step()) out.emplace_back(rows.bytes(0), rows.bytes(1));
  if (!row) return tl::unexpected(row.error());
  return out;
}

}  // namespace sandtrap::casebook
