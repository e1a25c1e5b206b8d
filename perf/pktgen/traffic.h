// The frames of the generator, and what it reads from them when they come back encapsulated.
//
// A frame is Ethernet, IPv4, TCP, filled up to its size. It carries its own measurement:
//   TCP sequence number       how often this flow has sent before (32 bits)
//   TCP acknowledgment        number of the flow; kSpoofed for a SYN from nowhere
//   first 6 bytes of payload  the TSC when it was built, low 48 bits (31 hours at 2.5 GHz)
// The dataplane neither reads nor changes any of them (it balances by addresses, ports and TCP's flags). The
// TCP checksum is 0: nobody on the way looks at it.
//
// Flow f comes from 10.0.0.1 + f / 50000, port 1024 + f % 50000. Spoofed SYNs come from 11.0.0.0/8 on.
// No DPDK; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "penstock/net/addr.h"

namespace penstock::perf {

inline constexpr std::uint32_t kSpoofed = 0xffffffff;
inline constexpr std::uint64_t kTimeMask = (std::uint64_t{1} << 48) - 1;
/// What is written of a frame; the rest of the payload is whatever the buffer holds.
inline constexpr std::size_t kHeadBytes = 14 + 20 + 20 + 6;

struct Target {
  Ipv4Addr vip{{203, 0, 113, 10}};
  std::uint16_t port = 80;
  MacAddr mac{{2, 0, 0, 0, 0, 2}};  // of the gateway, or of the router in front of it
};

/// Writes the first kHeadBytes of frames to one target.
class FrameWriter {
 public:
  explicit FrameWriter(const Target& target) noexcept;

  /// frame_bytes counts the FCS, which the frame does not have. tcp_flags: kTcpSyn or kTcpAck.
  void write(std::uint8_t* frame, std::uint16_t frame_bytes, std::uint32_t flow, std::uint32_t sequence,
             std::uint8_t tcp_flags, std::uint64_t tsc) const noexcept;

  /// A SYN from an address and port that `random` picks.
  void write_spoofed_syn(std::uint8_t* frame, std::uint16_t frame_bytes, std::uint64_t random,
                         std::uint64_t tsc) const noexcept;

 private:
  void finish(std::uint8_t* frame, std::uint16_t frame_bytes, std::uint32_t source, std::uint16_t source_port,
              std::uint32_t flow, std::uint32_t sequence, std::uint8_t tcp_flags,
              std::uint64_t tsc) const noexcept;

  std::array<std::uint8_t, kHeadBytes> head_{};
  std::uint64_t ip_sum_ = 0;  // of the template's IPv4 header without length and source
};

struct Arrival {
  std::uint32_t flow;  // or kSpoofed
  std::uint32_t sequence;
  std::uint32_t backend;  // outer destination, as it lies in the packet; never 0
  std::uint64_t sent_at;  // TSC, low 48 bits
};

/// A frame that came back: IPIP around a frame that this generator wrote to `target`. Nothing if it is
/// anything else, or if its addresses are not those of the flow that it names.
[[nodiscard]] std::optional<Arrival> read_arrival(std::span<const std::uint8_t> frame,
                                                  const Target& target) noexcept;

}  // namespace penstock::perf
