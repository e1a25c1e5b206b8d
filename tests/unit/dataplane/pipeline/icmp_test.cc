// ICMP to a VIP: which backend an error goes to, and what is never answered.

#include <gtest/gtest.h>

#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {
namespace {

constexpr std::uint8_t kUnreachable = 3;
constexpr std::uint8_t kEchoRequest = 8;
constexpr std::size_t kIp4 = 14;
constexpr std::size_t kIcmp4 = kIp4 + 20;

std::vector<ServiceDocument> services(std::size_t backends) {
  std::vector<BackendDocument> list;
  for (std::size_t i = 0; i < backends; ++i)
    list.push_back({"be" + std::to_string(i), ip("10.0.0." + std::to_string(i + 1))});
  return {service("web", "203.0.113.10", kProtoTcp, 80, Encap::kGue, list),
          service("web6", "2001:db8:beef::10", kProtoTcp, 80, Encap::kGue, list)};
}

// IP packet without the Ethernet header.
Bytes inner(const PacketBuilder& builder) {
  const Bytes frame = builder.build();
  return {frame.begin() + 14, frame.end()};
}

// The frame's transport becomes an ICMP header of this type and the bytes behind it.
Bytes icmp(const PacketBuilder& ip, std::uint8_t protocol, std::uint8_t type, const Bytes& rest,
           std::uint8_t code = 0) {
  PacketBuilder copy = ip;
  Bytes frame = copy.other(protocol, 8 + rest.size()).build();
  const std::size_t at = frame.size() - rest.size() - 8;
  frame[at] = type;
  frame[at + 1] = code;
  std::copy(rest.begin(), rest.end(), frame.begin() + static_cast<long>(at) + 8);
  return frame;
}
PacketBuilder router4() { return packet().v4("192.0.2.200", "203.0.113.10"); }
PacketBuilder router6() { return packet().v6("2001:db8::200", "2001:db8:beef::10"); }
PacketBuilder from_vip(std::uint16_t client_port) {
  return packet().v4("203.0.113.10", "198.51.100.7").tcp(80, client_port);
}
Bytes error4(const Bytes& quote) { return icmp(router4(), kProtoIcmp, kUnreachable, quote); }
Bytes cut(Bytes bytes, std::size_t size) {
  bytes.resize(size);
  return bytes;
}

TEST(IcmpErrors, FollowTheFlowThatTheyAreAbout) {
  Harness harness;
  harness.apply(services(10));
  for (std::uint16_t port = 1; port <= 200; ++port) {
    const Answer flow = harness.run(packet().v4("198.51.100.7", "203.0.113.10").tcp(port, 80).syn());
    const Answer error = harness.run({error4(cut(inner(from_vip(port)), 28))}).front();
    ASSERT_EQ(error.outcome, Outcome::kForwarded);
    EXPECT_EQ(error.backend, flow.backend);
    EXPECT_FALSE(error.new_flow);
    EXPECT_EQ(Bytes(error.frame.begin() + 34, error.frame.begin() + 36),
              Bytes(flow.frame.begin() + 34, flow.frame.begin() + 36))
        << "the outer source port is the flow's";
  }
}

TEST(IcmpErrors, FollowAnEstablishedFlowAgainstTheTable) {
  Harness harness;
  harness.apply(services(1));
  const Answer flow = harness.run(packet().v6("2001:db8:c11e::7", "2001:db8:beef::10").tcp(9, 80));
  ASSERT_EQ(harness.backend_id(flow.backend), "be0");
  auto more = services(10);
  for (auto& s : more) s.backends[0].drain = true;
  harness.apply(more);
  const Bytes quote = inner(packet().v6("2001:db8:beef::10", "2001:db8:c11e::7").tcp(80, 9));
  const Answer error = harness.run({icmp(router6(), kProtoIcmpv6, 2, quote)}).front();
  ASSERT_EQ(error.outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.backend_id(error.backend), "be0");
}

TEST(IcmpErrors, LeaveNoTraceInTheFlowTable) {
  Harness harness;
  harness.apply(services(3));
  ASSERT_EQ(harness.run({error4(inner(from_vip(5)))}).front().outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.flows().stats().size, 0U);
}

TEST(IcmpErrors, DoNotKeepASilentFlowAlive) {
  Harness harness;
  harness.apply(services(3));
  harness.run(packet().v4("198.51.100.7", "203.0.113.10").tcp(5, 80).syn());
  for (int second = 0; second < 30; ++second) {
    harness.now = harness.now + Nanoseconds::from_seconds(1);
    harness.run({error4(inner(from_vip(5)))});
  }
  EXPECT_TRUE(harness.run(packet().v4("198.51.100.7", "203.0.113.10").tcp(5, 80).syn()).new_flow);
}

struct Refused {
  const char* what;
  Bytes frame;
  Outcome outcome;
};

std::vector<Refused> refused_errors() {
  const Bytes whole = inner(from_vip(5));
  Bytes fragment = whole;
  fragment[7] = 5;  // fragment offset
  Bytes version = whole;
  version[0] = 0x55;
  Bytes ihl = whole;
  ihl[0] = 0x44;
  Bytes icmp_quote = whole;
  icmp_quote[9] = kProtoIcmp;
  const Bytes six = inner(packet().v6("2001:db8:beef::10", "2001:db8:c11e::7").tcp(80, 9));
  Bytes six_fragment = inner(packet()
                                 .v6("2001:db8:beef::10", "2001:db8:c11e::7")
                                 .tcp(80, 9)
                                 .extensions(kProtoFragment, {kProtoTcp, 0, 0, 8, 0, 0, 0, 1}));
  std::vector<Refused> out = {
      {"about no service", error4(inner(packet().v4("203.0.113.10", "198.51.100.7").tcp(81, 5))),
       Outcome::kIcmpUnknownFlow},
      {"about another's packet", error4(inner(packet().v4("203.0.113.11", "198.51.100.7").tcp(80, 5))),
       Outcome::kIcmpUnknownFlow},
      {"about a later fragment, which has no ports", error4(fragment), Outcome::kIcmpUnknownFlow},
      {"about a later fragment, IPv6", icmp(router6(), kProtoIcmpv6, 1, six_fragment),
       Outcome::kIcmpUnknownFlow},
      {"version 5 quoted", error4(version), Outcome::kIcmpUnknownFlow},
      {"IHL 4 quoted", error4(ihl), Outcome::kIcmpUnknownFlow},
      {"IPv6 in ICMPv4", error4(six), Outcome::kIcmpUnknownFlow},
      {"IPv4 in ICMPv6", icmp(router6(), kProtoIcmpv6, 1, whole), Outcome::kIcmpUnknownFlow},
      {"about ICMP", error4(icmp_quote), Outcome::kIcmpUnknownFlow},
      {"source quench", icmp(router4(), kProtoIcmp, 4, whole), Outcome::kIcmp},
      {"redirect", icmp(router4(), kProtoIcmp, 5, whole), Outcome::kIcmp},
      {"redirect, IPv6", icmp(router6(), kProtoIcmpv6, 137, six), Outcome::kIcmp},
      {"TTL 1", icmp(router4().ttl(1), kProtoIcmp, kUnreachable, whole), Outcome::kTtlExpired},
  };
  for (std::size_t size = 0; size < 24; ++size)
    out.push_back({"quote cut, IPv4", error4(cut(whole, size)), Outcome::kIcmpUnknownFlow});
  for (std::size_t size = 0; size < 44; ++size)
    out.push_back(
        {"quote cut, IPv6", icmp(router6(), kProtoIcmpv6, 1, cut(six, size)), Outcome::kIcmpUnknownFlow});
  for (std::size_t size = 40; size < 48; ++size)
    out.push_back({"quote cut in its fragment header",
                   icmp(router6(), kProtoIcmpv6, 1, cut(six_fragment, size)), Outcome::kIcmpUnknownFlow});
  return out;
}

TEST(IcmpErrors, ThatTellNoFlowAreDropped) {
  for (const Refused& r : refused_errors()) {
    Harness harness;
    harness.apply(services(3));
    const Answer answer = harness.run({r.frame}).front();
    EXPECT_EQ(outcome_metric(answer.outcome), outcome_metric(r.outcome)) << r.what << " " << r.frame.size();
    EXPECT_EQ(answer.frame, r.frame) << r.what;
  }
}

PacketBuilder from(const char* source) { return packet().v4(source, "203.0.113.10"); }

std::vector<Refused> refused_echoes() {
  Bytes broadcast = icmp(from("198.51.100.7"), kProtoIcmp, kEchoRequest, Bytes(8));
  std::fill_n(broadcast.begin(), 6, 0xff);
  Bytes group_sender = icmp(from("198.51.100.7"), kProtoIcmp, kEchoRequest, Bytes(8));
  group_sender[6] |= 1;
  const auto six = [](const char* source) { return packet().v6(source, "2001:db8:beef::10"); };
  return {
      {"limited broadcast", icmp(from("255.255.255.255"), kProtoIcmp, kEchoRequest, {}), Outcome::kIcmp},
      {"multicast", icmp(from("224.0.0.1"), kProtoIcmp, kEchoRequest, {}), Outcome::kIcmp},
      {"this network", icmp(from("0.0.0.0"), kProtoIcmp, kEchoRequest, {}), Outcome::kIcmp},
      {"loopback", icmp(from("127.0.0.1"), kProtoIcmp, kEchoRequest, {}), Outcome::kIcmp},
      {"the VIP itself", icmp(from("203.0.113.10"), kProtoIcmp, kEchoRequest, {}), Outcome::kIcmp},
      {"broadcast frame", broadcast, Outcome::kIcmp},
      {"sender with a group's MAC address", group_sender, Outcome::kIcmp},
      {"multicast, IPv6", icmp(six("ff02::1"), kProtoIcmpv6, 128, {}), Outcome::kIcmp},
      {"unspecified, IPv6", icmp(six("::"), kProtoIcmpv6, 128, {}), Outcome::kIcmp},
      {"echo reply", icmp(from("198.51.100.7"), kProtoIcmp, 0, {}), Outcome::kIcmp},
      {"echo reply, IPv6", icmp(six("2001:db8::7"), kProtoIcmpv6, 129, {}), Outcome::kIcmp},
      {"neighbour solicitation", icmp(six("2001:db8::7"), kProtoIcmpv6, 135, {}), Outcome::kIcmp},
      {"timestamp request", icmp(from("198.51.100.7"), kProtoIcmp, 13, Bytes(12)), Outcome::kIcmp},
      {"a code that is none", icmp(from("198.51.100.7"), kProtoIcmp, kEchoRequest, {}, 1), Outcome::kIcmp},
      {"TTL 0", icmp(from("198.51.100.7").ttl(0), kProtoIcmp, kEchoRequest, {}), Outcome::kTtlExpired},
      {"first fragment",
       icmp(from("198.51.100.7").fragment(kIpv4MoreFragments), kProtoIcmp, kEchoRequest, {}), Outcome::kIcmp},
      {"later fragment", icmp(from("198.51.100.7").fragment(3), kProtoIcmp, kEchoRequest, {}),
       Outcome::kIcmp},
      {"ICMPv6 over IPv4", icmp(from("198.51.100.7"), kProtoIcmpv6, 128, {}), Outcome::kIcmp},
      {"half a header", from("198.51.100.7").other(kProtoIcmp, 7).build(), Outcome::kBadLength},
      {"half a header, IPv6", six("2001:db8::7").other(kProtoIcmpv6, 7).build(), Outcome::kBadLength},
      {"cut", from("198.51.100.7").other(kProtoIcmp, 100).cut_to(100).build(), Outcome::kTruncated},
  };
}

TEST(IcmpEcho, NobodyButOneHostIsAnswered) {
  for (const Refused& r : refused_echoes()) {
    Harness harness;
    harness.apply(services(1));
    const Answer answer = harness.run({r.frame}).front();
    EXPECT_EQ(outcome_metric(answer.outcome), outcome_metric(r.outcome)) << r.what;
    EXPECT_EQ(answer.frame, r.frame) << r.what;
  }
}

TEST(IcmpEcho, AnotherAddressIsTheKernels) {
  Harness harness;
  harness.apply(services(1));
  const Bytes frame = icmp(packet().v4("198.51.100.7", "203.0.113.11"), kProtoIcmp, kEchoRequest, {});
  EXPECT_EQ(harness.run({frame}).front().outcome, Outcome::kNotVip);
}

TEST(IcmpEcho, AnswersAreRationed) {
  Harness harness;
  harness.apply(services(1));
  const Bytes ask = icmp(from("198.51.100.7"), kProtoIcmp, kEchoRequest, Bytes(8));
  for (std::uint64_t i = 0; i < 2 * kAnswersAtOnce; ++i) harness.run({ask});
  EXPECT_EQ(harness.count(Outcome::kAnswered), kAnswersAtOnce);
  EXPECT_EQ(harness.count(Outcome::kIcmpLimited), kAnswersAtOnce);
  harness.now = harness.now + Nanoseconds::from_millis(10);
  for (std::uint64_t i = 0; i < kAnswersAtOnce; ++i) harness.run({ask});
  EXPECT_EQ(harness.count(Outcome::kAnswered), kAnswersAtOnce + kAnswersPerSecond / 100);
  harness.now = harness.now + Nanoseconds::from_seconds(3600);
  for (std::uint64_t i = 0; i < 2 * kAnswersAtOnce; ++i) harness.run({ask});
  EXPECT_EQ(harness.count(Outcome::kAnswered), 2 * kAnswersAtOnce + kAnswersPerSecond / 100)
      << "an hour's silence saves no more than the burst";
}

}  // namespace
}  // namespace penstock::test
