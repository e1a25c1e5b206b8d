// IP fragments to a VIP: the first one goes where its ports say, the others follow it
// (dataplane/fragment/fragment_cache.h). Each is encapsulated by itself; nothing is reassembled.
#pragma once

#include "dataplane/pipeline/packet.h"
#include "dataplane/pipeline/rare_state.h"
#include "dataplane/pipeline/stages.h"
#include "dataplane/stats/lcore_counters.h"
#include "penstock/base/units.h"

namespace penstock {

/// A packet with Aside::kFragment. Afterwards its outcome is final, or it is kPending or kWithHops with a
/// backend. Fragments that waited for this one leave as extra frames of the burst.
[[gnu::cold]] void handle_fragment(const Selection& selection, RareState& state, Burst& burst,
                                   PacketView& packet, Nanoseconds now) noexcept;

/// Gives up those that have waited too long.
[[gnu::cold]] void expire_fragments(LcoreCounters& counters, RareState& state, Nanoseconds now) noexcept;

}  // namespace penstock
