// The CPU time of the calling thread: what something cost, however often others ran in between. Any thread.
#pragma once

#include <ctime>

#include "penstock/base/units.h"

namespace penstock {

inline Nanoseconds thread_time() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return Nanoseconds::from_seconds(static_cast<std::uint64_t>(used.tv_sec)) +
         Nanoseconds(static_cast<std::uint64_t>(used.tv_nsec));
}

}  // namespace penstock
