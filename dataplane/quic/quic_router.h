// QUIC packets to the backend that their connection ID names (draft-ietf-quic-load-balancers-21): a
// connection keeps its backend when the client's address or port changes, without any state here.
//
// Not routable, and balanced like any other UDP then: rotation bits of no configuration (7 always), an ID too
// short for its configuration, a server ID that no backend has, a payload cut short. Any long header is
// treated alike: an Initial packet's ID, chosen by the client, mostly names no server; where it happens to,
// all of the client's packets with that ID go to the same one, so nothing breaks. The server's own ID
// follows.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/flow/flow_bucket.h"
#include "dataplane/quic/connection_id.h"
#include "penstock/base/result.h"

namespace penstock {

struct QuicServer {
  std::span<const std::uint8_t> id;  // 1 - kMaxQuicServerIdLength octets
  BackendIndex backend = kNoBackend;
};

/// Immutable: built with a snapshot, shared by all workers.
class QuicRouter {
 public:
  /// configs: 1 - 7, one per rotation. servers: a server ID belongs to every configuration with its length;
  /// the same one twice is refused. InvalidArgument names the field of the service, servers being its
  /// backends.
  [[nodiscard]] static Result<QuicRouter> build(std::span<const QuicConfig> configs,
                                                std::span<const QuicServer> servers);

  /// The backend that serves the packet's connection, or kNoBackend. Reads nothing outside `udp_payload`.
  [[nodiscard]] BackendIndex route(std::span<const std::uint8_t> udp_payload) const noexcept;

 private:
  struct Slot {
    QuicServerId id;  // length 0: free
    BackendIndex backend = kNoBackend;
  };

  explicit QuicRouter(std::size_t servers);
  /// Where the ID is, or would be.
  [[nodiscard]] std::size_t find(const QuicServerId& id) const noexcept;

  std::array<std::optional<ConnectionIdReader>, kMaxQuicRotation + 1> readers_;
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
};

}  // namespace penstock
