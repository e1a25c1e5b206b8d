#include "controlplane/store/sqlite_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "controlplane/model/gateway_document.h"
#include "controlplane/model/policy_document.h"
#include "controlplane/model/rules.h"
#include "controlplane/model/service_document.h"
#include "controlplane/model/strict_json.h"
#include "controlplane/store/schema.h"
#include "penstock/net/byteorder.h"

namespace penstock {
namespace {

constexpr int kBusyTimeoutMs = 2'000;
constexpr mode_t kOwnerOnly = 0600;

Error system_error(const std::string& what, int error) {
  const ErrorCode code = error == EACCES || error == EPERM || error == EROFS ? ErrorCode::kPermissionDenied
                                                                             : ErrorCode::kInternal;
  return Error{code, what + ": " + std::strerror(error)};
}

/// Whether a file is empty or carries our application id, which SQLite keeps at byte 68 of its header,
/// big-endian (https://www.sqlite.org/fileformat.html#application_id).
bool is_ours(int fd) {
  std::uint32_t application = 0;
  const ssize_t got = pread(fd, &application, sizeof application, 68);
  return got == 0 || (got == sizeof application && be32::from_raw(application).host() == kStoreApplicationId);
}

/// Makes folder and file, so that SQLite never creates one that others may read. Its log files inherit the
/// mode. The mode of another program's file is left alone.
Status prepare_file(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code failed;
  if (!folder.empty()) std::filesystem::create_directories(folder, failed);
  if (failed)
    return system_error("cannot make the folder '" + folder.string() + "' of the store", failed.value());
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kOwnerOnly);
  if (fd < 0) return system_error("cannot open the store '" + path + "'", errno);
  const bool private_now = !is_ours(fd) || fchmod(fd, kOwnerOnly) == 0;
  const int error = errno;
  ::close(fd);
  if (!private_now) return system_error("cannot make the store '" + path + "' private", error);
  return Ok{};
}

/// A stored document that cannot be read: somebody edited the file, or a bug wrote it.
Error unreadable(const std::string& path, const std::string& kind, const std::string& id,
                 const Problems& problems) {
  return internal_error("store '" + path + "' holds an unreadable " + kind + " '" + id + "' (" +
                        text(problems) + "): restore a copy");
}

/// Reads all documents of one kind with `parse` and hands each to `keep`.
template <class Parse, class Keep>
Status read_documents(sqlite3* db, const std::string& path, const std::string& kind, Parse parse, Keep keep) {
  auto rows =
      sqlite::Statement::prepare(db, path, "SELECT id, body FROM document WHERE kind = ?1 ORDER BY id");
  if (!rows) return rows.error();
  rows->bind(1, std::string_view(kind));
  for (;;) {
    const auto row = rows->step();
    if (!row) return row.error();
    if (!*row) return Ok{};
    const std::string id = rows->bytes(0);
    Problems problems;
    const auto json = parse_json(rows->bytes(1), problems);
    auto document = json ? parse(*json, problems) : std::nullopt;
    if (document && document->id != id) problems.push_back({"id", "differs from its row's"});
    if (!problems.empty()) return unreadable(path, kind, id, problems);
    keep(std::move(*document));
  }
}

}  // namespace

Result<FileLock> FileLock::acquire(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kOwnerOnly);
  if (fd < 0) return system_error("cannot open the lock file '" + path + "'", errno);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return FileLock(fd);
  const int error = errno;
  ::close(fd);
  if (error != EWOULDBLOCK) return system_error("cannot lock '" + path + "'", error);
  return unavailable("another penstock-controlplane has the store open ('" + path +
                     "' is locked): stop it or choose another --store");
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path) {
  const Status prepared = prepare_file(path);
  if (!prepared) return prepared.error();
  auto lock = FileLock::acquire(path + ".lock");
  if (!lock) return lock.error();
  sqlite3* raw = nullptr;
  const int opened =
      sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  sqlite::Database db(raw);
  if (raw == nullptr) return internal_error("no memory to open the store '" + path + "'");
  if (opened != SQLITE_OK) return sqlite::failure(raw, path);
  sqlite3_busy_timeout(raw, kBusyTimeoutMs);
  const Status migrated = migrate(raw, path);
  if (!migrated) return migrated.error();
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(*lock), std::move(db), path));
}

Status SqliteStore::read_services(DesiredState& state) {
  std::vector<Service> services;
  const auto parse = [](const nlohmann::json& json, Problems& problems) {
    return parse_service(json, "", problems);
  };
  const Status read = read_documents(db_.get(), path_, "service", parse,
                                     [&](Service service) { services.push_back(std::move(service)); });
  if (!read) return read;
  Problems problems;
  check_services(services, problems);
  check_policies(services, state, problems);
  if (!problems.empty()) {
    return internal_error("store '" + path_ + "' holds services that contradict each other (" +
                          text(problems) + "): restore a copy");
  }
  for (Service& service : services) {
    const std::string id = service.id;
    state.services.emplace(id, std::make_shared<const Service>(std::move(service)));
  }
  return Ok{};
}

Status SqliteStore::read_gateways(DesiredState& state) {
  const auto parse = [](const nlohmann::json& json, Problems& problems) {
    return parse_stored_gateway(json, "", problems);
  };
  return read_documents(db_.get(), path_, "gateway", parse,
                        [&](GatewayPolicy gateway) { state.gateways.emplace(gateway.id, gateway); });
}

Status SqliteStore::read_policies(DesiredState& state) {
  const auto parse = [](const nlohmann::json& json, Problems& problems) {
    return parse_policy(json, "", problems);
  };
  return read_documents(db_.get(), path_, "policy", parse,
                        [&](WeightPolicy policy) { state.policies.emplace(policy.id, policy); });
}

Result<DesiredState> SqliteStore::load() {
  DesiredState state;
  auto numbers =
      sqlite::Statement::prepare(db_.get(), path_, "SELECT epoch, generation, hash_key FROM state");
  if (!numbers) return numbers.error();
  const auto row = numbers->step();
  if (!row) return row.error();
  const std::string hash_key = *row ? numbers->bytes(2) : "";
  if (hash_key.size() != state.hash_key.size()) {
    return internal_error("store '" + path_ + "' has lost its epoch or hash key: restore a copy");
  }
  state.epoch = static_cast<std::uint64_t>(numbers->number(0));
  state.generation = static_cast<std::uint64_t>(numbers->number(1));
  std::copy(hash_key.begin(), hash_key.end(), state.hash_key.begin());
  // Services name policies.
  const Status policies = read_policies(state);
  if (!policies) return policies.error();
  const Status services = read_services(state);
  if (!services) return services.error();
  const Status gateways = read_gateways(state);
  if (!gateways) return gateways.error();
  return state;
}

Status SqliteStore::put(const char* kind, const std::string& id, const std::string& body) {
  auto statement =
      sqlite::Statement::prepare(db_.get(), path_, "INSERT OR REPLACE INTO document VALUES(?1, ?2, ?3)");
  if (!statement) return statement.error();
  return statement->bind(1, std::string_view(kind))
      .bind(2, std::string_view(id))
      .bind(3, std::string_view(body))
      .run();
}

Status SqliteStore::erase(const char* kind, const std::string& id) {
  auto statement =
      sqlite::Statement::prepare(db_.get(), path_, "DELETE FROM document WHERE kind = ?1 AND id = ?2");
  if (!statement) return statement.error();
  return statement->bind(1, std::string_view(kind)).bind(2, std::string_view(id)).run();
}

Status SqliteStore::write_documents(const Change& change) {
  for (const std::string& id : change.delete_services) {
    if (Status done = erase("service", id); !done) return done;
  }
  for (const auto& service : change.put_services) {
    if (Status done = put("service", service->id, to_json(*service, Secrets::kWritten).dump()); !done)
      return done;
  }
  for (const std::string& id : change.delete_gateways) {
    if (Status done = erase("gateway", id); !done) return done;
  }
  for (const GatewayPolicy& gateway : change.put_gateways) {
    if (Status done = put("gateway", gateway.id, to_stored_json(gateway).dump()); !done) return done;
  }
  for (const std::string& id : change.delete_policies) {
    if (Status done = erase("policy", id); !done) return done;
  }
  for (const WeightPolicy& policy : change.put_policies) {
    if (Status done = put("policy", policy.id, to_json(policy).dump()); !done) return done;
  }
  return Ok{};
}

Result<std::uint64_t> SqliteStore::commit(std::uint64_t expected, const Change& change) {
  auto transaction = sqlite::Transaction::begin(db_.get(), path_);
  if (!transaction) return transaction.error();
  auto advance = sqlite::Statement::prepare(
      db_.get(), path_, "UPDATE state SET generation = generation + 1 WHERE generation = ?1");
  if (!advance) return advance.error();
  const Status advanced = advance->bind(1, static_cast<std::int64_t>(expected)).run();
  if (!advanced) return advanced.error();
  if (sqlite3_changes(db_.get()) != 1) {
    return Error{ErrorCode::kFailedPrecondition,
                 "store '" + path_ + "' is no longer at generation " + std::to_string(expected)};
  }
  const Status written = write_documents(change);
  if (!written) return written.error();
  const Status committed = transaction->commit();
  if (!committed) return committed.error();
  return expected + 1;
}

}  // namespace penstock
