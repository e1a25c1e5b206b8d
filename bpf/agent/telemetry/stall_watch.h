// For how long work has been waiting without any progress, and whether that says something.
//
// Theory of operation: a stopped process and one that serves its clients one after the other, each for half a
// second, look alike until the next step. So a wait counts in full only when it is longer than what the
// service is known for: three waits of 250 ms and more within half a minute, that ended, raise the bound
// to 1.5 times the longest of them. Before a service has moved in ten samples, it is one second.
// One thread.
#pragma once

#include <array>
#include <cstddef>

#include "penstock/base/units.h"

namespace penstock {

/// Of one service, now.
struct ServicePulse {
  bool queued = false;   // connections wait for accept()
  bool unread = false;   // requests wait for being read
  Nanoseconds progress;  // the application last did something
  Nanoseconds work;      // the first work after that came
};

class StallWatch {
 public:
  /// Zero while no work waits. To be called every 50 ms or so.
  Nanoseconds judge(Nanoseconds now, const ServicePulse& pulse);

 private:
  struct Pause {
    Nanoseconds ended;
    Nanoseconds length;
  };
  void learn(const ServicePulse& pulse);
  [[nodiscard]] Nanoseconds bound(Nanoseconds now) const;

  std::array<Pause, 4> pauses_{};
  std::size_t next_pause_ = 0;
  unsigned moves_ = 0;
  Nanoseconds waiting_since_;  // as of the last call; zero: no work waited
  Nanoseconds progress_;
};

}  // namespace penstock
