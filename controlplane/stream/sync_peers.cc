#include "controlplane/stream/sync_peers.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "penstock/net/addr.h"

namespace penstock {

SyncAddresses sync_addresses(std::vector<ObservedGateway> gateways) {
  std::stable_sort(gateways.begin(), gateways.end(), [](const ObservedGateway& a, const ObservedGateway& b) {
    return a.connected != b.connected ? a.connected : a.last_seen > b.last_seen;
  });
  SyncAddresses out;
  std::set<std::string> taken, speaking;
  const auto add = [&](const std::string& id, const std::string& address) {
    if (!address.empty() && taken.insert(address).second) out.emplace(id, address);
  };
  for (const ObservedGateway& gateway : gateways) {
    speaking.insert(gateway.id);
    add(gateway.id, gateway.sync_address);
  }
  for (const ObservedGateway& gateway : gateways) {
    for (const proto::SyncPeer& peer : gateway.has_peers) {
      if (!speaking.contains(peer.gateway()) && !out.contains(peer.gateway()))
        add(peer.gateway(), peer.address());
    }
  }
  return out;
}

std::vector<proto::SyncPeer> peers_of(std::string_view gateway, const SyncAddresses& addresses) {
  std::vector<proto::SyncPeer> out;
  if (!addresses.contains(std::string(gateway))) return out;
  for (const auto& [id, address] : addresses) {
    if (id == gateway) continue;
    out.emplace_back();
    out.back().set_gateway(id);
    out.back().set_address(address);
  }
  return out;
}

std::optional<std::string> sync_address_problem(const std::string& address) {
  // inet_pton reads a C string: what follows a NUL would be accepted unseen.
  const std::size_t colon = address.find('\0') == std::string::npos ? address.rfind(':') : std::string::npos;
  if (colon == std::string::npos) return "'" + address + "' has no port; use ADDRESS:PORT";
  std::string host = address.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = IpAddr::parse(host);
  unsigned port = 0;
  const char* const end = address.data() + address.size();
  const auto [read, failed] = std::from_chars(address.data() + colon + 1, end, port);
  if (!ip || ip->is_v6() != bracketed || failed != std::errc() || read != end || port == 0 || port > 65535) {
    return "'" + address + "' is not ADDRESS:PORT; write 10.0.1.1:6082 or [2001:db8::1]:6082";
  }
  return std::nullopt;
}

}  // namespace penstock
