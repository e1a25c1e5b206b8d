// Carries every new generation to every connected peer, and what the fleet knows of backends, and weights, to
// the gateways. One thread of its own turns a snapshot into bytes, so that neither a REST answer nor a gRPC
// thread waits for 100,000 backends to be serialised; generations that arrive meanwhile are skipped, only the
// latest is sent.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "controlplane/store/desired.h"
#include "controlplane/stream/sessions.h"

namespace penstock {

/// What gateways are told of the fleet's health: the bytes of a directive with nothing else.
struct FleetWord {
  std::uint64_t number = 0;  // from 1, one more for each that differs from the last
  bool empty = true;         // no verdicts: said once, so that older ones are forgotten
  std::string bytes;
};

/// Weights of the loop, for gateways that take them: the bytes of a directive with nothing else.
struct WeightWord {
  std::uint64_t version = 0;  // 0: none, nobody is told
  std::string bytes;
};

class Publisher {
 public:
  /// A word that is not empty is repeated so often; dataplanes forget it after 5 s (dataplane.proto).
  static constexpr Nanoseconds kFleetRepeat = Nanoseconds::from_millis(1500);

  /// Both tables outlive the publisher.
  Publisher(const GatewayTable& gateways, const NodeTable& nodes);
  ~Publisher();
  Publisher(const Publisher&) = delete;

  /// The state to carry from now on. Any thread, never blocks.
  void publish(DesiredSnapshot latest);
  /// What to tell the gateways that take it from now on. Any thread, never blocks.
  void tell(std::shared_ptr<const FleetWord> word);
  /// The weights to tell the gateways that take them, each once per session unless it changes. Any thread,
  /// never blocks.
  void tell(std::shared_ptr<const WeightWord> word);
  /// A peer is new in its table, or forgotten. Any thread, never blocks.
  void greet();

 private:
  void run();
  void deliver_to_gateways(const DesiredState& state, const FleetWord& word, const WeightWord& weights);
  void deliver_to_nodes(const DesiredState& state);

  const GatewayTable& gateways_;
  const NodeTable& nodes_;

  std::mutex mutex_;  // guards the following
  std::condition_variable changed_;
  DesiredSnapshot latest_;
  std::shared_ptr<const FleetWord> word_ = std::make_shared<FleetWord>();
  std::shared_ptr<const WeightWord> weights_ = std::make_shared<WeightWord>();
  bool due_ = false;       // for everybody
  bool word_due_ = false;  // for gateways
  bool stopping_ = false;

  std::thread thread_;  // last: runs on all of the above
};

}  // namespace penstock
