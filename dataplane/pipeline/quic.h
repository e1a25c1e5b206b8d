// Services that are balanced by QUIC connection ID (SpecialService::quic).
#pragma once

#include "dataplane/config/snapshot.h"
#include "dataplane/pipeline/packet.h"

namespace penstock {

/// The backend that the connection ID of an accepted UDP packet names, also a drained one; kNoBackend if it
/// names none, and the packet is balanced by its 5-tuple then. Precondition: the service has a QuicRouter.
[[nodiscard]] BackendIndex find_by_connection_id(const Snapshot& snapshot, const PacketView& packet) noexcept;

}  // namespace penstock
