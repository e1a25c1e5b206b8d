// The tables of the SQLite store and how older ones become newer ones.
#pragma once

#include <string>

#include "controlplane/store/sqlite.h"

namespace penstock {

/// Written into the file's header (PRAGMA application_id), so that another program's database is not mistaken
/// for ours: "PNSK".
inline constexpr std::int64_t kStoreApplicationId = 0x504e534b;

/// Brings the database to the newest schema, one transaction per version; an empty one gets its epoch and
/// hash key. Refuses foreign, newer and damaged files without changing them.
[[nodiscard]] Status migrate(sqlite3* db, const std::string& path);

}  // namespace penstock
