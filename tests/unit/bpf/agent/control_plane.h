// A control plane of one method: a real gRPC server that implements NodeControl, says what the test tells it
// to say, and remembers what the node reported. For tests only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/process/tls.h"
#include "penstock/proto/node.pb.h"

namespace penstock {

class TestControlPlane {
 public:
  /// Listens on unix:`path`. `tls` may be empty.
  explicit TestControlPlane(const std::string& path, const TlsFiles& tls = {});
  ~TestControlPlane();

  /// Sent to the connected node, and to every one that connects later.
  void direct(proto::NodeDirective directive);
  /// The newest status that satisfies the condition; nothing when none came within 10 s.
  std::optional<proto::NodeStatus> wait_for(const std::function<bool(const proto::NodeStatus&)>& condition);
  std::vector<proto::NodeReport> hellos() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock
