// Capture files for net_pcap's infinite_rx: one 64-byte TCP packet (60 bytes without FCS) for each flow, in
// random flow order, so that neighbouring packets share no cache line of the flow table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "penstock/base/result.h"
#include "penstock/net/addr.h"

namespace penstock::perf {

/// `flows` ACK packets from 10.0.0.0/8 to vip:port, classic pcap format, to `path`.
Status write_flow_capture(const std::string& path, std::size_t flows, Ipv4Addr vip, std::uint16_t port,
                          std::uint64_t seed);

}  // namespace penstock::perf
