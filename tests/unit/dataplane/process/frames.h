// The few frames that these tests send, and what they look for in those that come back.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "penstock/abi/gue.h"
#include "penstock/net/addr.h"
#include "penstock/net/checksum.h"
#include "penstock/net/headers.h"

namespace penstock {

using Frame = std::vector<std::uint8_t>;

template <class Header>
Header read_at(const Frame& frame, std::size_t offset) {
  Header header{};
  if (frame.size() >= offset + sizeof header)
    std::memcpy(static_cast<void*>(&header), frame.data() + offset, sizeof header);
  return header;
}

inline Ipv4Addr v4(const std::string& text) { return IpAddr::parse(text).value().v4(); }

inline Frame tcp_syn(const MacAddr& from, const MacAddr& to, const std::string& client,
                     const std::string& vip, std::uint16_t source_port, std::uint16_t port) {
  EthernetHeader ethernet{to, from, be16(kEtherTypeIpv4)};
  Ipv4Header ip{};
  ip.version_ihl = 0x45;
  ip.total_length = be16(40);
  ip.ttl = 64;
  ip.protocol = kProtoTcp;
  ip.source = v4(client);
  ip.destination = v4(vip);
  ip.checksum = checksum(&ip, sizeof ip);
  TcpHeader tcp{};
  tcp.source_port = be16(source_port);
  tcp.destination_port = be16(port);
  tcp.data_offset = 5 << 4;
  tcp.flags = kTcpSyn;
  Frame frame(sizeof ethernet + sizeof ip + sizeof tcp);
  std::memcpy(frame.data(), &ethernet, sizeof ethernet);
  std::memcpy(frame.data() + 14, &ip, sizeof ip);
  std::memcpy(frame.data() + 34, &tcp, sizeof tcp);
  return frame;
}

/// The parts of a GUE frame over IPv4 that a test asks about.
struct GueFrame {
  bool valid = false;
  EthernetHeader ethernet{};
  Ipv4Header outer{};
  UdpHeader udp{};
  Ipv4Header inner{};
  TcpHeader tcp{};
};

inline GueFrame read_gue(const Frame& frame) {
  GueFrame out;
  out.ethernet = read_at<EthernetHeader>(frame, 0);
  out.outer = read_at<Ipv4Header>(frame, 14);
  out.udp = read_at<UdpHeader>(frame, 34);
  const auto gue = read_at<gue_header>(frame, 42);
  const std::size_t inner = 42 + 4 + 4 * std::size_t{gue.version_control_hlen};
  out.inner = read_at<Ipv4Header>(frame, inner);
  out.tcp = read_at<TcpHeader>(frame, inner + 20);
  out.valid = frame.size() >= inner + 40 && out.ethernet.ether_type == be16(kEtherTypeIpv4) &&
              out.outer.protocol == kProtoUdp && out.udp.destination_port == be16(PENSTOCK_GUE_PORT) &&
              gue.protocol == kProtoIpip && checksum(&out.outer, sizeof out.outer) == be16(0);
  return out;
}

}  // namespace penstock
