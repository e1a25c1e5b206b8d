// What became of the prober's messages, and of direct checks.
#pragma once

#include <cstdint>

namespace penstock {

/// Messages since the process began.
struct ProbeCounters {
  std::uint64_t sent = 0;      // handed to the data path
  std::uint64_t not_sent = 0;  // no next hop, or no room on the way out; neither sent nor lost
  std::uint64_t answered = 0;
  std::uint64_t lost = 0;  // not answered in time
  std::uint64_t refused_malformed = 0;
  std::uint64_t refused_authentication = 0;
  std::uint64_t refused_stale = 0;     // nonce unknown: a replay, too late, or invented
  std::uint64_t refused_stranger = 0;  // not from the address that was asked
};

/// Checks since the process began. begun = passed + failed + those without a verdict: in progress, given up
/// because this gateway could not send or hear, or because the configuration changed.
struct DirectCounters {
  std::uint64_t begun = 0;
  std::uint64_t passed = 0;
  std::uint64_t failed = 0;
  std::uint64_t refused = 0;  // packets to a check's port that belong to none
};

}  // namespace penstock
