// JSON (RFC 8259) as Penstock reads it: UTF-8, one value, no duplicate keys (which RFC 8259 leaves to the
// reader, and which readers resolve differently), at most kMaxJsonDepth levels deep.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "controlplane/model/problems.h"

namespace penstock {

inline constexpr std::size_t kMaxJsonDepth = 32;

/// The value, or nothing and at least one more problem: a syntax error with its byte position, each duplicate
/// key with its path. Any thread.
[[nodiscard]] std::optional<nlohmann::json> parse_json(std::string_view text, Problems& problems);

}  // namespace penstock
