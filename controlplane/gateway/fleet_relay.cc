#include "controlplane/gateway/fleet_relay.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace penstock {

FleetRelay::FleetRelay(DataplaneClient& dataplane) : dataplane_(dataplane), thread_([this] { run(); }) {}

FleetRelay::~FleetRelay() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  dataplane_.cancel();
  thread_.join();
}

void FleetRelay::submit(proto::FleetHealth fleet) {
  {
    const std::lock_guard lock(mutex_);
    inbox_ = std::move(fleet);
  }
  wake_.notify_one();
}

void FleetRelay::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || inbox_; });
    if (stopping_) return;
    const proto::FleetHealth fleet = std::move(*std::exchange(inbox_, std::nullopt));
    lock.unlock();
    pass_on(fleet);
    lock.lock();
  }
}

// Not tried again: the control plane repeats what still holds.
void FleetRelay::pass_on(const proto::FleetHealth& fleet) {
  const Status status = dataplane_.set_fleet_health(fleet);
  if (status.ok() == well_) return;
  if (const std::lock_guard lock(mutex_); stopping_) return;  // that is what ended the call
  well_ = status.ok();
  if (well_) {
    spdlog::info("the dataplane takes the fleet's word on backends again");
  } else {
    spdlog::warn("the fleet's word on backends does not reach the dataplane: {}", status.error().text());
  }
}

}  // namespace penstock
