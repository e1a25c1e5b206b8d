// Real weights as the integers that gateways take.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace penstock::simulation {

/// The largest becomes 1000; what is above 0 stays above 0. All 0 if no weight is above 0.
[[nodiscard]] inline std::vector<std::uint32_t> scaled_weights(std::span<const double> weights) {
  double most = 0;
  for (double weight : weights) most = std::max(most, weight);
  std::vector<std::uint32_t> scaled(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (weights[i] > 0)
      scaled[i] = std::max(1u, static_cast<std::uint32_t>(std::lround(weights[i] / most * 1000)));
  return scaled;
}

}  // namespace penstock::simulation
