// Packets whose backend nobody here knows for sure carry hops: the further backends that may hold their flow
// (config/hop_candidates.h). A backend that does not know the flow passes the packet on to the next.
#pragma once

#include "dataplane/config/backend_states.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/pipeline/packet.h"

namespace penstock {

enum class Sought : std::uint8_t {
  kNobody,   // no backend of the service can hold the flow
  kOnlyOne,  // p.backend, and there is no other
  kHops,     // p.backend is the first of several; the packet is kWithHops, or pending if all others are of
             // another address family than p.backend
};

/// For a packet in the middle of a flow without an entry; its service has second chance. Backends that are
/// found dead come last: a flow that none of the living knows may be theirs, and they may come back.
/// states: may be null.
[[nodiscard]] Sought seek(const Snapshot& snapshot, const BackendStates* states, Burst& burst,
                          PacketView& p) noexcept;

/// For a datagram of a service that seeks UDP, to p.backend: others first, then p.backend again, so that it
/// takes what nobody knows. The packet stays pending if there are no others.
[[gnu::cold]] void seek_and_return(const Snapshot& snapshot, const BackendStates* states, Burst& burst,
                                   PacketView& p) noexcept;

}  // namespace penstock
