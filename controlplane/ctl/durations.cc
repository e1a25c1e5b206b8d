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

}  // namespace penstock
