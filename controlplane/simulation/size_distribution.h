// How large flows are.
#pragma once

#include <cstdint>
#include <vector>

#include "controlplane/simulation/random.h"

namespace penstock::simulation {

/// A share `probability` of sizes is at most `size`; between points the quantile is linear.
struct CdfPoint {
  double size = 0;
  double probability = 0;
};

struct SizeDistribution {
  enum class Kind : std::uint8_t { kDeterministic, kExponential, kBoundedPareto, kEmpirical };
  Kind kind = Kind::kExponential;
  double mean = 1;                          // kDeterministic, kExponential
  double shape = 1.5, low = 1, high = 100;  // kBoundedPareto: shape > 0, != 1; 0 < low < high
  std::vector<CdfPoint> cdf;                // kEmpirical: ascending in both, the last probability is 1

  [[nodiscard]] static SizeDistribution deterministic(double size);
  [[nodiscard]] static SizeDistribution exponential(double mean);
  /// Scaled to the mean; `spread` = high / low.
  [[nodiscard]] static SizeDistribution bounded_pareto(double shape, double spread, double mean);
  /// Scaled to the mean.
  [[nodiscard]] static SizeDistribution empirical(std::vector<CdfPoint> cdf, double mean);

  [[nodiscard]] double draw(Random& random) const;
  [[nodiscard]] double average() const;
};

}  // namespace penstock::simulation
