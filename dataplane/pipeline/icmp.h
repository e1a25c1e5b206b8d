// ICMP and ICMPv6 to a VIP: echo requests are answered, errors go to the backend of the flow that they are
// about, all else is dropped (kIcmp).
#pragma once

#include <cstdint>

#include "dataplane/pipeline/packet.h"
#include "dataplane/pipeline/parse.h"
#include "dataplane/pipeline/rare_state.h"
#include "dataplane/pipeline/stages.h"
#include "penstock/base/units.h"

namespace penstock {

inline constexpr std::uint8_t kAnswerTtl = 64;

/// A packet with Aside::kIcmp. Afterwards its outcome is final, or it is kPending or kWithHops with a
/// backend, or kPending with Aside::kNat: an error about a flow of p.service, which dataplane/nat translates.
[[gnu::cold]] void handle_icmp(const Selection& selection, RareState& state, Burst& burst, PacketView& packet,
                               Nanoseconds now) noexcept;

/// May the sender of this frame be answered? Not if either MAC address is a group's, nor unless the source
/// is one host's: an answer must never go to many, nor to ourselves (RFC 1122, section 3.2.2; RFC 4443,
/// section 2.4 e). `headers`: of the packet, as parsed.
[[nodiscard, gnu::cold]] bool may_answer(const PacketView& packet, const Headers& headers) noexcept;

/// Makes the frame leave where it came from: MAC addresses swapped, its VLAN tags put back, kAnswered.
/// `packet.length` is what is to be sent, in front of packet.tag_bytes of headroom.
[[gnu::cold]] void turn_round(PacketView& packet) noexcept;

/// RFC 792, RFC 4443 section 4.2: the request becomes its reply, in place. icmp_echo.cc.
[[gnu::cold]] void answer_echo(RareState& state, const OddHeaders& headers, PacketView& packet,
                               Nanoseconds now) noexcept;

/// icmp_error.cc.
[[gnu::cold]] void forward_error(const Selection& selection, Burst& burst, const OddHeaders& headers,
                                 PacketView& packet) noexcept;

}  // namespace penstock
