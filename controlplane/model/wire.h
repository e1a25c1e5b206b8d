// The desired state as it travels: to gateways as a whole DataplaneConfig and orders for each, to each node
// as the list of services that it has to accept packets for.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "controlplane/model/desired_state.h"
#include "penstock/proto/config.pb.h"
#include "penstock/proto/gateway.pb.h"
#include "penstock/proto/node.pb.h"

namespace penstock {

/// Everything a dataplane needs, services in the order of their ids. Any thread.
[[nodiscard]] proto::DataplaneConfig to_dataplane_config(const DesiredState& state);

/// What one gateway is told beside the configuration and its peers: its policy, drain and upgrade.
[[nodiscard]] proto::GatewayDirective to_orders(const GatewayPolicy& policy);

/// Protocol and ports of what a node reports, for their texts; the VIP is left out.
[[nodiscard]] VipKey ports_of(const proto::NodeServiceStats& service);

/// Which services have a backend at an address. Built once per generation, so that 5,000 nodes are served by
/// as many look-ups instead of as many walks over all backends. Immutable after construction; any thread.
class NodeIndex {
 public:
  explicit NodeIndex(const DesiredState& state);

  /// The services of a node with these addresses, ordered by VIP key and each once, and those that NAT sends
  /// to them and that have checks, ordered by id and address. Bytes that differ say different things, so a
  /// change of what only gateways act on changes nothing here.
  [[nodiscard]] proto::NodeDirective directive(std::span<const IpAddr> addresses) const;

 private:
  /// A backend of a service.
  struct Seat {
    std::shared_ptr<const Service> service;
    std::uint16_t port;  // NAT: where it listens
  };

  std::uint64_t generation_;
  std::string probe_key_;
  std::unordered_map<IpAddr, std::vector<Seat>> by_address_;
};

}  // namespace penstock
