// The store of a single control plane: one SQLite file (write-ahead log, synchronous=FULL), mode 0600 because
// it holds the fleet's hash key. FILE.lock keeps a second process out for as long as this one lives.
#pragma once

#include <memory>
#include <string>

#include "controlplane/store/sqlite.h"
#include "controlplane/store/store.h"

namespace penstock {

/// An advisory lock on a file (flock(2)), released when the process ends, however it ends.
class FileLock {
 public:
  static Result<FileLock> acquire(const std::string& path);
  FileLock(FileLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileLock(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

class SqliteStore final : public Store {
 public:
  /// Opens the file, makes it (and its folder) when missing, migrates an older schema. Errors by code:
  /// kUnavailable: in use by another process; kPermissionDenied; kInvalidArgument: another program's database
  /// or a newer Penstock's; kInternal: damaged.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path);

  Result<DesiredState> load() override;
  Result<std::uint64_t> commit(std::uint64_t expected, const Change& change) override;

 private:
  SqliteStore(FileLock lock, sqlite::Database db, std::string path)
      : lock_(std::move(lock)), db_(std::move(db)), path_(std::move(path)) {}

  Status put(const char* kind, const std::string& id, const std::string& body);
  Status erase(const char* kind, const std::string& id);
  Status write_documents(const Change& change);
  Status read_services(DesiredState& state);
  Status read_gateways(DesiredState& state);
  Status read_policies(DesiredState& state);

  FileLock lock_;  // outlives db_
  sqlite::Database db_;
  std::string path_;
};

}  // namespace penstock
