// There and back: whatever a client sends and a backend echoes comes back as it was, in all four pairs of
// families, with checksums that hold at every step by summing everything up anew.

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/unit/dataplane/nat/nat_harness.h"

namespace penstock::test {
namespace {

struct Parsed {
  bool v6;
  std::uint8_t protocol;
  std::size_t transport;  // offset in the frame
  std::size_t length;     // of the transport
};

Parsed parse(const Bytes& frame) {
  const bool v6 = frame.at(12) == 0x86;
  if (v6) return {true, frame.at(20), 54, static_cast<std::size_t>(frame.at(18) << 8 | frame.at(19))};
  return {false, frame.at(23), 34, static_cast<std::size_t>(frame.at(16) << 8 | frame.at(17)) - 20};
}

// Not through penstock/net/checksum.h: 16 bits at a time, big-endian, as RFC 1071 words it.
std::uint32_t sum_words(const std::uint8_t* bytes, std::size_t length) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < length; ++i) sum += i % 2 == 0 ? bytes[i] << 8 : bytes[i];
  return sum;
}
bool is_ones(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

void expect_sound(const Bytes& frame) {
  const Parsed p = parse(frame);
  ASSERT_EQ(p.transport + p.length, frame.size());
  std::uint32_t sum = static_cast<std::uint32_t>(p.length) + p.protocol;
  if (!p.v6) {
    EXPECT_TRUE(is_ones(sum_words(frame.data() + 14, 20)));
  }
  sum += p.v6 ? sum_words(frame.data() + 22, 32) : sum_words(frame.data() + 26, 8);
  sum += sum_words(frame.data() + p.transport, p.length);
  EXPECT_TRUE(is_ones(sum));
}

void put_transport_checksum(Bytes& frame) {
  const Parsed p = parse(frame);
  const std::size_t field = p.transport + (p.protocol == kProtoTcp ? 16 : 6);
  frame[field] = frame[field + 1] = 0;
  std::uint32_t sum = static_cast<std::uint32_t>(p.length) + p.protocol;
  sum += p.v6 ? sum_words(frame.data() + 22, 32) : sum_words(frame.data() + 26, 8);
  sum += sum_words(frame.data() + p.transport, p.length);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  std::uint16_t value = static_cast<std::uint16_t>(~sum);
  if (value == 0 && p.protocol == kProtoUdp) value = 0xffff;
  frame[field] = static_cast<std::uint8_t>(value >> 8);
  frame[field + 1] = static_cast<std::uint8_t>(value);
}

// Exchanges source and destination, ports too: sums stay what they are.
Bytes echoed(Bytes frame) {
  const Parsed p = parse(frame);
  const std::size_t at = p.v6 ? 22 : 26;
  const std::size_t size = p.v6 ? 16 : 4;
  std::swap_ranges(frame.begin() + static_cast<long>(at), frame.begin() + static_cast<long>(at + size),
                   frame.begin() + static_cast<long>(at + size));
  std::swap_ranges(frame.begin() + static_cast<long>(p.transport),
                   frame.begin() + static_cast<long>(p.transport + 2),
                   frame.begin() + static_cast<long>(p.transport + 2));
  return frame;
}

TEST(NatRandom, WhatABackendEchoesComesBackAsItWas) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto one_of = [&](std::uint64_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (const bool client_v6 : {false, true}) {
    for (const bool backend_v6 : {false, true}) {
      Harness harness(4096, nat_settings());
      const auto backends = std::vector{nat_backend("be1", backend_of(backend_v6), 8080)};
      harness.apply({nat_service("web", client_v6, kProtoTcp, 80, backends),
                     nat_service("dns", client_v6, kProtoUdp, 80, backends)});
      for (int i = 0; i < 3000; ++i) {
        PacketBuilder builder = packet();
        builder.v4(client_of(client_v6), vip_of(client_v6)).ether_type(client_v6 ? 0x86dd : 0x0800);
        const auto port = static_cast<std::uint16_t>(1024 + one_of(500));
        if (one_of(2) == 0) {
          const std::uint8_t flags[] = {kTcpSyn, kTcpAck, kTcpAck | kTcpPsh};
          builder.tcp(port, 80).flags(flags[one_of(3)]);
        } else {
          builder.udp(port, 80);
        }
        builder.payload(one_of(1400)).ttl(static_cast<std::uint8_t>(3 + one_of(253)));
        builder.traffic_class(static_cast<std::uint8_t>(one_of(256)));
        Bytes in = builder.build();
        const Parsed parsed = parse(in);
        if (parsed.protocol == kProtoUdp) {
          in[parsed.transport + 4] = static_cast<std::uint8_t>(parsed.length >> 8);
          in[parsed.transport + 5] = static_cast<std::uint8_t>(parsed.length);
        } else {
          for (std::size_t at = 4; at < 12; ++at)
            in[parsed.transport + at] = static_cast<std::uint8_t>(random());
        }
        put_transport_checksum(in);

        const Answer there = harness.run({in}).front();
        ASSERT_EQ(there.outcome, Outcome::kForwarded) << outcome_metric(there.outcome);
        expect_sound(there.frame);
        const Answer back = harness.run({echoed(there.frame)}).front();
        ASSERT_EQ(back.outcome, Outcome::kForwarded) << outcome_metric(back.outcome);
        expect_sound(back.frame);

        const Bytes expected = echoed(in);
        const Parsed p = parse(back.frame);
        ASSERT_EQ(back.frame.size(), expected.size());
        EXPECT_TRUE(std::equal(back.frame.begin() + static_cast<long>(p.transport), back.frame.end(),
                               expected.begin() + static_cast<long>(p.transport)));
        const std::size_t ttl = client_v6 ? 21 : 22;
        EXPECT_EQ(back.frame[ttl], expected[ttl] - 2);
        if (::testing::Test::HasFailure()) FAIL() << "packet " << i << ": " << to_hex(in);
      }
    }
  }
}

TEST(NatRandom, NoisePutIntoPacketsNeverLeavesTheBuffer) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const bool client_v6 : {false, true}) {
    for (const bool backend_v6 : {false, true}) {
      Harness harness(4096, nat_settings(40000, 40003));
      ServiceDocument web =
          nat_service("web", client_v6, kProtoTcp, 80, {nat_backend("be1", backend_of(backend_v6))});
      web.forwarding.proxy_protocol = true;
      harness.apply({web, nat_service("dns", client_v6, kProtoUdp, 80, web.backends)});
      for (int i = 0; i < 5000; ++i) {
        const bool back = random() % 2 == 0;
        const bool v6 = back ? backend_v6 : client_v6;
        PacketBuilder builder = packet();
        builder.v4(back ? backend_of(v6) : client_of(v6), back ? nat_of(v6) : vip_of(v6));
        builder.ether_type(v6 ? 0x86dd : 0x0800);
        const auto other = static_cast<std::uint16_t>(40000 + random() % 4);
        if (random() % 3 == 0) {
          builder.udp(back ? 80 : other, back ? other : 80);
        } else {
          builder.tcp(back ? 80 : other, back ? other : 80).flags(static_cast<std::uint8_t>(random()));
        }
        Bytes frame = builder.payload(random() % 100).build();
        for (std::uint64_t n = random() % 4; n != 0; --n) {
          const std::size_t at = 14 + random() % (frame.size() - 14);
          if (at < 30 || random() % 4 == 0) frame[at] = static_cast<std::uint8_t>(random());
        }
        if (random() % 8 == 0) frame.resize(random() % frame.size());
        harness.run({frame});
      }
      EXPECT_EQ(harness.counters().received.read(), harness.sum_of_outcomes());
    }
  }
}

}  // namespace
}  // namespace penstock::test
