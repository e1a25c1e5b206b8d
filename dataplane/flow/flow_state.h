// The life of a flow as one direction of its packets shows it (direct server return hides the other).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/flow/flow_clock.h"

namespace penstock {

/// What a packet says about its flow. TCP flags in order of precedence: RST, SYN, FIN, all others are kAck.
enum class PacketKind : std::uint8_t { kSyn = 0, kAck = 1, kFin = 2, kRst = 3, kUdp = 4 };
inline constexpr std::size_t kPacketKinds = 5;

/// The low two bits are the flow's IdleClass, bit 2 says that it is confirmed: a second packet has shown that
/// it is more than one forged datagram. Only confirmed flows are safe from eviction.
enum class FlowState : std::uint8_t {
  kFree = 0,
  kPickup = 1,  // entered by a TCP packet that is not a SYN; kept as long as an established flow, evictable
  kSyn = 2,     // SYNs only so far
  kUdpSingle = 3,    // one datagram so far
  kClosing = 4,      // FIN seen; the half-open rest may go on for long, each packet renews it
  kEstablished = 5,  // the handshake completed, or a second packet followed a pickup
  kReset = 6,        // RST seen, kept as long as a lone SYN; if a forged one, the next packet re-establishes
  kUdp = 7,          // at least two datagrams
};
inline constexpr std::size_t kFlowStates = 8;

constexpr bool is_confirmed(FlowState s) noexcept { return (static_cast<unsigned>(s) & 4U) != 0; }
constexpr IdleClass idle_class(FlowState s) noexcept {
  return static_cast<IdleClass>(static_cast<unsigned>(s) & 3U);
}

/// The words of the flow dump (dataplane.proto, Flow.state).
constexpr std::string_view flow_state_text(FlowState s) noexcept {
  switch (s) {
    case FlowState::kFree:
      return "free";
    case FlowState::kSyn:
      return "syn";
    case FlowState::kPickup:
    case FlowState::kEstablished:
      return "established";
    case FlowState::kClosing:
    case FlowState::kReset:
      return "closing";
    case FlowState::kUdpSingle:
    case FlowState::kUdp:
      return "udp";
  }
  return "free";
}

namespace flow_detail {
using enum FlowState;
// Row: PacketKind, column: FlowState. kFree as a result means: this packet begins another connection, the
// entry does not speak for it. A UDP packet never meets a TCP flow (the protocol is part of the digest).
inline constexpr std::array<std::array<FlowState, kFlowStates>, kPacketKinds> kNextState{{
    {kFree, kPickup, kSyn, kUdpSingle, kFree, kEstablished, kFree, kUdp},                   // kSyn
    {kFree, kEstablished, kEstablished, kUdp, kClosing, kEstablished, kEstablished, kUdp},  // kAck
    {kFree, kClosing, kClosing, kUdp, kClosing, kClosing, kClosing, kUdp},                  // kFin
    {kFree, kPickup, kSyn, kUdp, kClosing, kReset, kReset, kUdp},                           // kRst
    {kFree, kEstablished, kSyn, kUdp, kClosing, kEstablished, kReset, kUdp},                // kUdp
}};
inline constexpr std::array<FlowState, kPacketKinds> kFirstState{kSyn, kPickup, kFree, kFree, kUdpSingle};
}  // namespace flow_detail

constexpr FlowState next_state(PacketKind kind, FlowState now) noexcept {
  return flow_detail::kNextState[static_cast<std::size_t>(kind)][static_cast<std::size_t>(now)];
}
/// The state of a flow whose first packet is of this kind; kFree for FIN and RST: not worth an entry.
constexpr FlowState first_state(PacketKind kind) noexcept {
  return flow_detail::kFirstState[static_cast<std::size_t>(kind)];
}

}  // namespace penstock
