#include "controlplane/model/rfc3339.h"

#include <chrono>
#include <cstdio>

namespace penstock {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

/// `count` decimal digits at `at`, or nothing when there are others.
std::optional<unsigned> digits(std::string_view text, std::size_t at, std::size_t count) {
  unsigned value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(text[i] - '0');
  }
  return value;
}

/// "HH:MM" at `at` as minutes, or nothing.
std::optional<int> minutes(std::string_view text, std::size_t at) {
  const auto hour = digits(text, at, 2);
  const auto minute = digits(text, at + 3, 2);
  if (!hour || !minute || text[at + 2] != ':' || *hour > 23 || *minute > 59) return std::nullopt;
  return static_cast<int>(*hour * 60 + *minute);
}

/// What stands behind the seconds: minutes east of UTC.
std::optional<int> offset(std::string_view zone) {
  if (zone == "Z") return 0;
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-')) return std::nullopt;
  const auto east = minutes(zone, 1);
  if (!east) return std::nullopt;
  return zone[0] == '+' ? *east : -*east;
}

}  // namespace

std::string rfc3339(std::uint64_t unix_seconds) {
  const auto time = static_cast<std::int64_t>(unix_seconds);
  const sys_days day{days{time / 86'400}};
  const std::chrono::year_month_day date{day};
  const auto second = static_cast<int>(time % 86'400);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), second / 3600,
                second / 60 % 60, second % 60);
  return text;
}

std::optional<std::uint64_t> unix_seconds_from_rfc3339(std::string_view text) {
  constexpr std::size_t kZone = 19;  // "2026-11-28T10:00:00"
  if (text.size() <= kZone || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[16] != ':') {
    return std::nullopt;
  }
  const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  const auto minute = minutes(text, 11);
  const auto second = digits(text, 17, 2);
  const auto east = offset(text.substr(kZone));
  if (!year || !month || !day || !minute || !second || !east || *second > 59) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(*month), std::chrono::day(*day)};
  if (!date.ok()) return std::nullopt;
  const std::int64_t time = sys_days(date).time_since_epoch().count() * std::int64_t{86'400} +
                            (*minute - *east) * std::int64_t{60} + *second;
  if (time < 0) return std::nullopt;
  return static_cast<std::uint64_t>(time);
}

}  // namespace penstock
