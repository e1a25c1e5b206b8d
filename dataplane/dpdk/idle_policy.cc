#include "dataplane/dpdk/idle_policy.h"

#include <charconv>
#include <string>

namespace penstock {

Result<IdlePolicy> parse_idle_policy(std::string_view text) {
  if (text == "spin") return IdlePolicy{IdleMode::kSpin, 0};
  if (text == "pause") return IdlePolicy{IdleMode::kPause, 0};
  if (text == "interrupt") return IdlePolicy{IdleMode::kInterrupt, 0};
  constexpr std::string_view kSleepPrefix = "sleep:";
  if (text.starts_with(kSleepPrefix)) {
    const std::string_view number = text.substr(kSleepPrefix.size());
    std::uint32_t micros = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), micros);
    if (error == std::errc{} && end == number.data() + number.size() && micros >= 1 &&
        micros <= IdlePolicy::kMaxSleepMicros) {
      return IdlePolicy{IdleMode::kSleep, micros};
    }
  }
  return invalid("idle",
                 "'" + std::string(text) + "' is not spin, pause, sleep:US (1-10000 µs) or interrupt");
}

}  // namespace penstock
