// Services whose packets are balanced by less or more than their 5-tuple, or are not encapsulated: what
// SpecialService says. Called for their packets alone.
#pragma once

#include "dataplane/config/snapshot.h"
#include "dataplane/pipeline/packet.h"
#include "dataplane/pipeline/parse.h"

namespace penstock {

/// The packet has been accepted for `p.service`, with the hash of its 5-tuple. Gives it the hash that its
/// service wants, or sends it aside.
[[gnu::cold]] void classify_special(const Snapshot& snapshot, Headers headers, PacketView& packet) noexcept;

}  // namespace penstock
