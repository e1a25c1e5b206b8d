// Feeds controlplane/health with what gateways and nodes said, and carries its verdicts: to REST as a
// snapshot, to the gateways by the publisher.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "controlplane/health/fleet_evaluation.h"
#include "controlplane/store/desired.h"
#include "controlplane/stream/publisher.h"
#include "controlplane/stream/sessions.h"

namespace penstock {

/// Judges every 250 ms, or less often where that would take more than half of a CPU, on a thread of its own,
/// so that neither a report nor a REST answer waits for it.
class HealthFeed {
 public:
  /// All three outlive the feed.
  HealthFeed(const GatewayTable& gateways, const NodeTable& nodes, Publisher& publisher);
  ~HealthFeed();
  HealthFeed(const HealthFeed&) = delete;

  /// Whose backends are judged from now on. Any thread, never blocks.
  void follow(DesiredSnapshot state);
  /// Never null. Any thread, never blocks for longer than a pointer is copied.
  [[nodiscard]] std::shared_ptr<const HealthSnapshot> now() const;

 private:
  void run();
  [[nodiscard]] HealthInputs observed(DesiredSnapshot state) const;
  void tell();

  const GatewayTable& gateways_;
  const NodeTable& nodes_;
  Publisher& publisher_;

  // The feed's thread only.
  FleetEvaluation evaluation_;
  std::shared_ptr<const FleetWord> told_;

  mutable std::mutex mutex_;  // guards the following
  std::condition_variable wake_;
  DesiredSnapshot state_;
  std::shared_ptr<const HealthSnapshot> snapshot_;
  bool stopping_ = false;

  std::thread thread_;  // last: runs on all of the above
};

}  // namespace penstock
