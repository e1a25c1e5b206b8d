// What became of a packet. Every packet that a worker receives ends in exactly one Outcome, so that
//
//     received = sum of outcomes
//
// holds per lcore and in total, at every quiet moment. The list below is the only place where an outcome is
// declared: the enum, its metric name (DataplaneStats.outcomes) and its explanation come from it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock {

// X(enumerator, metric name, what happened)
#define PENSTOCK_OUTCOMES(X)                                                                                 \
  X(kForwarded, "forwarded", "encapsulated and handed to the egress port")                                   \
  X(kAnswered, "answered", "an ICMP echo reply or error sent back to the sender in its place")               \
  X(kAnsweredReset, "answered_reset",                                                                        \
    "TCP reset to the client: its backend's drain is over, or none is alive")                                \
  X(kHeld, "held_fragment", "fragment kept until the first fragment of its datagram tells the backend")      \
  X(kOwn, "own_traffic", "answer to one of this gateway's own probes or checks, handed to who asked")        \
  X(kOwnFull, "dropped_own_full", "to a port of the gateway's own, but whoever asks there does not keep up") \
  X(kNotVip, "not_vip", "not addressed to a VIP, or not IP at all: the kernel's packet")                     \
  X(kTruncated, "dropped_truncated", "the frame ends before the headers or before the IP packet does")       \
  X(kBadHeader, "dropped_bad_header", "IP version or header length that cannot be")                          \
  X(kBadLength, "dropped_bad_length", "IP length too small for the headers that the packet claims")          \
  X(kTtlExpired, "dropped_ttl_expired", "TTL or hop limit of 0 or 1 on arrival")                             \
  X(kFragment, "dropped_fragment", "IP fragment to a VIP whose datagram's backend cannot be known")          \
  X(kExtensionHeader, "dropped_extension_header", "IPv6 extension headers that hide the transport header")   \
  X(kFragmentOverlap, "dropped_fragment_overlap", "IP fragment that overlaps another of its datagram")       \
  X(kIcmp, "dropped_icmp", "ICMP or ICMPv6 to a VIP that is neither an echo request nor an error")           \
  X(kIcmpLimited, "dropped_icmp_limited", "answer not sent: more were asked for than the limit allows")      \
  X(kIcmpUnknownFlow, "dropped_icmp_unknown_flow", "ICMP error that quotes no packet of a service")          \
  X(kNatUnknownFlow, "dropped_nat_unknown_flow", "to a NAT address, but of no translated flow")              \
  X(kNatNoPort, "dropped_nat_no_port", "new flow in NAT mode, but no source port is free")                   \
  X(kNoSuchService, "dropped_no_service", "a VIP, but no service on this protocol and port")                 \
  X(kNoBackendLeft, "dropped_no_backend", "new flow of a service whose backends are all drained or weigh 0") \
  X(kNoBackendAlive, "dropped_no_backend_alive", "new flow of a service none of whose backends is alive")    \
  X(kNoNextHop, "dropped_no_next_hop", "no route or neighbour towards the chosen backend yet")               \
  X(kTooBig, "dropped_too_big", "encapsulated packet exceeds the MTU towards the backend")                   \
  X(kNoHeadroom, "dropped_no_headroom", "the buffer has no room for the outer headers")                      \
  X(kTxFull, "dropped_tx_full", "the egress port did not take the packet")

enum class Outcome : std::uint8_t {
#define PENSTOCK_OUTCOME_ENUM(name, metric, text) name,
  PENSTOCK_OUTCOMES(PENSTOCK_OUTCOME_ENUM)
#undef PENSTOCK_OUTCOME_ENUM
};

inline constexpr std::array kOutcomeMetrics = {
#define PENSTOCK_OUTCOME_METRIC(name, metric, text) std::string_view(metric),
    PENSTOCK_OUTCOMES(PENSTOCK_OUTCOME_METRIC)
#undef PENSTOCK_OUTCOME_METRIC
};

inline constexpr std::array kOutcomeTexts = {
#define PENSTOCK_OUTCOME_TEXT(name, metric, text) std::string_view(text),
    PENSTOCK_OUTCOMES(PENSTOCK_OUTCOME_TEXT)
#undef PENSTOCK_OUTCOME_TEXT
};

inline constexpr std::size_t kOutcomeCount = kOutcomeMetrics.size();

/// A packet on its way through the stages. Never counted: after the last stage no packet has it.
inline constexpr Outcome kPending = static_cast<Outcome>(kOutcomeCount);

/// Whether the frame leaves by a port: what a packet with any other outcome holds is not sent.
constexpr bool is_sent(Outcome o) {
  return o == Outcome::kForwarded || o == Outcome::kAnswered || o == Outcome::kAnsweredReset;
}

constexpr std::string_view outcome_metric(Outcome o) { return kOutcomeMetrics[static_cast<std::size_t>(o)]; }
constexpr std::string_view outcome_text(Outcome o) { return kOutcomeTexts[static_cast<std::size_t>(o)]; }

}  // namespace penstock
