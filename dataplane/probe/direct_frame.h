// Packets of a direct check as frames: encapsulated to the backend as clients' packets are
// (pipeline/encap.cc, which does the same for many packets at once). No hops, no VLAN tag. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/config/backend_record.h"
#include "penstock/net/addr.h"

namespace penstock {

struct DirectPacket {
  IpAddr source;  // of one family
  IpAddr destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t protocol = 0;  // kProtoTcp or kProtoUdp
  // TCP's
  std::uint8_t flags = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::uint16_t mss = 0;  // of a SYN; 0: no such option
  std::span<const std::uint8_t> payload{};
};

/// Returns the frame's length; 0: the record has no next hop, or `frame` is too small.
[[nodiscard]] std::size_t write_direct_frame(const BackendRecord& record, const DirectPacket& packet,
                                             std::span<std::uint8_t> frame);

}  // namespace penstock
