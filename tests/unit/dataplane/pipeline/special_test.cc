// Services that are balanced by less than their 5-tuple, and those that own more than one address or port.

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {
namespace {

std::vector<BackendDocument> backends(int count) {
  std::vector<BackendDocument> out;
  for (int i = 1; i <= count; ++i)
    out.push_back({"be" + std::to_string(i), ip("10.0.0." + std::to_string(i))});
  return out;
}

ServiceDocument on(const std::string& id, std::uint8_t protocol, std::uint16_t port, int count = 20) {
  return service(id, "203.0.113.10", protocol, port, Encap::kIpip, backends(count));
}

PacketBuilder from(const std::string& client, const std::string& vip = "203.0.113.10") {
  return packet().v4(client, vip);
}

Bytes with_ports(PacketBuilder builder, std::uint16_t source, std::uint16_t destination) {
  Bytes frame = builder.build();
  const be16 ports[2] = {be16(source), be16(destination)};
  std::memcpy(frame.data() + 34, ports, sizeof ports);
  return frame;
}

TEST(Special, SctpIsBalancedByAddressesAlone) {
  Harness harness;
  harness.apply({on("sctp", kProtoSctp, 0)});
  std::set<std::uint32_t> spread;
  for (int client = 1; client < 60; ++client) {
    const auto chunk = from("198.51.100." + std::to_string(client)).other(kProtoSctp, 12);
    std::set<std::uint32_t> backends_of_client;
    for (std::uint16_t port = 1; port < 20; ++port) {
      const Answer answer =
          harness.run({with_ports(chunk, port, static_cast<std::uint16_t>(7000 + port))}).front();
      ASSERT_EQ(answer.outcome, Outcome::kForwarded);
      EXPECT_EQ(answer.new_flow, port == 1);
      backends_of_client.insert(answer.backend);
    }
    EXPECT_EQ(backends_of_client.size(), 1U);
    spread.merge(backends_of_client);
  }
  EXPECT_GT(spread.size(), 10U);
}

TEST(Special, SctpServiceOfOnePortTakesNoOther) {
  Harness harness;
  harness.apply({on("sctp", kProtoSctp, 5060)});
  const auto chunk = from("198.51.100.1").other(kProtoSctp, 12);
  EXPECT_EQ(harness.run({with_ports(chunk, 9, 5060)}).front().outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.run({with_ports(chunk, 9, 5061)}).front().outcome, Outcome::kNoSuchService);
}

TEST(Special, AnyProtocolTakesWhatNoOtherServiceDoes) {
  Harness harness;
  harness.apply({on("any", kAnyProtocol, 0), on("web", kProtoTcp, 80)});
  const auto owner = [&](const PacketBuilder& p) {
    const Answer answer = harness.run(p);
    return answer.outcome == Outcome::kForwarded
               ? harness.snapshot().find_backend(answer.backend).service->document.id
               : std::string(outcome_metric(answer.outcome));
  };
  EXPECT_EQ(owner(from("198.51.100.1").tcp(1, 80)), "web");
  EXPECT_EQ(owner(from("198.51.100.1").tcp(1, 81)), "any");
  EXPECT_EQ(owner(from("198.51.100.1").udp(1, 80)), "any");
  EXPECT_EQ(owner(from("198.51.100.1").other(kProtoGre, 4)), "any");
  EXPECT_EQ(owner(from("198.51.100.1").other(50, 16)), "any") << "ESP";
  EXPECT_EQ(owner(from("198.51.100.1", "203.0.113.11").other(kProtoGre, 4)), "not_vip");
}

TEST(Special, OneShotDatagramsLeaveNoFlowBehindAndFollowTheWeightsAtOnce) {
  Harness harness;
  auto dns = on("dns", kProtoUdp, 53, 2);
  dns.one_shot = true;
  harness.apply({dns});
  for (std::uint16_t port = 1; port <= 200; ++port) {
    const Answer answer = harness.run(from("198.51.100.1").udp(port, 53));
    ASSERT_EQ(answer.outcome, Outcome::kForwarded);
    EXPECT_FALSE(answer.new_flow);
  }
  EXPECT_EQ(harness.flows().stats().inserted, 0U);
  dns.backends[0].drain = true;
  harness.apply({dns});
  for (std::uint16_t port = 1; port <= 200; ++port) {
    EXPECT_EQ(harness.backend_id(harness.run(from("198.51.100.1").udp(port, 53)).backend), "be2");
  }
  dns.backends[1].drain = true;
  harness.apply({dns});
  EXPECT_EQ(harness.run(from("198.51.100.1").udp(1, 53)).outcome, Outcome::kNoBackendLeft);
  EXPECT_EQ(harness.sum_of_outcomes(), 401U);
}

TEST(Special, ClientsOfOnePrefixShareABackendAndOthersSpread) {
  for (const bool one_shot : {false, true}) {
    Harness harness;
    auto web = on("web", one_shot ? kProtoUdp : kProtoTcp, 80);
    web.affinity.ipv4_prefix = 28;
    web.one_shot = one_shot;
    harness.apply({web});
    std::set<std::uint32_t> all;
    for (int net = 0; net < 200; net += 16) {
      std::set<std::uint32_t> of_prefix;
      for (int host = 0; host < 16; ++host) {
        const auto client = from("198.51.100." + std::to_string(net + host));
        for (const std::uint16_t port : {1025, 40'000}) {
          const Answer answer = harness.run(one_shot ? PacketBuilder(client).udp(port, 80)
                                                     : PacketBuilder(client).tcp(port, 80).syn());
          ASSERT_EQ(answer.outcome, Outcome::kForwarded);
          of_prefix.insert(answer.backend);
        }
      }
      EXPECT_EQ(of_prefix.size(), 1U) << "198.51.100." << net << "/28";
      all.merge(of_prefix);
    }
    EXPECT_GT(all.size(), 5U);
  }
}

TEST(Special, AffinityOfIpv6ClientsGoesByTheirPrefix) {
  Harness harness;
  auto web = service("web", "2001:db8:beef::10", kProtoTcp, 80, Encap::kIpip, backends(20));
  web.affinity.ipv6_prefix = 57;
  harness.apply({web});
  const auto backend_of = [&](const std::string& client) {
    return harness.run(packet().v6(client, "2001:db8:beef::10").tcp(1, 80).syn()).backend;
  };
  std::set<std::uint32_t> all;
  for (int i = 0; i < 50; ++i) {
    const std::string prefix = "2001:db8:" + std::to_string(i) + ":";
    const std::uint32_t first = backend_of(prefix + "80::1");
    EXPECT_EQ(first, backend_of(prefix + "ff:1:2:3:4"));
    all.insert(first);
    all.insert(backend_of(prefix + "7f::1"));
  }
  EXPECT_GT(all.size(), 15U);
}

TEST(Special, AffinityNeverMovesAFlowThatExists) {
  Harness harness;
  auto web = on("web", kProtoTcp, 80, 3);
  web.affinity.ipv4_prefix = 24;
  harness.apply({web});
  const std::string first = harness.backend_id(harness.run(from("198.51.100.1").tcp(1, 80).syn()).backend);
  harness.run(from("198.51.100.1").tcp(1, 80).ack());
  for (BackendDocument& b : web.backends) b.drain = b.id == first;
  harness.apply({web});
  EXPECT_EQ(harness.backend_id(harness.run(from("198.51.100.1").tcp(1, 80).ack()).backend), first);
  const std::string second = harness.backend_id(harness.run(from("198.51.100.1").tcp(2, 80).syn()).backend);
  EXPECT_NE(second, first);
  EXPECT_EQ(second, harness.backend_id(harness.run(from("198.51.100.200").tcp(9, 80).syn()).backend));
}

TEST(Special, PrefixRangeAndWildcardServicesForwardWhatIsTheirs) {
  Harness harness;
  auto net = on("net", kProtoTcp, 443);
  net.key = {ip("203.0.113.0"), kProtoTcp, 443, 0, 24};
  auto net6 = service("net6", "2001:db8:beef::", kProtoUdp, 0, Encap::kGue, backends(2));
  net6.key = {ip("2001:db8:beef::"), kProtoUdp, 0, 0, 64};
  auto range = on("range", kProtoTcp, 8000);
  range.key.last_port = 8080;
  harness.apply({net, net6, range});
  const auto outcome = [&](const std::string& vip, std::uint16_t port) {
    return harness.run(from("198.51.100.1", vip).tcp(1, port).syn()).outcome;
  };
  EXPECT_EQ(outcome("203.0.113.0", 443), Outcome::kForwarded);
  EXPECT_EQ(outcome("203.0.113.255", 443), Outcome::kForwarded);
  EXPECT_EQ(outcome("203.0.113.255", 444), Outcome::kNoSuchService);
  EXPECT_EQ(outcome("203.0.114.0", 443), Outcome::kNotVip);
  EXPECT_EQ(outcome("203.0.113.10", 443), Outcome::kForwarded);
  EXPECT_EQ(outcome("203.0.113.10", 8080), Outcome::kForwarded);
  EXPECT_EQ(outcome("203.0.113.10", 8081), Outcome::kNoSuchService);
  EXPECT_EQ(outcome("203.0.113.11", 8080), Outcome::kNoSuchService);
  EXPECT_EQ(harness.run(packet().v6("2001:db8::1", "2001:db8:beef::ffff").udp(1, 9)).outcome,
            Outcome::kForwarded);
  EXPECT_EQ(harness.run(packet().v6("2001:db8::1", "2001:db8:beef:1::").udp(1, 9)).outcome, Outcome::kNotVip);
}

}  // namespace
}  // namespace penstock::test
