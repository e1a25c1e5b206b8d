// Packets of a gateway, built from their parts: Ethernet | outer IP | UDP | GUE | hops | inner packet. What
// is not looked at on the way (inner checksums) is left zero.
#pragma once

#include <arpa/inet.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "penstock/abi/gue.h"
#include "penstock/net/addr.h"
#include "penstock/net/checksum.h"
#include "penstock/net/headers.h"

namespace penstock {

using Bytes = std::vector<std::uint8_t>;

inline void put16(Bytes& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}
inline void put32(Bytes& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}
inline void append(Bytes& out, const Bytes& more) { out.insert(out.end(), more.begin(), more.end()); }

inline Bytes bytes_of(const std::string& address) {
  const IpAddr parsed = IpAddr::parse(address).value();
  return Bytes(parsed.data(), parsed.data() + (parsed.is_v6() ? 16 : 4));
}

/// An IP packet with a sound header, of the family of `from`.
inline Bytes ip_packet(const std::string& from, const std::string& to, std::uint8_t protocol,
                       const Bytes& payload, std::uint8_t limit = 64) {
  Bytes out;
  if (from.find(':') != std::string::npos) {
    out = {0x60, 0, 0, 0};
    put16(out, payload.size());
    append(out, {protocol, limit});
    append(out, bytes_of(from));
    append(out, bytes_of(to));
  } else {
    out = {0x45, 0};
    put16(out, 20 + payload.size());
    append(out, {0, 0, 0x40, 0, limit, protocol, 0, 0});
    append(out, bytes_of(from));
    append(out, bytes_of(to));
    const be16 sum = checksum(out.data(), out.size());
    std::memcpy(out.data() + 10, &sum, 2);
  }
  append(out, payload);
  return out;
}

struct Segment {
  std::uint8_t flags = kTcpAck;
  std::uint32_t sequence = 1;
  std::uint32_t acknowledged = 1;
};

inline Bytes tcp_packet(const std::string& from, std::uint16_t from_port, const std::string& to,
                        std::uint16_t to_port, const Segment& segment = {}) {
  Bytes tcp;
  put16(tcp, from_port);
  put16(tcp, to_port);
  put32(tcp, segment.sequence);
  put32(tcp, segment.acknowledged);
  append(tcp, {0x50, segment.flags, 0xff, 0xff, 0, 0, 0, 0});
  return ip_packet(from, to, 6, tcp);
}

inline Bytes udp_packet(const std::string& from, std::uint16_t from_port, const std::string& to,
                        std::uint16_t to_port, const Bytes& payload = {1, 2, 3}) {
  Bytes udp;
  put16(udp, from_port);
  put16(udp, to_port);
  put16(udp, 8 + payload.size());
  put16(udp, 0);
  append(udp, payload);
  return ip_packet(from, to, 17, udp);
}

/// "Port unreachable" by a router at `from`, about a packet that `to` is said to have sent.
inline Bytes error_about(const std::string& from, const std::string& to, const Bytes& sent) {
  const bool v6 = from.find(':') != std::string::npos;
  Bytes icmp = v6 ? Bytes{1, 4, 0, 0, 0, 0, 0, 0} : Bytes{3, 3, 0, 0, 0, 0, 0, 0};
  append(icmp, sent);
  return ip_packet(from, to, v6 ? 58 : 1, icmp);
}

inline Bytes framed(const Bytes& packet) {
  Bytes out = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
  put16(out, packet[0] >> 4 == 6 ? 0x86dd : 0x0800);
  append(out, packet);
  return out;
}

/// The frame in which a gateway at `from` sends `inner` to `to`, with these further hops (of to's family).
/// `padding`: 32-bit words of private data behind them.
inline Bytes gue_frame(const std::string& from, const std::string& to, const Bytes& inner,
                       const std::vector<std::string>& hops = {}, std::uint8_t next_hop = 0,
                       std::size_t padding = 0) {
  Bytes gue;
  const bool v6 = to.find(':') != std::string::npos;
  const std::size_t words = 1 + hops.size() * (v6 ? 4 : 1) + padding;
  append(gue, {static_cast<std::uint8_t>(words), static_cast<std::uint8_t>(inner[0] >> 4 == 6 ? 41 : 4), 0, 0,
               0, static_cast<std::uint8_t>(v6 ? PENSTOCK_GUE_HOPS_IPV6 : PENSTOCK_GUE_HOPS_IPV4), next_hop,
               static_cast<std::uint8_t>(hops.size())});
  for (const std::string& hop : hops) append(gue, bytes_of(hop));
  gue.resize(gue.size() + 4 * padding);
  append(gue, inner);
  return framed(udp_packet(from, 50123, to, PENSTOCK_GUE_PORT, gue));
}

}  // namespace penstock
