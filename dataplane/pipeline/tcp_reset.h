// A flow of a backend whose drain is over (BackendRecord::kResets) is ended in the VIP's name: the client's
// next segment is answered with a reset. Nothing tells the backend, which has been asked to let go, and whose
// own answers meet the client's reset.
#pragma once

#include "dataplane/pipeline/packet.h"

namespace penstock {

/// RFC 9293, section 3.10.7.1, of a connection that does not exist: the segment becomes, in place, the reset
/// that answers it. Its outcome is kAnsweredReset then. False, and the packet is untouched: it is not a whole
/// TCP segment, it is a reset itself, or its sender must not be answered (may_answer).
[[nodiscard, gnu::cold]] bool answer_reset(PacketView& packet) noexcept;

}  // namespace penstock
