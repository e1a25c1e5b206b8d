#include "controlplane/store/sqlite.h"

#include <utility>

namespace penstock::sqlite {

Error failure(sqlite3* db, const std::string& path) {
  const std::string reason = sqlite3_errmsg(db);
  const std::string quoted = "'" + path + "'";
  switch (sqlite3_errcode(db)) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return internal_error("store " + quoted + " is damaged or no SQLite file (" + reason +
                            "): move it away or restore a copy");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return unavailable("store " + quoted +
                         " is locked by another program, perhaps an open sqlite3 shell: close it");
    case SQLITE_FULL:
      return unavailable("store " + quoted + " cannot grow: the disk is full");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Error{ErrorCode::kPermissionDenied, "store " + quoted + " is not writable (" + reason + ")"};
    default:
      return internal_error("store " + quoted + ": " + reason);
  }
}

Result<Statement> Statement::prepare(sqlite3* db, const std::string& path, std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &statement, nullptr) != SQLITE_OK) {
    return failure(db, path);
  }
  return Statement(db, path, statement);
}

// A failed bind leaves NULL, which the schema's NOT NULL turns into an error of step().
Statement& Statement::bind(int index, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), index, value);
  return *this;
}

Statement& Statement::bind(int index, std::string_view value) {
  sqlite3_bind_text64(statement_.get(), index, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view value) {
  sqlite3_bind_blob64(statement_.get(), index, value.data(), value.size(), SQLITE_STATIC);
  return *this;
}

Result<bool> Statement::step() {
  switch (sqlite3_step(statement_.get())) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return failure(db_, path_);
  }
}

Status Statement::run() {
  for (;;) {
    const auto row = step();
    if (!row) return row.error();
    if (!*row) return Ok{};
  }
}

std::string Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr ? std::string()
                         : std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

Status execute(sqlite3* db, const std::string& path, const char* sql) {
  if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failure(db, path);
  return Ok{};
}

namespace {

Result<Statement> only_row(sqlite3* db, const std::string& path, std::string_view sql) {
  auto statement = Statement::prepare(db, path, sql);
  if (!statement) return statement.error();
  const auto row = statement->step();
  if (!row) return row.error();
  if (!*row)
    return internal_error("store '" + path + "' lacks an expected row: move it away or restore a copy");
  return statement;
}

}  // namespace

Result<std::int64_t> query_number(sqlite3* db, const std::string& path, std::string_view sql) {
  auto row = only_row(db, path, sql);
  if (!row) return row.error();
  return row->number(0);
}

Result<std::string> query_text(sqlite3* db, const std::string& path, std::string_view sql) {
  auto row = only_row(db, path, sql);
  if (!row) return row.error();
  return row->bytes(0);
}

Result<Transaction> Transaction::begin(sqlite3* db, const std::string& path) {
  const Status began = execute(db, path, "BEGIN IMMEDIATE");
  if (!began) return began.error();
  return Transaction(db, path);
}

Transaction::~Transaction() {
  if (db_ != nullptr && sqlite3_get_autocommit(db_) == 0)
    sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

Status Transaction::commit() { return execute(db_, path_, "COMMIT"); }

}  // namespace penstock::sqlite
