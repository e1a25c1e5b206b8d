#include <algorithm>
#include <cmath>

#include "controlplane/simulation/run_result.h"

namespace penstock::simulation {

Settling settling(std::span<const double> times, std::span<const double> values, double event,
                  double tolerance) {
  const auto begin =
      static_cast<std::size_t>(std::lower_bound(times.begin(), times.end(), event) - times.begin());
  const std::size_t n = times.size() - begin;
  Settling result;
  if (n == 0) return result;
  const std::size_t tail = std::max<std::size_t>(n / 4, 1);
  for (std::size_t i = times.size() - tail; i < times.size(); ++i) result.final_value += values[i];
  result.final_value /= static_cast<double>(tail);
  const double scale = std::max(std::abs(result.final_value), 1e-12);

  std::size_t settled = times.size();
  while (settled > begin && std::abs(values[settled - 1] - result.final_value) <= tolerance * scale)
    --settled;
  // The value comes within the tolerance at the change after the last one that was not.
  result.settled_after = settled == begin ? 0 : times[std::min(settled, times.size() - 1)] - event;

  const double before = begin > 0 ? values[begin - 1] : values[begin];
  const double direction = result.final_value >= before ? 1 : -1;
  for (std::size_t i = begin; i < times.size(); ++i)
    result.overshoot = std::max(result.overshoot, direction * (values[i] - result.final_value) / scale);
  return result;
}

}  // namespace penstock::simulation
