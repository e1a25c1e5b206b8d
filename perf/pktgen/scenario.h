// What to send and what to measure: one section of scenarios.ini. The file explains the keys.
// No DPDK here; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::perf {

inline constexpr std::uint16_t kMinFrameBytes = 64;
inline constexpr std::uint16_t kMaxFrameBytes = 1518;
inline constexpr std::uint16_t kFcsBytes = 4;  // counted in a frame's size, never seen by software

enum class Measure { kRate, kLatency };

struct Scenario {
  std::string name;
  std::uint32_t flows = 0;
  std::vector<std::uint16_t> frame_bytes;  // with FCS
  bool each_size = false;                  // a run for every size instead of one of all sizes
  std::uint32_t syn_percent = 0;
  Measure measure = Measure::kRate;
};

/// Every section needs all four keys, each once. InvalidArgument with the line's number as field.
[[nodiscard]] Result<std::vector<Scenario>> parse_scenarios(const std::string& text);

/// The same from a file; NotFound if it cannot be read.
[[nodiscard]] Result<std::vector<Scenario>> read_scenarios(const std::string& path);

/// Those of these names, in the order of the names; all of them if there are no names. InvalidArgument for a
/// name that the file does not have.
[[nodiscard]] Result<std::vector<Scenario>> choose_scenarios(const std::vector<Scenario>& all,
                                                             const std::vector<std::string>& names);

}  // namespace penstock::perf
