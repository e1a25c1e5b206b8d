// The life of a translated flow, of which both directions are seen.
//
//   opening      packets of the client only: a SYN, a datagram, or a packet of a connection that nobody knows
//   answered     the backend has answered
//   established  the client has gone on after the answer, so its address is no forged one
//   closing      both sides have sent FIN
//   reset        one side has sent RST; if it was a forged one, the next packet re-establishes
#pragma once

#include <cstdint>

#include "dataplane/flow/flow_clock.h"
#include "penstock/net/headers.h"

namespace penstock {

enum class NatPhase : std::uint8_t { kOpening, kAnswered, kEstablished, kClosing, kReset };
enum class NatSide : std::uint8_t { kClient = 1, kBackend = 2 };  // one bit each

/// `confirmed` once the flow has been established: only then is it safe from eviction.
struct NatProgress {
  NatPhase phase = NatPhase::kOpening;
  std::uint8_t fins = 0;  // sides that have sent FIN
  bool confirmed = false;

  bool operator==(const NatProgress&) const = default;

  /// flags: of the TCP header; 0 for UDP.
  constexpr void take(NatSide side, std::uint8_t flags) noexcept {
    if ((flags & kTcpRst) != 0) {
      if (phase != NatPhase::kClosing) phase = NatPhase::kReset;
      return;
    }
    if (phase == NatPhase::kOpening && side == NatSide::kBackend) phase = NatPhase::kAnswered;
    if (side == NatSide::kClient && (flags & kTcpSyn) == 0 && phase == NatPhase::kAnswered) confirmed = true;
    if (confirmed && phase != NatPhase::kClosing) phase = NatPhase::kEstablished;
    if ((flags & kTcpFin) != 0) fins |= static_cast<std::uint8_t>(side);
    if (fins == 3) phase = NatPhase::kClosing;
  }

  /// Would a SYN of the client begin another connection?
  [[nodiscard]] constexpr bool is_over() const noexcept {
    return phase == NatPhase::kClosing || phase == NatPhase::kReset;
  }

  [[nodiscard]] constexpr IdleClass idle_class(std::uint8_t protocol) const noexcept {
    if (protocol == kProtoUdp) return IdleClass::kUdp;
    if (phase == NatPhase::kEstablished) return IdleClass::kEstablished;
    return phase == NatPhase::kClosing ? IdleClass::kClosing : IdleClass::kSyn;
  }
};

}  // namespace penstock
