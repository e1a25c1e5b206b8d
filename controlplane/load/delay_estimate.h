// How late the law sees what its weights did.
//
// A weight changed now is in the dataplane after the apply time; it speaks of new flows only, so that a
// node's load follows as flows come and go: half the flow residence, as the mean age of what a node carries;
// and the load is read as old as telemetry is. The sum is the delay d of the stability bound (law.h).
//
// An underestimate makes weights ring, an overestimate only makes them slow: the estimate follows a longer
// delay at once (half of the way per update) and a shorter one slowly (2 %).
#pragma once

namespace penstock::load {

class DelayEstimate {
 public:
  static constexpr double kUp = 0.5;
  static constexpr double kDown = 0.02;
  /// Of flow residence, seconds. Flows that last for hours tell of themselves in no useful time: with d
  /// beyond this the law would stand still.
  static constexpr double kMostResidence = 10;

  /// All in seconds. A value that is NaN, infinite or negative leaves the whole update out.
  void update(double telemetry_age, double flow_residence, double apply_time);

  /// 0 before the first update.
  [[nodiscard]] double seconds() const { return seconds_; }

 private:
  double seconds_ = 0;
  bool known_ = false;
};

}  // namespace penstock::load
