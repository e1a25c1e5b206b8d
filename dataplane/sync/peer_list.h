// The peers that somebody gave by name and address, checked.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "dataplane/sync/peer_link.h"
#include "penstock/base/result.h"

namespace penstock {

inline constexpr std::size_t kMostSyncPeers = 64;

struct PeerList {
  std::vector<SyncPeer> peers;
  std::vector<Error> problems;  // every one found, each with its field: `peers[i].address`
};

/// given: {gateway, "IP:PORT"} each. own: which none may be, and whose family all must be of.
[[nodiscard]] PeerList read_peers(const std::vector<std::pair<std::string, std::string>>& given,
                                  const SyncAddress& own);

}  // namespace penstock
