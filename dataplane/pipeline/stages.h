// The stages of the packet path, in order. pipeline.h tells what each is for; each stands in its own file.
#pragma once

#include "dataplane/config/snapshot.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/pipeline/packet.h"
#include "dataplane/pipeline/parse.h"
#include "dataplane/pipeline/rare_state.h"
#include "dataplane/pipeline/reports.h"
#include "dataplane/pipeline/selection.h"
#include "dataplane/stats/lcore_counters.h"
#include "penstock/base/units.h"

namespace penstock {

/// Starts a burst: parses every packet (parse.h), keeps what is for a service, hashes it, asks for its flow
/// bucket. The others' outcome is final afterwards; `live` and `lookups` hold the rest.
void classify(const Snapshot& snapshot, const FlowTable& flows, Burst& burst) noexcept;

/// Gives every live packet a backend. One that is to carry hops is not live any more.
void select(const Selection& selection, Burst& burst) noexcept;

/// Classifies one packet. Afterwards it is kPending with service and hash (and perhaps an `aside` of its own:
/// SpecialService), or its outcome is final.
[[gnu::cold]] void classify_one(const Snapshot& snapshot, const Headers& headers,
                                PacketView& packet) noexcept;

/// The same for an ICMP error: `headers` are those of a packet of the flow that the error is about, whose
/// payload nobody has.
[[gnu::cold]] void classify_quoted(const Snapshot& snapshot, const Headers& headers,
                                   PacketView& packet) noexcept;

/// What select() does, for one packet of the burst that is not live. Afterwards it is pending or kWithHops
/// with a backend, or its outcome is final.
[[gnu::cold]] void select_one(const Selection& selection, Burst& burst, PacketView& packet) noexcept;

/// The same for a packet about a flow, not of it: the flow is neither entered nor refreshed.
[[gnu::cold]] void select_unnoticed(const Selection& selection, Burst& burst, PacketView& packet) noexcept;

/// Settles the packets that went aside (packet.h, Aside): each gets its final outcome, or a backend and joins
/// the live ones. Rare, therefore one packet at a time.
void handle_aside(const Selection& selection, RareState& state, Burst& burst, Nanoseconds now) noexcept;

/// What encap() does, for one packet with a backend. It need not be one of `burst.packets`.
[[gnu::cold]] void encap_one(const Snapshot& snapshot, RareState& state, Burst& burst, PacketView& packet,
                             Nanoseconds now) noexcept;

/// Puts the outer headers in front of every live packet and those with hops; their outcome is final then.
void encap(const Snapshot& snapshot, RareState& state, Burst& burst, Nanoseconds now) noexcept;

}  // namespace penstock
