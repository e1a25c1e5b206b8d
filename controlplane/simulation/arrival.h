// When flows begin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "controlplane/simulation/random.h"

namespace penstock::simulation {

struct RatePoint {
  double time = 0;
  double value = 0;
};

/// A state of a Markov-modulated Poisson process: the rate is multiplied by `factor` for an exponential time.
struct BurstState {
  double factor = 1;
  double mean_seconds = 1;
};

/// A Poisson process whose rate follows the points, linear between them and constant beyond the ends; bursts,
/// if any, take turns in their order and multiply it. A flash crowd is a few points. Or, if `times` is not
/// empty, exactly these moments (ascending), with `sizes` (as many, or none: the service's distribution).
struct ArrivalProcess {
  std::vector<RatePoint> rate;
  std::vector<BurstState> bursts;
  std::vector<double> times;
  std::vector<double> sizes;

  [[nodiscard]] static ArrivalProcess poisson(double rate) {
    return {.rate = {{0, rate}}, .bursts = {}, .times = {}, .sizes = {}};
  }
  /// The rate at a time, bursts left out.
  [[nodiscard]] double rate_at(double time) const;
};

/// Draws a process's moments one after the other.
class Arrivals {
 public:
  static constexpr double kNever = std::numeric_limits<double>::infinity();
  /// `process` must outlive this.
  Arrivals(const ArrivalProcess& process, Random random);
  /// The next moment, or kNever.
  double next();
  /// The size that the process gives the flow of the last moment; 0 if it gives none.
  [[nodiscard]] double given_size() const;

 private:
  [[nodiscard]] double segment_end() const;

  const ArrivalProcess& process_;
  Random random_;
  double now_ = 0;
  std::size_t point_ = 0;  // the first point after now_
  std::size_t burst_ = 0;
  double burst_end_ = kNever;
  std::size_t next_time_ = 0;
};

}  // namespace penstock::simulation
