// The few calls of SQLite's C interface that the store needs, with owners and Results instead of codes.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "penstock/base/result.h"

namespace penstock::sqlite {

struct CloseDatabase {
  void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

/// The database's last failure as one sentence that names `path` and what to do about it.
[[nodiscard]] Error failure(sqlite3* db, const std::string& path);

/// One prepared statement. Bind every parameter, then step() until it answers false.
class Statement {
 public:
  static Result<Statement> prepare(sqlite3* db, const std::string& path, std::string_view sql);

  Statement& bind(int index, std::int64_t value);
  /// `value` must outlive the last step().
  Statement& bind(int index, std::string_view value);
  Statement& bind_blob(int index, std::string_view value);

  /// True: a row is there. False: done.
  Result<bool> step();
  /// Steps to the end, for statements without rows.
  Status run();

  [[nodiscard]] std::int64_t number(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
  }
  [[nodiscard]] std::string bytes(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
  };

  Statement(sqlite3* db, const std::string& path, sqlite3_stmt* statement)
      : db_(db), path_(path), statement_(statement) {}

  sqlite3* db_;
  std::string path_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// Runs statements without parameters or rows of interest.
[[nodiscard]] Status execute(sqlite3* db, const std::string& path, const char* sql);

/// The first column of the only row.
[[nodiscard]] Result<std::int64_t> query_number(sqlite3* db, const std::string& path, std::string_view sql);
[[nodiscard]] Result<std::string> query_text(sqlite3* db, const std::string& path, std::string_view sql);

/// BEGIN IMMEDIATE on construction; rolls back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(sqlite3* db, const std::string& path);
  Transaction(Transaction&& other) noexcept : db_(other.db_), path_(std::move(other.path_)) {
    other.db_ = nullptr;
  }
  Transaction(const Transaction&) = delete;
  ~Transaction();

  [[nodiscard]] Status commit();

 private:
  Transaction(sqlite3* db, std::string path) : db_(db), path_(std::move(path)) {}

  sqlite3* db_;
  std::string path_;
};

}  // namespace penstock::sqlite
