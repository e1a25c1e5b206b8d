// Capture files for net_pcap's infinite_rx: one 64-byte TCP packet (60 bytes without FCS) for each flow, in
// random flow order, so that neighbouring packets share no cache line of the flow table.
#pragma once

#include <cstdint>
#include <string>

#include "penstock/base/result.h"
#include "penstock/net/addr.h"

namespace penstock::perf {

/// Which flows of 10.0.0.0/8: captures whose ranges do not overlap share no flow.
struct FlowRange {
  std::uint32_t first = 0;
  std::uint32_t count = 1;
};

/// An ACK packet of each flow to vip:port, classic pcap format, to `path`. The order depends on `flows` only.
Status write_flow_capture(const std::string& path, FlowRange flows, Ipv4Addr vip, std::uint16_t port);

}  // namespace penstock::perf
