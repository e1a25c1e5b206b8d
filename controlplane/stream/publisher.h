// Carries every new generation to every connected peer. One thread of its own turns a snapshot into bytes, so
// that neither a REST answer nor a gRPC thread waits for 100,000 backends to be serialised; generations that
// arrive meanwhile are skipped, only the latest is sent.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "controlplane/store/desired.h"
#include "controlplane/stream/sessions.h"

namespace penstock {

class Publisher {
 public:
  /// Both tables outlive the publisher.
  Publisher(const GatewayTable& gateways, const NodeTable& nodes);
  ~Publisher();
  Publisher(const Publisher&) = delete;

  /// The state to carry from now on. Any thread, never blocks.
  void publish(DesiredSnapshot latest);
  /// A peer is new in its table, or forgotten. Any thread, never blocks.
  void greet();

 private:
  void run();
  void deliver(const DesiredState& state);
  void deliver_to_gateways(const DesiredState& state);
  void deliver_to_nodes(const DesiredState& state);

  const GatewayTable& gateways_;
  const NodeTable& nodes_;

  std::mutex mutex_;  // guards the following
  std::condition_variable changed_;
  DesiredSnapshot latest_;
  bool due_ = false;
  bool stopping_ = false;

  std::thread thread_;  // last: runs on all of the above
};

}  // namespace penstock
