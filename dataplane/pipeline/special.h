// Services whose packets are balanced by less or more than their 5-tuple, or are not encapsulated: what
// SpecialService says. Called for their packets alone.
#pragma once

#include "dataplane/config/snapshot.h"
#include "dataplane/pipeline/packet.h"
#include "dataplane/pipeline/parse.h"
#include "dataplane/pipeline/stages.h"

namespace penstock {

/// The packet has been accepted for `p.service`, with the hash of its 5-tuple. Gives it the hash that its
/// service wants, or sends it aside.
[[gnu::cold]] void classify_special(const Snapshot& snapshot, Headers headers, PacketView& packet) noexcept;

/// The part of classify_special() that needs nothing but `headers`: hash, kind and choice.
[[gnu::cold]] void hash_special(const Snapshot& snapshot, const Headers& headers,
                                PacketView& packet) noexcept;

/// A datagram of a one-shot service begins a flow of its own (new_flow.h): a backend that is not plain() may
/// be exchanged for another one, or the datagram refused. select.cc.
[[gnu::cold]] void settle_one_shot(const Selection& selection, PacketView& packet) noexcept;

/// What picks the slot of a new flow's packet: its hash, or the keyed hash of the client's prefix. Only the
/// hash names the flow.
[[nodiscard]] inline std::uint64_t slot_hash(const ServiceRecord& service, const PacketView& p) noexcept {
  if (service.by_source) [[unlikely]]
    return std::uint64_t{p.choice} << 32;  // slots follow the high bits
  return p.hash;
}

}  // namespace penstock
