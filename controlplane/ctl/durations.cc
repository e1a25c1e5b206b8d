#include "controlplane/ctl/durations.h"

#include <charconv>
#include <limits>

namespace penstock {

Result<std::uint32_t> seconds_from_text(const std::string& flag, const std::string& text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [unit, failed] = std::from_chars(text.data(), end, number);
  const std::string rest(unit, end);
  const std::uint64_t factor = rest.empty() || rest == "s" ? 1 : rest == "m" ? 60 : rest == "h" ? 3600 : 0;
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  if (failed != std::errc() || factor == 0 || number > kMost / factor) {
    return invalid(flag, "'" + text + "' is no duration: write 90s, 10m or 2h");
  }
  return static_cast<std::uint32_t>(number * factor);
}

Result<std::uint32_t> milliseconds_from_text(const std::string& flag, const std::string& text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data(), end, number);
  const std::string unit(stop, end);
  const std::uint64_t factor = unit == "ms"                  ? 1
                               : unit == "s"                 ? 1000
                               : unit == "m"                 ? 60'000
                               : unit == "h"                 ? 3'600'000
                               : unit.empty() && number == 0 ? 1
                                                             : 0;
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  if (failed != std::errc() || factor == 0 || number > kMost / factor) {
    return invalid(flag, "'" + text + "' is no duration: write 20ms, 2s, 10m or 1h");
  }
  return static_cast<std::uint32_t>(number * factor);
}

std::string text_of_milliseconds(std::uint64_t milliseconds) {
  if (milliseconds % 1000 != 0) return std::to_string(milliseconds) + "ms";
  const std::uint64_t seconds = milliseconds / 1000;
  if (seconds == 0 || seconds % 60 != 0) return std::to_string(seconds) + "s";
  if (seconds % 3600 != 0) return std::to_string(seconds / 60) + "m";
  return std::to_string(seconds / 3600) + "h";
}

}  // namespace penstock
