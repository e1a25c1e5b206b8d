// The committed tables, read. Throws std::runtime_error naming file and line: a test cannot go on without
// them.
#pragma once

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "table.pb.h"

namespace penstock::conformance {

using Bytes = std::vector<std::uint8_t>;

struct Table {
  std::map<std::string, Gateway> gateways;
  std::vector<Case> cases;  // those of one gateway in a row
};

/// Reads once; the same table ever after.
[[nodiscard]] const Table& table();

[[nodiscard]] Bytes from_hex(const std::string& hex);
[[nodiscard]] std::string to_hex(const Bytes& bytes);

/// For GoogleTest's messages.
inline void PrintTo(const Case& one, std::ostream* out) { *out << one.what(); }

}  // namespace penstock::conformance
