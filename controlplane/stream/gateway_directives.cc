#include "controlplane/stream/gateway_directives.h"

#include "controlplane/model/wire.h"
#include "controlplane/stream/serialise.h"

namespace penstock {

std::string GatewayDirectives::orders_for(const std::string& gateway) const {
  const auto found = state_.gateways.find(gateway);
  proto::GatewayDirective orders =
      to_orders(found == state_.gateways.end() ? GatewayPolicy{gateway} : found->second);
  for (proto::SyncPeer& peer : peers_of(gateway, peers_)) *orders.add_peers() = std::move(peer);
  return orders.SerializeAsString();
}

// The concatenation of two serialised messages is the message that has the fields of both (protobuf's
// encoding guide, "Last One Wins").
grpc::ByteBuffer GatewayDirectives::directive(const std::string& orders, bool with_config) {
  std::vector<grpc::Slice> slices;
  if (with_config) {
    if (config_.empty()) {
      proto::GatewayDirective config;
      *config.mutable_config() = to_dataplane_config(state_);
      (void)serialise(config).Dump(&config_);
    }
    slices = config_;
  }
  slices.emplace_back(orders);
  return {slices.data(), slices.size()};
}

}  // namespace penstock
