#include "controlplane/store/schema.h"

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "penstock/config/limits.h"

namespace penstock {
namespace {

using sqlite::execute;
using sqlite::query_number;

/// Entry N turns schema N into N+1, inside a transaction; schema 0 is the empty file. Entries are never
/// edited once released: a change of the tables is a new entry.
using Migration = Status (*)(sqlite3* db, const std::string& path);

Status fill_random(void* out, std::size_t size) {
  if (getrandom(out, size, 0) != static_cast<ssize_t>(size))
    return internal_error("the kernel gave no random bytes");
  return Ok{};
}

Status create_first_schema(sqlite3* db, const std::string& path) {
  const Status tables = execute(db, path, R"sql(
    CREATE TABLE schema_version(version INTEGER NOT NULL);
    INSERT INTO schema_version VALUES(0);
    CREATE TABLE state(
      one INTEGER PRIMARY KEY CHECK(one = 1),
      epoch INTEGER NOT NULL CHECK(epoch > 0),
      generation INTEGER NOT NULL CHECK(generation >= 0),
      hash_key BLOB NOT NULL CHECK(length(hash_key) = 32));
    CREATE TABLE document(
      kind TEXT NOT NULL CHECK(kind IN ('service', 'gateway')),
      id TEXT NOT NULL,
      body TEXT NOT NULL,
      PRIMARY KEY(kind, id)) WITHOUT ROWID;
  )sql");
  if (!tables) return tables;
  static_assert(kHashKeyBytes == 32, "the table's CHECK says so too");

  std::array<char, kHashKeyBytes> hash_key{};
  std::uint64_t epoch = 0;
  for (const Status& filled :
       {fill_random(hash_key.data(), hash_key.size()), fill_random(&epoch, sizeof epoch)}) {
    if (!filled) return filled;
  }
  constexpr std::uint64_t kExactInEveryJsonReader = (std::uint64_t{1} << 53) - 1;
  epoch &= kExactInEveryJsonReader;
  auto insert = sqlite::Statement::prepare(db, path, "INSERT INTO state VALUES(1, ?1, 0, ?2)");
  if (!insert) return insert.error();
  const std::string_view key(hash_key.data(), hash_key.size());
  return insert->bind(1, static_cast<std::int64_t>(epoch == 0 ? 1 : epoch)).bind_blob(2, key).run();
}

/// A CHECK cannot be changed in place (https://www.sqlite.org/lang_altertable.html#otheralter).
Status admit_policies(sqlite3* db, const std::string& path) {
  return execute(db, path, R"sql(
    CREATE TABLE document_with_policies(
      kind TEXT NOT NULL CHECK(kind IN ('service', 'gateway', 'policy')),
      id TEXT NOT NULL,
      body TEXT NOT NULL,
      PRIMARY KEY(kind, id)) WITHOUT ROWID;
    INSERT INTO document_with_policies SELECT kind, id, body FROM document;
    DROP TABLE document;
    ALTER TABLE document_with_policies RENAME TO document;
  )sql");
}

constexpr std::array<Migration, 2> kMigrations = {create_first_schema, admit_policies};

/// The schema's version; 0 for a file without tables. Only reads.
Result<std::int64_t> version_of(sqlite3* db, const std::string& path) {
  const auto tables = query_number(db, path, "SELECT count(*) FROM sqlite_master");
  if (!tables) return tables.error();
  if (*tables == 0) return std::int64_t{0};
  const auto application = query_number(db, path, "PRAGMA application_id");
  if (!application) return application.error();
  if (*application != kStoreApplicationId) {
    return invalid("", "'" + path + "' is a database of another program: choose another --store");
  }
  const auto check = sqlite::query_text(db, path, "PRAGMA quick_check(1)");
  if (!check) return check.error();
  if (*check != "ok") {
    return internal_error("store '" + path + "' is damaged (" + *check + "): move it away or restore a copy");
  }
  return query_number(db, path, "SELECT version FROM schema_version");
}

Status migrate_one(sqlite3* db, const std::string& path, std::int64_t from) {
  auto transaction = sqlite::Transaction::begin(db, path);
  if (!transaction) return transaction.error();
  const Status migrated = kMigrations[static_cast<std::size_t>(from)](db, path);
  if (!migrated) return migrated;
  auto number = sqlite::Statement::prepare(db, path, "UPDATE schema_version SET version = ?1");
  if (!number) return number.error();
  const Status numbered = number->bind(1, from + 1).run();
  if (!numbered) return numbered;
  const Status marked =
      execute(db, path, ("PRAGMA application_id = " + std::to_string(kStoreApplicationId)).c_str());
  if (!marked) return marked;
  return transaction->commit();
}

}  // namespace

Status migrate(sqlite3* db, const std::string& path) {
  const auto version = version_of(db, path);
  if (!version) return version.error();
  constexpr auto kNewest = static_cast<std::int64_t>(kMigrations.size());
  if (*version < 0 || *version > kNewest) {
    return invalid("", "store '" + path + "' has schema " + std::to_string(*version) +
                           ", this Penstock knows up to " + std::to_string(kNewest) +
                           ": run the newer penstock-controlplane");
  }
  const Status wal = execute(db, path, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  if (!wal) return wal;
  for (std::int64_t from = *version; from < kNewest; ++from) {
    const Status done = migrate_one(db, path, from);
    if (!done) return done;
  }
  return Ok{};
}

}  // namespace penstock
