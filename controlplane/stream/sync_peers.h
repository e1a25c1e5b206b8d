// Who replicates flows with whom: every gateway with all others that take flows.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/stream/observed.h"
#include "penstock/proto/dataplane.pb.h"

namespace penstock {

/// Gateway id → HOST:PORT of all that are known to take flows, connected or not: a crashed one stays a peer,
/// so that nobody forgets its flows. Those that never connected to this process are known from what others
/// had as peers; a process that has just begun would else tell its first gateways that they are alone. An
/// address belongs to one gateway, the one that was connected to last.
using SyncAddresses = std::map<std::string, std::string>;
[[nodiscard]] SyncAddresses sync_addresses(std::vector<ObservedGateway> gateways);

/// The peers of `gateway`, in the order of their ids; none when it takes no flows itself.
[[nodiscard]] std::vector<proto::SyncPeer> peers_of(std::string_view gateway, const SyncAddresses& addresses);

/// What is wrong with "10.0.1.1:6082" or "[2001:db8::1]:6082", as a clause; nothing if it is fine.
[[nodiscard]] std::optional<std::string> sync_address_problem(const std::string& address);

}  // namespace penstock
