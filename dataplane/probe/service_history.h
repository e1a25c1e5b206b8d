// What is usual for a service, by which its backends are measured. Once a second the judge adds up what its
// backends did; slow averages of that are the history.
//
// One service, one thread.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/probe/load_window.h"

namespace penstock {

/// A mean at first, then an exponential average over about `memory` samples.
class SlowAverage {
 public:
  explicit constexpr SlowAverage(std::uint32_t memory) : memory_(memory) {}
  void add(double sample) noexcept {
    if (seen_ < memory_) ++seen_;
    value_ += (sample - value_) / seen_;
  }
  [[nodiscard]] bool empty() const noexcept { return seen_ == 0; }
  [[nodiscard]] double value() const noexcept { return value_; }

 private:
  std::uint32_t memory_;
  std::uint32_t seen_ = 0;
  double value_ = 0;
};

/// One second of a service: of those backends that are in rotation, and while it lasts.
struct ServiceSecond {
  std::vector<std::uint32_t> response_us;  // 99th percentiles, of backends that responded
  std::vector<float> failure_shares;       // of backends that many tried to connect to
  std::uint32_t backends = 0;
  std::uint32_t lossy = 0;  // that lose as many probes as a breaker trips for

  void clear() noexcept;
};

class ServiceHistory {
 public:
  /// Sorts the lists.
  void add(ServiceSecond& second);

  // Of the last second: a backend that is no worse than its neighbours is not the one that is broken.
  [[nodiscard]] double failure_share_now() const noexcept { return failure_now_; }        // median
  [[nodiscard]] std::uint32_t response_us_now() const noexcept { return response_now_; }  // median; 0: none
  [[nodiscard]] bool most_are_lossy() const noexcept { return most_are_lossy_; }

  // Of the last minute or so; 0: none yet.
  [[nodiscard]] double failure_share() const noexcept { return failures_.value(); }
  [[nodiscard]] double usual_response_us() const noexcept { return median_.value(); }
  [[nodiscard]] double good_response_us() const noexcept { return lower_.value(); }  // of the better half

 private:
  SlowAverage failures_{60};
  SlowAverage median_{60};
  SlowAverage lower_{60};
  double failure_now_ = 0;
  std::uint32_t response_now_ = 0;
  bool most_are_lossy_ = false;
};

}  // namespace penstock
