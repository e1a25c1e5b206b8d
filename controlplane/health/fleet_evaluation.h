// From what gateways and nodes last said to the fleet's verdict on every backend and the state of every node.
//
// Work is done for what changed: a gateway's report is read once, and without a new report, a gateway that
// came, left or fell silent, or another generation, only the nodes' clocks are looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "controlplane/health/ballot_box.h"
#include "controlplane/health/health_snapshot.h"
#include "penstock/proto/gateway.pb.h"

namespace penstock {

/// A gateway whose last status is older has no vote.
inline constexpr Nanoseconds kBallotAge = Nanoseconds::from_seconds(3);
/// More verdicts that matter are no news for anybody, and would be megabytes a second to every gateway.
inline constexpr int kMaxFleetVerdicts = 20'000;
inline constexpr std::size_t kMaxHealthEvents = 500;

struct HealthInputs {
  struct Gateway {
    std::string id;
    bool connected = false;
    Nanoseconds status_at;  // when `status` came
    std::shared_ptr<const proto::GatewayStatus> status;
  };
  struct Node {
    std::string id;
    Nanoseconds last_seen;  // of its agent
    std::vector<IpAddr> addresses;
  };
  std::shared_ptr<const DesiredState> state;  // null: none yet
  std::vector<Gateway> gateways;
  std::vector<Node> nodes;
  Nanoseconds now;
  std::uint64_t unix_ms = 0;
};

/// One thread; what it gives out may travel.
class FleetEvaluation {
 public:
  FleetEvaluation();

  /// Calls may be any time apart.
  void step(const HealthInputs& inputs);

  [[nodiscard]] const std::shared_ptr<const HealthSnapshot>& snapshot() const { return snapshot_; }
  /// What gateways are to be told: verdicts of death, and of life where a gateway is not sure. In the order
  /// of the services; the first kMaxFleetVerdicts.
  [[nodiscard]] const proto::FleetHealth& fleet() const { return fleet_; }

 private:
  struct Node {
    NodeWatch watch;
    PathVotes paths;
    std::vector<IpAddr> addresses;
    std::vector<std::uint8_t> heard_by;  // by gateway, while counting: kHeard, kUnheard, kDoubtful
    bool present = false;
  };

  bool take_gateways(const HealthInputs& inputs);
  bool take_nodes(const HealthInputs& inputs);
  void count(const HealthInputs& inputs);
  bool count_service(const std::string& id, BallotBox::Service& service, const HealthInputs& inputs);
  bool count_all_down(const std::string& id, BallotBox::Service& service, const HealthInputs& inputs);
  [[nodiscard]] BackendVerdict count_backend(const BallotBox::Backend& backend, Node* node);
  void count_paths();
  bool watch_nodes(const HealthInputs& inputs);
  void tell_fleet(const std::string& service, const BackendVerdict& verdict);
  void log(const HealthInputs& inputs, const char* kind, std::string object, std::string from, std::string to,
           std::string reason);
  void publish();

  BallotBox box_;
  std::shared_ptr<const DesiredState> state_;
  std::map<std::string, std::size_t, std::less<>> slots_;             // gateways in the box
  std::vector<std::string> gateways_;                                 // by slot; empty: free
  std::vector<std::shared_ptr<const proto::GatewayStatus>> entered_;  // by slot; null: has no vote
  std::vector<Nanoseconds> entered_at_;                               // by slot: when that came
  std::vector<std::uint8_t> voted_;                                   // by slot, while counting
  std::map<std::string, Node, std::less<>> nodes_;
  std::unordered_map<IpAddr, std::string> node_at_;
  std::deque<HealthEvent> events_;
  bool events_changed_ = false;
  proto::FleetHealth fleet_;
  std::shared_ptr<const HealthSnapshot> snapshot_;
};

}  // namespace penstock
