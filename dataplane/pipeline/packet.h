// A packet as the stages see it: bytes with room in front of them, not an rte_mbuf, so that tests, fuzzers
// and benchmarks run the pipeline without EAL.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/config/vip_classifier.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/stats/outcome.h"

namespace penstock {

inline constexpr std::size_t kMaxBurst = 32;

/// Bytes that the pipeline may overwrite in front of a packet: the widest outer headers, rounded up to whole
/// vector stores, less the Ethernet header that they replace. A packet with less ends as kNoHeadroom.
inline constexpr std::uint32_t kRequiredHeadroom = 80 - 14;

/// The caller fills the first three members of each packet; `set()` does. After Pipeline::run, `outcome` is
/// never kPending, and for kForwarded `data`, `length` and `egress_port` describe the frame to send.
/// Other packets' bytes are untouched: kNotVip may be handed to the kernel, the rest is freed by the caller.
struct alignas(64) PacketView {
  std::uint8_t* data;      // first byte of the Ethernet header
  std::uint32_t length;    // bytes of the frame from `data`, padding included
  std::uint32_t headroom;  // writable bytes in front of `data`

  // Results.
  std::uint16_t egress_port;  // NextHop::port
  Outcome outcome;

  // The stages' own.
  PacketKind kind;
  bool is_v6;
  bool new_flow;            // first seen here, and entered or begun by a SYN
  std::uint32_t ip_length;  // bytes of the IP packet: the frame may carry padding behind it
  std::uint64_t hash;       // flow_hash_v4 or _v6 of the 5-tuple
  ServiceIndex service;     // or kNoServiceIndex
  BackendIndex backend;     // or kNoBackend

  void set(std::uint8_t* frame, std::uint32_t frame_length, std::uint32_t frame_headroom) noexcept {
    data = frame;
    length = frame_length;
    headroom = frame_headroom;
  }
};
static_assert(sizeof(PacketView) == 64, "one cache line of metadata per packet");

/// Up to kMaxBurst packets. Lives as long as the worker and is reused: construct it once.
struct Burst {
  std::uint32_t count = 0;
  std::array<PacketView, kMaxBurst> packets;

  // The packets still on their way, as indexes into `packets`, and what select asks the flow table about
  // them.
  std::uint32_t live_count = 0;
  std::array<std::uint8_t, kMaxBurst> live;
  std::array<FlowLookup, kMaxBurst> lookups;
};

}  // namespace penstock
