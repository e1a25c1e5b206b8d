// What gateways and nodes last said about themselves. Kept in memory only: it is rebuilt from the streams,
// and every value has an age.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "penstock/base/units.h"
#include "penstock/net/addr.h"
#include "penstock/proto/gateway.pb.h"
#include "penstock/proto/node.pb.h"

namespace penstock {

struct ObservedGateway {
  std::string id;
  std::string version;
  bool connected = false;
  Nanoseconds last_seen;          // monotonic_now() of its last message
  std::uint64_t hello_epoch = 0;  // of what it ran when it connected; 0 = nothing
  std::uint64_t hello_generation = 0;
  std::string sync_address;                // HOST:PORT where it takes flows from peers; empty: not at all
  std::string routing;                     // its routing daemon; empty: it did not say
  std::vector<proto::SyncPeer> has_peers;  // that it had when it connected
  Nanoseconds status_at;                   // when `status` came
  std::shared_ptr<const proto::GatewayStatus> status;         // null before the first
  std::shared_ptr<const proto::ApplyConfigResponse> applied;  // null before the first
  bool takes_weights = false;
  Nanoseconds loads_at;                              // when `loads` came
  std::shared_ptr<const proto::BackendLoads> loads;  // null unless services have weights that move
};

struct ObservedNode {
  std::string id;
  std::string version;
  bool connected = false;
  Nanoseconds last_seen;
  std::vector<IpAddr> addresses;  // where encapsulated packets reach it
  std::shared_ptr<const proto::NodeStatus> status;
};

}  // namespace penstock
