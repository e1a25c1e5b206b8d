// Times of day as they stand in documents: RFC 3339, in whole seconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

/// "2026-11-28T10:00:00Z". Seconds since 1970-01-01, leap seconds not counted; up to the year 9999.
[[nodiscard]] std::string rfc3339(std::uint64_t unix_seconds);

/// Its inverse, which also takes an offset ("2026-11-28T12:00:00+02:00"). Nothing for another text, a date
/// that no calendar has, or a time before 1970.
[[nodiscard]] std::optional<std::uint64_t> unix_seconds_from_rfc3339(std::string_view text);

}  // namespace penstock
