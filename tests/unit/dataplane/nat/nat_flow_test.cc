// The life of flows in NAT mode, as clients, backends and the operator see it.

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/dataplane/nat/nat_harness.h"

namespace penstock::test {
namespace {

constexpr std::uint16_t kNat = 40000;

PacketBuilder from_client(std::uint16_t client_port = 5555) {
  return packet().v4(client_of(false), vip_of(false)).tcp(client_port, 80);
}
PacketBuilder from_backend(std::uint16_t nat_port = kNat, const std::string& backend = "10.0.1.1") {
  return packet().v4(backend, nat_of(false)).tcp(80, nat_port);
}

std::uint16_t port_at(const Bytes& frame, std::size_t offset) {
  return static_cast<std::uint16_t>(frame.at(34 + offset) << 8 | frame.at(35 + offset));
}
std::uint16_t source_port(const Bytes& frame) { return port_at(frame, 0); }

std::vector<ServiceDocument> web(std::vector<BackendDocument> backends = {nat_backend("be1", "10.0.1.1")}) {
  return {nat_service("web", false, kProtoTcp, 80, std::move(backends)),
          nat_service("dns", false, kProtoUdp, 80, {nat_backend("be1", "10.0.1.1")})};
}

/// Handshake of client_port; the gateway's port.
std::uint16_t establish(Harness& harness, std::uint16_t client_port) {
  const Answer syn = harness.run(from_client(client_port).syn());
  EXPECT_EQ(syn.outcome, Outcome::kForwarded);
  const std::uint16_t port = source_port(syn.frame);
  EXPECT_EQ(harness.run(from_backend(port).flags(kTcpSyn | kTcpAck)).outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.run(from_client(client_port).ack()).outcome, Outcome::kForwarded);
  return port;
}

TEST(NatFlow, AnswersOfNoFlowAreDroppedAndCounted) {
  Harness harness(4096, nat_settings());
  harness.apply(web());
  EXPECT_EQ(harness.run(from_backend(1234).ack()).outcome, Outcome::kNatUnknownFlow);
  EXPECT_EQ(harness.run(packet().v4("10.0.1.1", nat_of(false)).udp(80, 1234)).outcome,
            Outcome::kNatUnknownFlow);
  EXPECT_EQ(harness.run(packet().v4("10.0.1.1", nat_of(false)).other(kProtoSctp, 12)).outcome,
            Outcome::kNatUnknownFlow);
  EXPECT_EQ(harness.count(Outcome::kNatUnknownFlow), 3U);
  EXPECT_EQ(harness.counters().received.read(), harness.sum_of_outcomes());
}

TEST(NatFlow, AnotherHostCannotAnswerInTheBackendsPlace) {
  Harness harness(4096, nat_settings(kNat, kNat));
  harness.apply(web());
  establish(harness, 5555);
  EXPECT_EQ(harness.run(from_backend(kNat, "10.0.1.2").ack()).outcome, Outcome::kNatUnknownFlow);
  EXPECT_EQ(harness.run(from_backend(kNat).ack()).outcome, Outcome::kForwarded);
}

TEST(NatFlow, EveryFlowToOneBackendHasAPortOfItsOwnUntilNoneIsLeft) {
  Harness harness(4096, nat_settings(1024, 1087));
  harness.apply(web());
  std::set<std::uint16_t> ports;
  for (std::uint16_t i = 0; i < 64; ++i)
    ports.insert(establish(harness, static_cast<std::uint16_t>(2000 + i)));
  EXPECT_EQ(ports.size(), 64U);
  EXPECT_EQ(*ports.begin(), 1024);
  EXPECT_EQ(*ports.rbegin(), 1087);
  EXPECT_EQ(harness.run(from_client(3000).syn()).outcome, Outcome::kNatNoPort);
  // Another protocol has ports of its own.
  EXPECT_EQ(harness.run(packet().v4(client_of(false), vip_of(false)).udp(3000, 80)).outcome,
            Outcome::kForwarded);
}

TEST(NatFlow, ASecondNatAddressDoublesThePorts) {
  RareSettings settings = nat_settings(2000, 2003);
  settings.nat.addresses.push_back(ip("192.0.2.201"));
  Harness harness(4096, settings);
  harness.apply(web());
  for (std::uint16_t i = 0; i < 8; ++i)
    EXPECT_EQ(harness.run(from_client(static_cast<std::uint16_t>(4000 + i)).syn()).outcome,
              Outcome::kForwarded);
  EXPECT_EQ(harness.run(from_client(4999).syn()).outcome, Outcome::kNatNoPort);
}

TEST(NatFlow, ManyFlowsOfOneClientFindPortsThoughAffinityGivesThemOneHash) {
  Harness harness(4096, nat_settings());
  auto services = web({nat_backend("be1", "10.0.1.1"), nat_backend("be2", "10.0.1.2")});
  services[0].affinity.ipv4_prefix = 24;
  harness.apply(services);
  for (std::uint16_t i = 0; i < 500; ++i) {
    ASSERT_EQ(harness.run(from_client(static_cast<std::uint16_t>(2000 + i)).syn()).outcome,
              Outcome::kForwarded);
  }
}

TEST(NatFlow, APortIsFreeAgainWhenItsFlowHasExpired) {
  Harness harness(4096, nat_settings(kNat, kNat));
  harness.apply(web());
  establish(harness, 5555);
  EXPECT_EQ(harness.run(from_client(5556).syn()).outcome, Outcome::kNatNoPort);
  harness.now = harness.now + Nanoseconds::from_seconds(890);
  EXPECT_EQ(harness.run(from_client(5556).syn()).outcome, Outcome::kNatNoPort);
  harness.now = harness.now + Nanoseconds::from_seconds(80);
  EXPECT_EQ(harness.run(from_client(5556).syn()).outcome, Outcome::kForwarded);
}

TEST(NatFlow, AnUnansweredSynExpiresAfterTheSynTimeout) {
  Harness harness(4096, nat_settings(kNat, kNat));
  harness.apply(web());
  ASSERT_EQ(harness.run(from_client().syn()).outcome, Outcome::kForwarded);
  harness.now = harness.now + Nanoseconds::from_seconds(9);
  EXPECT_EQ(harness.run(from_client(5556).syn()).outcome, Outcome::kNatNoPort);
  harness.now = harness.now + Nanoseconds::from_seconds(3);
  EXPECT_EQ(harness.run(from_client(5556).syn()).outcome, Outcome::kForwarded);
}

TEST(NatFlow, ASynFloodDoesNotEndEstablishedFlows) {
  Harness harness(4096, nat_settings(kFirstNatPort, kLastNatPort, 100));
  harness.apply(web());
  const std::uint16_t port = establish(harness, 5555);
  for (std::uint16_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(harness.run(from_client(static_cast<std::uint16_t>(6000 + i)).syn()).outcome,
              Outcome::kForwarded);
  }
  EXPECT_EQ(harness.run(from_backend(port).ack()).outcome, Outcome::kForwarded);
  EXPECT_EQ(source_port(harness.run(from_client().ack()).frame), port);
}

TEST(NatFlow, WhenAllSessionsAreEstablishedNewFlowsAreRefused) {
  Harness harness(4096, nat_settings(kFirstNatPort, kLastNatPort, 10));
  harness.apply(web());
  for (std::uint16_t i = 0; i < 10; ++i) establish(harness, static_cast<std::uint16_t>(2000 + i));
  EXPECT_EQ(harness.run(from_client(3000).syn()).outcome, Outcome::kNatNoPort);
}

TEST(NatFlow, ADrainedBackendKeepsItsFlowsAndGetsNoNewOnes) {
  Harness harness(4096, nat_settings());
  harness.apply(web());
  const std::uint16_t port = establish(harness, 5555);
  auto drained = web();
  for (ServiceDocument& s : drained) s.backends[0].drain = true;
  harness.apply(drained);
  EXPECT_EQ(harness.run(from_client().ack()).outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.run(from_backend(port).ack()).outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.run(from_client(5556).syn()).outcome, Outcome::kNoBackendLeft);
}

TEST(NatFlow, ARemovedBackendEndsItsFlows) {
  Harness harness(4096, nat_settings());
  harness.apply(web());
  const std::uint16_t port = establish(harness, 5555);
  harness.apply(web({nat_backend("be2", "10.0.1.2")}));
  EXPECT_EQ(harness.run(from_backend(port).ack()).outcome, Outcome::kNatUnknownFlow);
  // Its client's next packet goes to a living backend, which will reset the connection.
  const Answer next = harness.run(from_client().ack());
  EXPECT_EQ(next.outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.backend_id(next.backend), "be2");
  EXPECT_TRUE(next.new_flow);
}

TEST(NatFlow, ASynAfterTheEndBeginsAnew) {
  Harness harness(4096, nat_settings());
  harness.apply(web());
  const std::uint16_t port = establish(harness, 5555);
  harness.run(from_client().fin());
  harness.run(from_backend(port).fin());
  const Answer again = harness.run(from_client().syn());
  EXPECT_EQ(again.outcome, Outcome::kForwarded);
  EXPECT_TRUE(again.new_flow);
}

TEST(NatFlow, TheEndOfAnUnknownConnectionOpensNothing) {
  Harness harness(4096, nat_settings());
  harness.apply(web());
  EXPECT_EQ(harness.run(from_client().fin()).outcome, Outcome::kNatUnknownFlow);
  EXPECT_EQ(harness.run(from_client().rst()).outcome, Outcome::kNatUnknownFlow);
  EXPECT_EQ(harness.run(from_client().flags(kTcpSyn | kTcpAck)).outcome, Outcome::kNatUnknownFlow);
}

TEST(NatFlow, AnswersLeaveByThePathOfTheClientsLastPacket) {
  Harness harness(4096, nat_settings(kNat, kNat));
  harness.apply(web());
  establish(harness, 5555);
  Bytes moved = from_client().ack().build();
  moved[11] = 0x99;  // another router's MAC
  EXPECT_EQ(harness.run({moved}).front().outcome, Outcome::kForwarded);
  const Answer answer = harness.run(from_backend().ack());
  EXPECT_EQ(answer.frame.at(5), 0x99);
  EXPECT_EQ(answer.frame.at(11), 0x11);
  EXPECT_EQ(answer.port, Harness::kIngressPort);
}

TEST(NatFlow, AnswersWearTheTagsOfTheClientsPacketsAndNotTheBackends) {
  Harness harness(4096, nat_settings(kNat, kNat));
  harness.apply(web());
  const auto tagged = [](Bytes frame, std::uint8_t vlan) {
    const Bytes tag{0x81, 0x00, 0x00, vlan};
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
    return frame;
  };
  const Answer syn = harness.run({tagged(from_client().syn().build(), 7)}).front();
  EXPECT_EQ(syn.outcome, Outcome::kForwarded);
  EXPECT_EQ(Bytes(syn.frame.begin() + 12, syn.frame.begin() + 18), (Bytes{0x81, 0, 0, 7, 8, 0}));
  const Bytes answer = from_backend().flags(kTcpSyn | kTcpAck).build();
  for (const Bytes& frame : {answer, tagged(answer, 9)}) {
    const Answer got = harness.run({frame}).front();
    EXPECT_EQ(got.outcome, Outcome::kForwarded);
    EXPECT_EQ(Bytes(got.frame.begin() + 12, got.frame.begin() + 18), (Bytes{0x81, 0, 0, 7, 8, 0}));
    EXPECT_EQ(got.frame.size(), answer.size() + 4);
  }
}

TEST(NatFlow, TheSenderOfAPacketThatDoesNotFitLearnsWhatDoes) {
  for (const bool backend_v6 : {false, true}) {
    Harness harness(4096, nat_settings());
    harness.mtu = 1280;
    harness.apply(web({nat_backend("be1", backend_of(backend_v6))}));
    const Answer answer = harness.run(from_client().ack().fragment(kIpv4DontFragment).payload(1280));
    ASSERT_EQ(answer.outcome, Outcome::kAnswered);
    EXPECT_EQ(answer.frame.at(34), 3);  // unreachable: fragmentation needed
    EXPECT_EQ(answer.frame.at(35), 4);
    EXPECT_EQ(answer.frame.at(40) << 8 | answer.frame.at(41), backend_v6 ? 1260 : 1280);
  }
}

TEST(NatFlow, PacketsThatHaveNoRoomOrNoWayAreDropped) {
  Harness harness(4096, nat_settings());
  harness.apply(web());
  EXPECT_EQ(harness.run({from_client().syn().build()}, kRequiredHeadroom - 1).front().outcome,
            Outcome::kNoHeadroom);
  harness.apply(web(), {"10.0.1.1"});
  EXPECT_EQ(harness.run(from_client().syn()).outcome, Outcome::kNoNextHop);
}

TEST(NatFlow, FragmentsAreNotTranslated) {
  Harness harness(4096, nat_settings(kNat, kNat));
  harness.apply(web());
  establish(harness, 5555);
  EXPECT_EQ(harness.run(from_backend().ack().fragment(kIpv4MoreFragments)).outcome, Outcome::kFragment);
  EXPECT_EQ(harness.run(from_backend().ack().fragment(7)).outcome, Outcome::kFragment);
}

TEST(NatFlow, ForwardedPacketsOfTheClientCountForTheBackendAndAnswersForTheService) {
  Harness harness(4096, nat_settings());
  harness.apply(web());
  const std::uint16_t port = establish(harness, 5555);
  harness.run(from_backend(port).ack());
  const Answer last = harness.run(from_client().ack());
  EXPECT_EQ(harness.counters().backend(last.backend).packets.read(), 3U);
  EXPECT_EQ(harness.counters().backend(last.backend).new_flows.read(), 1U);
  EXPECT_EQ(harness.count(Outcome::kForwarded), 5U);
  EXPECT_EQ(harness.counters().received.read(), harness.sum_of_outcomes());
}

}  // namespace
}  // namespace penstock::test
