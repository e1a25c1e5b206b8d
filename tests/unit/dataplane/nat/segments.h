// TCP segments on their way through NAT: frames from them, and back with every checksum looked at.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/unit/dataplane/nat/nat_harness.h"

namespace penstock::test {

struct Segment {
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::uint8_t flags = kTcpAck;
  Bytes options;
  Bytes data;
};

inline std::uint32_t load_be32(const Bytes& b, std::size_t at) {
  return static_cast<std::uint32_t>(b.at(at)) << 24 | b.at(at + 1) << 16 | b.at(at + 2) << 8 | b.at(at + 3);
}
inline void store_be32(Bytes& b, std::size_t at, std::uint32_t v) {
  for (int i = 0; i < 4; ++i)
    b.at(at + static_cast<std::size_t>(i)) = static_cast<std::uint8_t>(v >> (24 - 8 * i));
}

/// Addresses and ports of a packet.
struct Route {
  std::string source;
  std::string destination;
  std::uint16_t source_port;
  std::uint16_t destination_port;
};

inline std::uint32_t tcp_sum(const Bytes& frame, bool v4) {
  const std::size_t tcp = v4 ? 34 : 54;
  std::uint32_t sum = kProtoTcp + static_cast<std::uint32_t>(frame.size() - tcp);
  for (std::size_t i = v4 ? 26 : 22; i < frame.size(); ++i) sum += i % 2 == 0 ? frame[i] << 8 : frame[i];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

inline void expect_ip_header(const Bytes& frame, bool v4) {
  EXPECT_EQ(frame.at(14), v4 ? 0x45 : 0x60);
  EXPECT_EQ(frame.at(v4 ? 23 : 20), kProtoTcp);
  EXPECT_EQ(frame.at(v4 ? 22 : 21), 63) << "time to live";
  const std::size_t at = v4 ? 16 : 18;
  EXPECT_EQ(static_cast<std::size_t>(frame.at(at) << 8 | frame.at(at + 1)), frame.size() - (v4 ? 14 : 54));
  if (!v4) return;
  std::uint32_t sum = 0;
  for (std::size_t i = 14; i < 34; i += 2) sum += frame[i] << 8 | frame[i + 1];
  EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffU) << "IPv4 checksum";
}

inline Segment parse_segment(const Bytes& frame) {
  const bool v4 = frame.at(12) == 0x08;
  EXPECT_EQ(frame.at(v4 ? 13 : 12), v4 ? 0x00 : 0x86);
  expect_ip_header(frame, v4);
  EXPECT_EQ(tcp_sum(frame, v4), 0xffffU) << "TCP checksum";
  const std::size_t tcp = v4 ? 34 : 54;
  const std::size_t header = static_cast<std::size_t>(frame.at(tcp + 12) >> 4) * 4;
  Segment out;
  out.sequence = load_be32(frame, tcp + 4);
  out.acknowledgment = load_be32(frame, tcp + 8);
  out.flags = frame.at(tcp + 13);
  out.options.assign(frame.begin() + static_cast<long>(tcp + 20),
                     frame.begin() + static_cast<long>(tcp + header));
  out.data.assign(frame.begin() + static_cast<long>(tcp + header), frame.end());
  return out;
}

inline Bytes frame_of(const Route& route, const Segment& s) {
  const bool v6 = ip(route.source).is_v6();
  PacketBuilder builder = packet();
  builder.v4(route.source, route.destination).ether_type(v6 ? 0x86dd : 0x0800);
  builder.tcp(route.source_port, route.destination_port);
  Bytes out = builder.flags(s.flags).payload(s.options.size() + s.data.size()).build();
  const std::size_t tcp = v6 ? 54 : 34;
  store_be32(out, tcp + 4, s.sequence);
  store_be32(out, tcp + 8, s.acknowledgment);
  out[tcp + 12] = static_cast<std::uint8_t>((20 + s.options.size()) / 4 << 4);
  std::copy(s.options.begin(), s.options.end(), out.begin() + static_cast<long>(tcp + 20));
  std::copy(s.data.begin(), s.data.end(), out.begin() + static_cast<long>(tcp + 20 + s.options.size()));
  out[tcp + 16] = out[tcp + 17] = 0;
  const std::uint16_t sum = static_cast<std::uint16_t>(~tcp_sum(out, !v6));
  out[tcp + 16] = static_cast<std::uint8_t>(sum >> 8);
  out[tcp + 17] = static_cast<std::uint8_t>(sum);
  return out;
}

/// Of a frame that has been translated.
inline Route route_of(const Bytes& frame) {
  const bool v6 = frame.at(12) == 0x86;
  const std::size_t tcp = v6 ? 54 : 34;
  const auto address = [&](std::size_t nth) {
    if (v6) {
      Ipv6Addr a;
      std::copy_n(frame.begin() + static_cast<long>(22 + 16 * nth), 16, a.bytes.begin());
      return IpAddr(a).text();
    }
    Ipv4Addr a;
    std::copy_n(frame.begin() + static_cast<long>(26 + 4 * nth), 4, a.bytes.begin());
    return IpAddr(a).text();
  };
  const auto port = [&](std::size_t at) {
    return static_cast<std::uint16_t>(frame.at(at) << 8 | frame.at(at + 1));
  };
  return {address(0), address(1), port(tcp), port(tcp + 2)};
}

/// As haproxy's text lays the header out, written by hand.
inline Bytes expected_header(bool v6) {
  std::string hex = "0d0a0d0a000d0a515549540a21";
  hex += v6 ? "210024"
              "20010db8c11e00000000000000000007"
              "20010db8beef00000000000000000010"
            : "11000c"
              "c6336407"
              "cb00710a";
  return from_hex(hex + "15b3" + "0050");  // ports 5555 and 80
}

}  // namespace penstock::test
