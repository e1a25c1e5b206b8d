#include "dataplane/sync/peer_list.h"

#include <algorithm>

namespace penstock {

PeerList read_peers(const std::vector<std::pair<std::string, std::string>>& given, const SyncAddress& own) {
  PeerList out;
  if (given.size() > kMostSyncPeers) {
    out.problems.push_back(
        invalid("peers", "at most " + std::to_string(kMostSyncPeers) + " gateways may be peers"));
  }
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto refuse = [&](const std::string& why) {
      out.problems.push_back(invalid("peers[" + std::to_string(i) + "].address", why));
    };
    const auto address = SyncAddress::parse(given[i].second);
    if (!address) {
      refuse(address.error().message);
    } else if (*address == own) {
      refuse(own.text() + " is this gateway's own --sync-address");
    } else if (address->address.is_v6() != own.address.is_v6()) {
      refuse(address->text() + " is not of the family of --sync-address, " + own.text());
    } else if (std::any_of(out.peers.begin(), out.peers.end(),
                           [&](const SyncPeer& peer) { return peer.address == *address; })) {
      refuse(address->text() + " is given twice");
    } else {
      out.peers.push_back({given[i].first, *address});
    }
  }
  return out;
}

}  // namespace penstock
