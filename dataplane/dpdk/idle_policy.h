// What a worker does when its queues are empty.
#pragma once

#include <cstdint>
#include <string_view>

#include "penstock/base/result.h"

namespace penstock {

enum class IdleMode : std::uint8_t {
  kSpin,       // poll again at once: lowest latency, a whole core
  kPause,      // as spin, with pause instructions between polls: the sibling hyper-thread gets more
  kSleep,      // after kPollsBeforeRest empty polls, sleep
  kInterrupt,  // after kPollsBeforeRest empty polls, wait for the port's interrupt; few drivers have it
};

struct IdlePolicy {
  /// Longest sleep. A heartbeat calls 50 ms without progress a stall; this stays well below.
  static constexpr std::uint32_t kMaxSleepMicros = 10'000;

  IdleMode mode = IdleMode::kSpin;
  std::uint32_t sleep_us = 0;  // kSleep only

  bool operator==(const IdlePolicy&) const = default;
};

/// "spin", "pause", "sleep:US" (1-10000 microseconds) or "interrupt".
[[nodiscard]] Result<IdlePolicy> parse_idle_policy(std::string_view text);

}  // namespace penstock
