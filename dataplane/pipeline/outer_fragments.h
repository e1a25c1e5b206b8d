// An outer packet in fragments, for a path that is too narrow for it whole.
#pragma once

#include "dataplane/pipeline/outer.h"
#include "dataplane/pipeline/packet.h"
#include "dataplane/pipeline/rare_state.h"

namespace penstock {

/// Encapsulates and cuts into pieces of at most outer.record.mtu: the first stays in the packet's place, the
/// others become extra frames of the burst. The packet is as too_big() gets it. Its outcome is final then;
/// kTooBig if there are no frames left, or a part of the packet lies in further segments.
[[gnu::cold]] void send_in_fragments(const Outer& outer, Burst& burst, PacketView& packet,
                                     RareState& state) noexcept;

}  // namespace penstock
