// The weight loop's place in the control plane: hands a planner what gateways and nodes said, ten times a
// second, and carries the weights that it plans to the gateways. While every service is static it asks nobody
// and tells nothing.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "controlplane/store/desired.h"
#include "controlplane/stream/health_feed.h"
#include "controlplane/stream/load_observation.h"
#include "controlplane/stream/planned_fleet.h"
#include "controlplane/stream/planning.h"
#include "controlplane/stream/publisher.h"
#include "controlplane/stream/sessions.h"
#include "controlplane/stream/weight_snapshot.h"

namespace penstock {

class WeightFeed {
 public:
  /// Called by the feed's thread after each step, and once when all services have become static. Must not
  /// block.
  using Show = std::function<void(std::shared_ptr<const WeightSnapshot>)>;

  /// All references outlive the feed.
  WeightFeed(const GatewayTable& gateways, const NodeTable& nodes, const HealthFeed& health,
             Publisher& publisher, Planning planning, Show show);
  ~WeightFeed();
  WeightFeed(const WeightFeed&) = delete;

  /// Whose weights are planned from now on. Any thread, never blocks.
  void follow(DesiredSnapshot state);

 private:
  void run();
  void step(const DesiredState& state);
  void plan(const DesiredState& state, const std::vector<ObservedGateway>& gateways);
  bool learn_what_runs(const std::vector<ObservedGateway>& gateways);
  void take_fleet(PlannedFleet planned);
  void tell(const DesiredState& state, proto::UpdateWeightsRequest weights,
            const std::vector<ObservedGateway>& gateways);
  [[nodiscard]] bool is_usable(const HealthSnapshot& health, const Service& service,
                               std::size_t backend) const;
  void show(const DesiredState& state, const std::vector<ObservedGateway>& gateways, const load::Plan& plan,
            double step_seconds);

  const GatewayTable& gateways_;
  const NodeTable& nodes_;
  const HealthFeed& health_;
  Publisher& publisher_;

  // The feed's thread only.
  const Planning planning_;
  const Show show_;
  LoadObservation observation_;
  LoadObservation::Places places_;
  std::shared_ptr<const load::PlannerFleet> fleet_;  // null while nothing is planned
  Nanoseconds began_;                                // to plan; 0: not yet
  bool knows_what_runs_ = false;
  std::map<std::pair<std::string, std::string>, std::uint32_t>
      running_;                // weights by service and backend, then
  std::uint64_t version_ = 0;  // of what gateways were told last
  std::string told_;           // that, without its version

  std::mutex mutex_;  // guards the following
  std::condition_variable wake_;
  DesiredSnapshot state_;
  bool stopping_ = false;

  std::thread thread_;  // last: runs on all of the above
};

}  // namespace penstock
