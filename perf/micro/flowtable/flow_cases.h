// The flow table's side of the race. One benchmark iteration is one burst of kBurst packets.
#pragma once

#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "dataplane/flow/flow_table.h"

namespace penstock::perf {

inline constexpr std::size_t kBurst = 32;

struct FlowCount {
  const char* name;
  std::size_t flows;
  double target_ns;  // the table's share of issue 3's budget for a whole pipeline
};
inline constexpr std::array<FlowCount, 4> kFlowCounts{
    {{"1", 1, 5}, {"16k", 16'384, 6}, {"1M", 1'000'000, 15}, {"10M", 10'000'000, 20}}};

/// Makes the counter "ns": processor time per packet, which other processes on the machine disturb least.
inline void count_packets(benchmark::State& state) {
  state.counters["ns"] = benchmark::Counter(
      kBurst * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

/// Stands for the keyed hash of flow i: a bijection with well-mixed bits (Steele et al., "Fast splittable
/// pseudorandom number generators", OOPSLA '14).
constexpr std::uint64_t digest_of(std::uint64_t i) noexcept {
  std::uint64_t z = (i + 1) * 0x9e37'79b9'7f4a'7c15;
  z = (z ^ z >> 30) * 0xbf58'476d'1ce4'e5b9;
  z = (z ^ z >> 27) * 0x94d0'49bb'1331'11eb;
  return z ^ z >> 31;
}

/// Registers find.N, portable.find.N and floor.N: established flows looked up in random order.
void register_find_cases(const FlowCount& count);
/// Registers new.room, new.full and find.1M.flooded: SYNs of flows never seen, sized for 1M flows.
void register_new_flow_cases();

/// Bytes of hugepages that the cases of `count` take.
[[nodiscard]] std::size_t find_case_bytes(const FlowCount& count);
[[nodiscard]] std::size_t new_flow_case_bytes();

/// Confirmed flows over slots when the first one is refused.
[[nodiscard]] double load_at_first_refusal(std::size_t slots);

}  // namespace penstock::perf
