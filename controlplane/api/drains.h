// Draining backends: what a request to drain asks for, and the nodes, whose drain is that of every backend
// that lives there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "controlplane/api/router.h"
#include "controlplane/model/desired_state.h"
#include "controlplane/store/desired.h"
#include "controlplane/stream/streams.h"

namespace penstock {

/// {"deadline_seconds": 600, "policy": "keep"|"reset"}, both optional, as is the body.
struct DrainRequest {
  std::optional<std::uint32_t> deadline_seconds;  // from now
  DrainPolicy policy = DrainPolicy::kKeep;        // kReset has a deadline

  /// `backend` drained by this request, or with nothing left of any drain.
  void drain(Backend& backend) const;
  static void undrain(Backend& backend);
};

/// What a request with an optional JSON body asks for, or the answer to give instead.
struct ReadDrain {
  std::optional<DrainRequest> request;
  HttpResponse error;
};
[[nodiscard]] ReadDrain read_drain(const HttpRequest& request);

/// A body with one optional number of seconds, 1–kMaxDrainSeconds: 0 when it is left out.
struct ReadSeconds {
  std::optional<std::uint32_t> seconds;
  HttpResponse error;
};
[[nodiscard]] ReadSeconds read_seconds(const HttpRequest& request, const std::string& key);

/// POST /api/v1/nodes/{id}/drain and /undrain.
void add_node_drain_routes(Router& router, Desired& desired, const Streams& streams);

}  // namespace penstock
