// A packet as the stages see it: bytes with room in front of them, not an rte_mbuf, so that tests, fuzzers
// and benchmarks run the pipeline without EAL.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/config/vip_classifier.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/stats/outcome.h"
#include "penstock/abi/gue.h"

namespace penstock {

inline constexpr std::size_t kMaxBurst = 32;

/// Hops that one packet carries at most.
inline constexpr std::uint32_t kMaxHops = PENSTOCK_GUE_MAX_HOPS;

/// Bytes that the pipeline may overwrite in front of a packet: the widest outer headers (GUE over IPv6 with
/// its hops, two VLAN tags), rounded up to whole vector stores, less the Ethernet header that they replace. A
/// packet with less ends as kNoHeadroom.
inline constexpr std::uint32_t kRequiredHeadroom = 80 + kMaxHops * 16 + 8 - 14;
static_assert(kRequiredHeadroom <= 128, "what DPDK leaves in front of a packet");

/// A packet on its way that has a list in Burst::hop_lists, and is not among the live ones. Never counted.
inline constexpr Outcome kWithHops = static_cast<Outcome>(kOutcomeCount + 1);

/// Why a packet does not go through select with the others of its burst.
enum class Aside : std::uint8_t {
  kNone,
  kSeeksUdp,   // UDP with second chance: carries hops, whether its flow has an entry or not
  kDirect,     // its backend is known without the flow table: one-shot UDP, QUIC by connection ID
  kFragment,   // of IPv4 or IPv6
  kIcmp,       // echo request or error to a VIP
  kNat,        // of a client, to a service in NAT mode
  kNatReturn,  // of a backend, to one of the gateway's own NAT addresses
};

/// The caller says with set() what was received. After Pipeline::run, `outcome` is never kPending, and for
/// the outcomes of is_sent() the frame to send by `egress_port` is `length` bytes at `data`, then the first
/// `more` bytes of the further segments.
/// Other packets' bytes are untouched: kNotVip may be handed to the kernel, the rest is freed by the caller.
struct alignas(64) PacketView {
  std::uint8_t* data;      // first byte of the Ethernet header
  std::uint32_t length;    // bytes of the frame from `data` that lie in one piece, padding included
  std::uint32_t headroom;  // writable bytes in front of `data`

  // Results.
  std::uint16_t egress_port;  // NextHop::port
  Outcome outcome;

  // The stages' own.
  PacketKind kind;
  bool is_v6;
  bool new_flow;            // first seen here, and entered or begun by a SYN
  std::uint32_t ip_length;  // bytes of the IP packet: the frame may carry padding behind it
  std::uint32_t choice;     // ServiceRecord::by_source: picks the slot in place of `hash`
  std::uint64_t hash;       // names the flow: flow_hash_v4 or _v6 of the 5-tuple (SpecialService: of less)
  ServiceIndex service;     // or kNoServiceIndex
  BackendIndex backend;     // or kNoBackend
  Aside aside;
  std::uint8_t tag_bytes;            // VLAN tags that were taken off in front of `data`: 0, 4 or 8
  std::uint16_t ingress_port;        // position of the port in Worker::Settings::ports
  std::uint32_t more;                // bytes of the frame in further segments, which nothing looks into
  std::array<std::uint8_t, 8> tags;  // the tags, as on the wire

  void set(std::uint8_t* frame, std::uint32_t frame_length, std::uint32_t frame_headroom,
           std::uint16_t port = 0, std::uint32_t frame_more = 0) noexcept {
    data = frame;
    length = frame_length;
    headroom = frame_headroom;
    ingress_port = port;
    more = frame_more;
  }
  /// The frame ends after `bytes`: what follows is padding.
  void cut(std::uint32_t bytes) noexcept {
    more = bytes > length ? bytes - length : 0;
    if (bytes < length) length = bytes;
  }
};
static_assert(sizeof(PacketView) == 64, "one cache line of metadata per packet");

/// A frame that the burst sends beyond those it received: a fragment of an outer packet, a fragment that had
/// waited for its first one, a packet that NAT had to add.
struct ExtraFrame {
  std::uint8_t* data;    // first byte of the Ethernet header
  std::uint32_t length;  // bytes; 0: not to be sent
  std::uint16_t egress_port;
  void* handle;  // FrameSource's
};

/// Where room for extra frames comes from: buffers of the worker in production, memory in tests.
class FrameSource {
 public:
  /// An empty frame of `length` bytes at `data`, or data == nullptr: none left, or too long.
  virtual ExtraFrame take(std::uint32_t length) noexcept = 0;

 protected:
  ~FrameSource() = default;
};

/// The further backends that a packet's GUE header names (second_chance.h).
struct HopList {
  std::uint8_t packet;  // index into Burst::packets
  std::uint8_t count;
  std::array<BackendIndex, kMaxHops> backends;
};

inline constexpr std::size_t kMaxExtraFrames = 4 * kMaxBurst;

/// Up to kMaxBurst packets. Lives as long as the worker and is reused: construct it once.
struct Burst {
  std::uint32_t count = 0;
  std::array<PacketView, kMaxBurst> packets;

  // The packets still on their way, as indexes into `packets`, and what select asks the flow table about
  // them.
  std::uint32_t live_count = 0;
  std::array<std::uint8_t, kMaxBurst> live;
  std::array<FlowLookup, kMaxBurst> lookups;

  std::uint32_t ended_count = 0;  // packets that classify itself ended: strangers', and what is dropped there

  // The packets that leave with hops.
  std::uint32_t hop_list_count = 0;
  std::array<HopList, kMaxBurst> hop_lists;

  // The packets that went aside, in the order in which they came.
  std::uint32_t aside_count = 0;
  std::array<std::uint8_t, kMaxBurst> aside;

  // To be sent after the packets; the caller sets `frames` (null: there is never room) and zeroes the count.
  FrameSource* frames = nullptr;
  std::uint32_t extra_count = 0;
  std::array<ExtraFrame, kMaxExtraFrames> extra;

  /// Room for one more frame, already in `extra` (set egress_port and fill it); null if there is none.
  ExtraFrame* add_frame(std::uint32_t frame_length) noexcept {
    if (frames == nullptr || extra_count == kMaxExtraFrames) return nullptr;
    const ExtraFrame frame = frames->take(frame_length);
    if (frame.data == nullptr) return nullptr;
    extra[extra_count] = frame;
    return &extra[extra_count++];
  }
  /// Frames from this one on are not to be sent after all: length 0.
  void withdraw_frames(std::uint32_t first) noexcept {
    for (std::uint32_t i = first; i < extra_count; ++i) extra[i].length = 0;
  }
};

}  // namespace penstock
