// One prepared SQLite statement: binds, steps, reads. Blobs throughout for what an attacker chose.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace sandtrap::casebook {

class Statement {
 public:
  Statement(sqlite3* db, const char* sql);

  Statement& text(std::string_view value);
  Statement& blob(std::string_view value);
  Statement& number(std::int64_t value);
  // True: there is a row. An error stays: later steps fail too.
  base::Result<bool> step();
  base::Status run();  // steps to the end and may be bound again

  std::string bytes(int column) const;
  std::int64_t integer(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* s) const noexcept { ::sqlite3_finalize(s); }
  };
  sqlite3* db_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int next_ = 1;
  int code_ = SQLITE_OK;
};

base::Error sqlite_error(sqlite3* db, std::string_view what);

}  // namespace sandtrap::casebook
