// Packets that, encapsulated, exceed the MTU towards their backend.
#pragma once

#include "dataplane/pipeline/outer.h"
#include "dataplane/pipeline/packet.h"
#include "dataplane/pipeline/rare_state.h"
#include "penstock/base/units.h"

namespace penstock {

/// p.ip_length + outer.overhead() > outer.record.mtu; the packet is as it was received (VLAN tags off,
/// `tag_bytes` set), the record is resolved and there is kRequiredHeadroom. Gives the packet its final
/// outcome, by Forwarding.too_big (outer.record.has(kFragmentOuter)).
[[gnu::cold]] void too_big(const Outer& outer, Burst& burst, PacketView& p, RareState& state,
                           Nanoseconds now) noexcept;

/// Puts the headers in front of the packet whatever the MTU says, so that the outer packet can be
/// fragmented: DF is set in an outer IPv4 header and its identification is 0. `data`, `length`, `headroom`
/// and `egress_port` are those of the outer frame then, tags included; the outer IP header stands 14 +
/// p.tag_bytes bytes behind `data`. No outcome is set. Preconditions: the record is resolved,
/// kRequiredHeadroom, p.ip_length + outer.overhead() <= 65535.
void put_outer_headers(const Outer& outer, const RareState& state, PacketView& p) noexcept;

}  // namespace penstock
