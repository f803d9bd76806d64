// What must outlive the warden: the cases with their keys, earned logins and sandboxes, and what
// the login policy remembers. One SQLite file, root's alone, in WAL mode: every save is whole or
// not at all, over a kill -9 as well. Blocking; the warden uses it on its disk thread, the command
// line reads it while the warden writes.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cases/case.h"

struct sqlite3;

namespace sandtrap::casebook {

struct Changes {  // of one save; nullopt: forgotten
  std::map<std::string, std::optional<cases::Case>> rows;
  std::map<std::string, std::optional<std::string>> memory;  // the login policy's, opaque
  bool empty() const { return rows.empty() && memory.empty(); }
};

class Casebook {
 public:
  enum class Mode { kReadWrite, kReadOnly };
  // <data_dir>/cases/cases.db. kReadWrite makes the folder (0700) and refuses one that is not ours
  // alone; kReadOnly: kNotFound when there is none.
  static base::Result<Casebook> open(const std::string& data_dir, Mode mode);
  ~Casebook();
  Casebook(Casebook&&) noexcept;
  Casebook& operator=(Casebook&&) noexcept;

  base::Status save(const Changes& changes);
  base::Result<std::vector<cases::Case>> load_cases() const;
  base::Result<std::vector<std::pair<std::string, std::string>>> load_memory() const;

 private:
  struct Close {
    void operator()(sqlite3* db) const noexcept;
  };
  explicit Casebook(sqlite3* db);
  base::Status run(const char* sql) const;
  base::Status save_case(const std::string& id, const std::optional<cases::Case>& value) const;

  std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace sandtrap::casebook
