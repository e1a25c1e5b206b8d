#include "dataplane/hash/quota.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

namespace penstock {

std::vector<std::uint32_t> slot_quotas(std::span<const std::uint32_t> weights, std::uint32_t size) {
  const std::uint64_t total = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
  assert(total != 0 && "the caller refuses a list of zero weights");

  std::vector<std::uint32_t> quotas(weights.size());
  std::vector<std::pair<std::uint64_t, std::uint32_t>> shortfalls(
      weights.size());  // ascending = who comes first
  std::uint32_t left = size;
  for (std::uint32_t i = 0; i < weights.size(); ++i) {
    const std::uint64_t share = std::uint64_t{weights[i]} * size;
    quotas[i] = static_cast<std::uint32_t>(share / total);
    left -= quotas[i];
    shortfalls[i] = {total - share % total, i};
  }
  // left < number of non-zero fractions, so nobody with an exact share (a zero weight too) gets one more.
  std::nth_element(shortfalls.begin(), shortfalls.begin() + left, shortfalls.end());
  for (std::uint32_t k = 0; k < left; ++k) ++quotas[shortfalls[k].second];
  return quotas;
}

}  // namespace penstock
