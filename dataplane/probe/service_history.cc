#include "dataplane/probe/service_history.h"

#include <algorithm>

namespace penstock {

void ServiceSecond::clear() noexcept {
  response_us.clear();
  failure_shares.clear();
  backends = lossy = 0;
}

void ServiceHistory::add(ServiceSecond& second) {
  failure_now_ = 0;
  if (!second.failure_shares.empty()) {
    std::ranges::sort(second.failure_shares);
    failure_now_ = second.failure_shares[(second.failure_shares.size() - 1) / 2];
    failures_.add(failure_now_);
  }
  most_are_lossy_ = second.lossy * 2 > second.backends;
  response_now_ = 0;
  if (second.response_us.empty()) return;
  std::ranges::sort(second.response_us);
  const std::size_t last = second.response_us.size() - 1;
  response_now_ = second.response_us[last / 2];
  median_.add(response_now_);
  lower_.add(second.response_us[last / 4]);
}

}  // namespace penstock
