// Passes on to the dataplane what the control plane says that the fleet knows of backends. What comes is
// passed on at once and not kept: a dataplane forgets it after 5 s, so a gateway that has lost the control
// plane goes by its own probes again.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "controlplane/gateway/dataplane_client.h"
#include "penstock/proto/dataplane.pb.h"

namespace penstock {

/// One thread of its own, so that neither the session nor an apply that takes seconds holds it up.
class FleetRelay {
 public:
  /// `dataplane` outlives the relay, which alone uses it.
  explicit FleetRelay(DataplaneClient& dataplane);
  FleetRelay(const FleetRelay&) = delete;
  FleetRelay& operator=(const FleetRelay&) = delete;
  /// Ends a call under way as well.
  ~FleetRelay();

  /// Replaces what has not been passed on yet. Any thread, returns at once.
  void submit(proto::FleetHealth fleet);

 private:
  void run();
  void pass_on(const proto::FleetHealth& fleet);

  DataplaneClient& dataplane_;
  bool well_ = true;  // the relay's thread only: the last call succeeded

  std::mutex mutex_;  // guards the following
  std::condition_variable wake_;
  std::optional<proto::FleetHealth> inbox_;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace penstock
