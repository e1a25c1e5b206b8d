// What became of the prober's datagrams.
#pragma once

#include <cstdint>

namespace penstock {

/// Datagrams since the process began.
struct ProbeCounters {
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::uint64_t refused_malformed = 0;
  std::uint64_t refused_authentication = 0;
  std::uint64_t refused_stale = 0;     // nonce unknown: a replay, too late, or invented
  std::uint64_t refused_stranger = 0;  // not from the address that was asked
};

}  // namespace penstock
