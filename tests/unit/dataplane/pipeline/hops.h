// Services with second chance, and what their packets leave with.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "dataplane/hash/flow_hash.h"
#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {

inline BackendDocument backend(int n, std::uint32_t weight = 100, bool drain = false) {
  return {"be" + std::to_string(n), ip("10.0.0." + std::to_string(n)), weight, drain};
}
inline BackendDocument backend_v6(int n) {
  return {"be" + std::to_string(n), ip("2001:db8:be::" + std::to_string(n)), 100};
}

inline ServiceDocument web(std::vector<BackendDocument> backends, Encap encap = Encap::kGue) {
  return service("web", "203.0.113.10", kProtoTcp, 80, encap, std::move(backends));
}
inline ServiceDocument dns(std::vector<BackendDocument> backends) {
  ServiceDocument out = service("dns", "203.0.113.10", kProtoUdp, 53, Encap::kGue, std::move(backends));
  out.second_chance = SecondChance::kTcpAndUdp;
  return out;
}
inline PacketBuilder from(int client) {
  return packet()
      .v4("198.51." + std::to_string(client / 250) + "." + std::to_string(client % 250 + 1), "203.0.113.10")
      .tcp(1024, 80);
}
inline PacketBuilder asks(int client) { return from(client).udp(1024, 53); }

// What left: where to, and the hops behind it.
struct Sent {
  std::vector<std::string> way;  // outer destination, then the hops
  std::size_t overhead = 0;
};

inline std::uint32_t read16(const Bytes& b, std::size_t at) {
  return static_cast<std::uint32_t>(b[at] << 8 | b[at + 1]);
}

inline std::string address(const Bytes& b, std::size_t at, bool v6) {
  if (!v6) return IpAddr(Ipv4Addr{{b[at], b[at + 1], b[at + 2], b[at + 3]}}).text();
  Ipv6Addr out;
  std::copy_n(b.begin() + static_cast<long>(at), 16, out.bytes.begin());
  return IpAddr(out).text();
}

// Reads the published layout: 16 bits of type, 8 of next hop, 8 of hop count, then the addresses.
inline Sent read_gue(const Bytes& frame) {
  const bool v6 = read16(frame, 12) == kEtherTypeIpv6;
  const std::size_t udp = 14 + (v6 ? 40 : 20);
  const std::size_t gue = udp + 8;
  EXPECT_EQ(read16(frame, udp + 2), 6080U);
  EXPECT_EQ(read16(frame, gue + 2), 0U);
  const std::size_t count = frame[gue + 7];
  const std::size_t size = v6 ? 16 : 4;
  EXPECT_EQ(frame[gue], 1 + count * size / 4) << "Hlen, in words";
  EXPECT_EQ(read16(frame, gue + 4), v6 ? 1U : 0U);
  EXPECT_EQ(frame[gue + 6], 0) << "nobody has been tried";
  Sent out{{address(frame, 14 + (v6 ? 24 : 16), v6)}, gue + 8 + count * size - 14};
  for (std::size_t n = 0; n < count; ++n) out.way.push_back(address(frame, gue + 8 + n * size, v6));
  EXPECT_EQ(frame[14 + out.overhead] >> 4, 4) << "the inner packet follows the hops";
  EXPECT_EQ(read16(frame, udp + 4), frame.size() - udp);
  return out;
}

inline std::string address_of(const Harness& harness, BackendIndex index) {
  const auto place = harness.snapshot().find_backend(index);
  return place.service == nullptr ? "" : place.service->document.backends[place.position].address.text();
}

/// Takes a packet as the backends do: the first that knows its flow keeps it, the last one keeps what is
/// left.
inline std::string delivered(const std::vector<std::string>& way, const std::string& knows) {
  for (const std::string& hop : way) {
    if (hop == knows) return hop;
  }
  return way.back();
}

/// Of a TCP or UDP packet over IPv4, as the pipeline hashes it.
inline std::uint64_t flow_hash_of(const Harness& harness, const Bytes& frame) {
  std::uint32_t ports;
  std::memcpy(&ports, &frame[34], sizeof ports);
  return flow_hash_v4(harness.snapshot().secret(), &frame[26], ports, frame[23]);
}

}  // namespace penstock::test
