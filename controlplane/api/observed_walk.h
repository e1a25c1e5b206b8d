// Walks over what connected gateways and nodes last said.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/stream/observed.h"

namespace penstock {

/// Calls `take(id, status)` for every connected gateway, or node, that has sent a status.
template <class Observed, class F>
void each_status(const std::vector<Observed>& peers, F take) {
  for (const Observed& peer : peers) {
    if (peer.connected && peer.status) take(peer.id, *peer.status);
  }
}

/// Calls `take(gateway, service, backend)`.
template <class F>
void each_backend(const std::vector<ObservedGateway>& gateways, F take) {
  each_status(gateways, [&](const std::string& gateway, const proto::GatewayStatus& status) {
    for (const proto::ServiceStats& service : status.stats().services()) {
      for (const proto::BackendStats& backend : service.backends()) take(gateway, service.service(), backend);
    }
  });
}

/// What a gateway said of one service; null: nothing. Dataplanes report in the order of ids, as they are
/// configured; another order costs a walk.
[[nodiscard]] inline const proto::ServiceStats* find_service(const proto::DataplaneStats& stats,
                                                             std::string_view id) {
  const auto& all = stats.services();
  const auto less = [](const proto::ServiceStats& s, std::string_view wanted) {
    return s.service() < wanted;
  };
  auto found = std::lower_bound(all.begin(), all.end(), id, less);
  if (found == all.end() || found->service() != id) {
    found = std::find_if(all.begin(), all.end(), [&](const auto& s) { return s.service() == id; });
  }
  return found == all.end() ? nullptr : &*found;
}

}  // namespace penstock
