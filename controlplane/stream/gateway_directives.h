// What gateways are told of one generation. The configuration, which may have 100 MB, is serialised once and
// its bytes are shared; what differs between gateways is a few hundred bytes.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <string>
#include <vector>

#include "controlplane/model/desired_state.h"
#include "controlplane/stream/sync_peers.h"

namespace penstock {

class GatewayDirectives {
 public:
  /// `state` outlives the object.
  GatewayDirectives(const DesiredState& state, SyncAddresses peers)
      : state_(state), peers_(std::move(peers)) {}

  /// Policy, upgrade and peers, serialised: everything but the configuration. Equal when they are.
  [[nodiscard]] std::string orders_for(const std::string& gateway) const;

  /// A directive of these orders, with the configuration or without.
  [[nodiscard]] grpc::ByteBuffer directive(const std::string& orders, bool with_config);

 private:
  const DesiredState& state_;
  SyncAddresses peers_;
  std::vector<grpc::Slice> config_;  // a directive with nothing but the configuration; empty until needed
};

}  // namespace penstock
