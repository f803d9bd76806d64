#include "casebook/statement.h"

namespace sandtrap::casebook {

base::Error sqlite_error(sqlite3* db, std::string_view what) {
  std::string text(what);
  text += ": ";
  text += db != nullptr ? ::sqlite3_errmsg(db) : "out of memory";
  const int code = db != nullptr ? ::sqlite3_errcode(db) : SQLITE_NOMEM;
  return {code == SQLITE_CANTOPEN ? base::Errc::kNotFound : base::Errc::kIo, std::move(text)};
}

Statement::Statement(sqlite3* db, const char* sql) : db_(db) {
  sqlite3_stmt* made = nullptr;
  code_ = ::sqlite3_prepare_v2(db, sql, -1, &made, nullptr);
  statement_.reset(made);
}

Statement& Statement::text(std::string_view value) {
  if (code_ == SQLITE_OK) {
    code_ = ::sqlite3_bind_text(statement_.get(), next_++, value.data(),
                                static_cast<int>(value.size()), SQLITE_TRANSIENT);
  }
  return *this;
}

Statement& Statement::blob(std::string_view value) {
  if (code_ == SQLITE_OK) {
    code_ = ::sqlite3_bind_blob(statement_.get(), next_++, value.empty() ? "" : value.data(),
                                static_cast<int>(value.size()), SQLITE_TRANSIENT);
  }
  return *this;
}

Statement& Statement::number(std::int64_t value) {
  if (code_ == SQLITE_OK) code_ = ::sqlite3_bind_int64(statement_.get(), next_++, value);
  return *this;
}

base::Result<bool> Statement::step() {
  if (code_ == SQLITE_OK) {
    const int code = ::sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    code_ = code;
  }
  return tl::unexpected(sqlite_error(db_, "casebook"));
}

base::Status Statement::run() {
  for (;;) {
    const auto row = step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
  }
  ::sqlite3_reset(statement_.get());
  ::sqlite3_clear_bindings(statement_.get());
  next_ = 1;
  return {};
}

std::string Statement::bytes(int column) const {
  const void* data = ::sqlite3_column_blob(statement_.get(), column);
  const int size = ::sqlite3_column_bytes(statement_.get(), column);
  if (data == nullptr || size <= 0) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

std::int64_t Statement::integer(int column) const {
  return ::sqlite3_column_int64(statement_.get(), column);
}

}  // namespace sandtrap::casebook
