// Scheduling for the two threads that decide about withdrawal: on a busy host the guard must not be the one
// who is late.
#pragma once

namespace penstock {

/// Names the calling thread and, where the system permits, gives it the lowest real-time priority (SCHED_RR
/// 1), which threads that it starts do not inherit. Without permission it stays as it is, and only the margin
/// is smaller.
void prefer_this_thread(const char* name);

}  // namespace penstock
