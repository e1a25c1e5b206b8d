#include "controlplane/gateway/realtime.h"

#include <pthread.h>
#include <sched.h>

namespace penstock {

void prefer_this_thread(const char* name) {
  pthread_setname_np(pthread_self(), name);
  sched_param parameters{};
  parameters.sched_priority = 1;
  sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &parameters);
}

}  // namespace penstock
