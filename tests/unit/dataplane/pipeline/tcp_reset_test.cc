// Flows of a backend whose drain is over are ended in the VIP's name.

#include "dataplane/pipeline/tcp_reset.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {
namespace {

struct ResetVector {
  const char* what;
  const char* in;
  const char* out;
};

constexpr ResetVector kResetVectors[] = {
#include "tests/unit/dataplane/pipeline/reset_vectors.inc"
};

Bytes from_hex(const std::string& hex) {
  Bytes out;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    out.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

BackendDocument backend(const std::string& id, const std::string& address) {
  BackendDocument out;
  out.id = id;
  out.address = ip(address);
  return out;
}

// be1 and be2, of which the drain of be1 is as stated.
enum class Drain { kNone, kGoesOn, kOver };
std::vector<ServiceDocument> services(Drain drain, Encap encap = Encap::kGue) {
  std::vector<ServiceDocument> out;
  for (const std::uint8_t protocol : {kProtoTcp, kProtoUdp}) {
    for (const char* vip : {"203.0.113.10", "2001:db8:beef::10"}) {
      out.push_back(service(std::string(vip) + "-" + std::to_string(protocol), vip, protocol, 80, encap,
                            {backend("be1", "10.0.1.1"), backend("be2", "10.0.1.2")}));
      BackendDocument& first = out.back().backends[0];
      first.drain = drain != Drain::kNone;
      first.drain_over = drain == Drain::kOver;
    }
  }
  return out;
}

PacketBuilder segment(std::uint16_t port) {
  return packet().v4("198.51.100.7", "203.0.113.10").tcp(port, 80);
}

// Client ports of `count` flows that be1 serves.
std::vector<std::uint16_t> flows_of_be1(Harness& harness, std::size_t count) {
  std::vector<std::uint16_t> ports;
  for (std::uint16_t port = 1; ports.size() < count; ++port) {
    if (harness.backend_id(harness.run(segment(port).syn()).backend) == "be1") ports.push_back(port);
    harness.run(segment(port).ack());
  }
  return ports;
}

TEST(TcpReset, IsAsScapyBuildsIt) {
  for (const ResetVector& v : kResetVectors) {
    SCOPED_TRACE(v.what);
    Bytes buffer(kHeadroom);
    const Bytes in = from_hex(v.in);
    buffer.insert(buffer.end(), in.begin(), in.end());
    PacketView p{};
    p.set(buffer.data() + kHeadroom, static_cast<std::uint32_t>(in.size()), kHeadroom, 7);
    p.is_v6 = buffer[kHeadroom + 12] == 0x86;
    ASSERT_TRUE(answer_reset(p));
    EXPECT_EQ(p.outcome, Outcome::kAnsweredReset);
    EXPECT_EQ(p.egress_port, 7);
    EXPECT_EQ(testing::PrintToString(Bytes(p.data, p.data + p.length)),
              testing::PrintToString(from_hex(v.out)));
  }
}

TEST(TcpReset, WhatMustNotBeAnsweredIsLeftAsItIs) {
  const std::vector<std::pair<const char*, Bytes>> cases{
      {"a reset", segment(1).rst().build()},
      {"UDP", packet().v4("198.51.100.7", "203.0.113.10").udp(1, 80).build()},
      {"a group's source", packet().v4("224.0.0.1", "203.0.113.10").tcp(1, 80).build()},
      {"its own source", packet().v4("203.0.113.10", "203.0.113.10").tcp(1, 80).build()},
  };
  for (const auto& [what, frame] : cases) {
    SCOPED_TRACE(what);
    Bytes buffer(kHeadroom);
    buffer.insert(buffer.end(), frame.begin(), frame.end());
    PacketView p{};
    p.set(buffer.data() + kHeadroom, static_cast<std::uint32_t>(frame.size()), kHeadroom);
    EXPECT_FALSE(answer_reset(p));
    EXPECT_TRUE(std::equal(frame.begin(), frame.end(), p.data));
  }
}

TEST(DrainOver, EstablishedFlowsAreResetOnceAndForgotten) {
  Harness harness;
  harness.apply(services(Drain::kNone));
  const auto ports = flows_of_be1(harness, 20);
  harness.apply(services(Drain::kGoesOn));
  for (const auto port : ports)
    EXPECT_EQ(harness.backend_id(harness.run(segment(port).ack()).backend), "be1") << "drained, not over";
  harness.apply(services(Drain::kOver));
  for (const auto port : ports) {
    const Answer answer = harness.run(segment(port).ack());
    ASSERT_EQ(answer.outcome, Outcome::kAnsweredReset);
    EXPECT_EQ(answer.port, Harness::kIngressPort);
    EXPECT_NE(harness.run(segment(port).ack()).outcome, Outcome::kAnsweredReset) << "the entry is gone";
  }
  EXPECT_EQ(harness.count(Outcome::kAnsweredReset), ports.size());
  EXPECT_EQ(harness.sum_of_outcomes(), harness.counters().received.read());
}

TEST(DrainOver, SeveralSegmentsOfOneFlowInABurstAreAllAccountedFor) {
  Harness harness;
  harness.apply(services(Drain::kNone, Encap::kIpip));
  const auto port = flows_of_be1(harness, 1).front();
  harness.apply(services(Drain::kOver, Encap::kIpip));
  const auto answers =
      harness.run({segment(port).ack().build(), segment(port).ack().build(), segment(port).ack().build()});
  EXPECT_EQ(answers[0].outcome, Outcome::kAnsweredReset);
  for (const Answer& answer : answers)
    EXPECT_TRUE(answer.outcome == Outcome::kAnsweredReset || answer.outcome == Outcome::kForwarded);
  EXPECT_EQ(harness.sum_of_outcomes(), harness.counters().received.read());
}

TEST(DrainOver, ANewConnectionWithTheSamePortsGoesToALivingBackend) {
  Harness harness;
  harness.apply(services(Drain::kNone));
  const auto port = flows_of_be1(harness, 1).front();
  harness.apply(services(Drain::kOver));
  const Answer answer = harness.run(segment(port).syn());
  EXPECT_EQ(answer.outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.backend_id(answer.backend), "be2");
}

TEST(DrainOver, AClientsResetStillReachesTheBackend) {
  Harness harness;
  harness.apply(services(Drain::kNone));
  const auto port = flows_of_be1(harness, 1).front();
  harness.apply(services(Drain::kOver));
  const Answer answer = harness.run(segment(port).rst());
  EXPECT_EQ(answer.outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.backend_id(answer.backend), "be1");
}

TEST(DrainOver, DatagramsFindAnotherBackend) {
  Harness harness;
  harness.apply(services(Drain::kNone));
  const auto datagram = [](std::uint16_t port) {
    return packet().v6("2001:db8:c11e::7", "2001:db8:beef::10").udp(port, 80);
  };
  std::vector<std::uint16_t> ports;
  for (std::uint16_t port = 1; ports.size() < 20; ++port) {
    if (harness.backend_id(harness.run(datagram(port)).backend) == "be1") ports.push_back(port);
  }
  harness.apply(services(Drain::kOver));
  for (const auto port : ports) {
    const Answer answer = harness.run(datagram(port));
    EXPECT_EQ(answer.outcome, Outcome::kForwarded);
    EXPECT_EQ(harness.backend_id(answer.backend), "be2");
  }
}

TEST(DrainOver, TranslatedConnectionsAreResetAndTranslatedDatagramsFindAnotherBackend) {
  RareSettings rare;
  rare.nat.addresses = {ip("192.0.2.200")};
  rare.nat.flows = 1024;
  Harness harness(4096, rare);
  const auto nat = [](Drain drain) {
    auto out = services(drain, Encap::kNat);
    std::erase_if(out, [](const ServiceDocument& s) { return s.key.vip.is_v6(); });
    return out;
  };
  const auto datagram = [](std::uint16_t port) {
    return packet().v4("198.51.100.7", "203.0.113.10").udp(port, 80);
  };
  harness.apply(nat(Drain::kNone));
  std::vector<std::uint16_t> connections;
  std::vector<std::uint16_t> exchanges;
  for (std::uint16_t port = 1; port < 60; ++port) {
    if (harness.backend_id(harness.run(segment(port).syn()).backend) == "be1") connections.push_back(port);
    if (harness.backend_id(harness.run(datagram(port)).backend) == "be1") exchanges.push_back(port);
  }
  ASSERT_FALSE(connections.empty());
  ASSERT_FALSE(exchanges.empty());
  harness.apply(nat(Drain::kOver));
  for (const auto port : connections) {
    EXPECT_EQ(harness.run(segment(port).ack()).outcome, Outcome::kAnsweredReset);
    EXPECT_NE(harness.run(segment(port).ack()).outcome, Outcome::kAnsweredReset) << "the session is gone";
  }
  for (const auto port : exchanges) EXPECT_EQ(harness.backend_id(harness.run(datagram(port)).backend), "be2");
  EXPECT_EQ(harness.sum_of_outcomes(), harness.counters().received.read());
}

TEST(DrainOver, OtherBackendsFlowsGoOn) {
  Harness harness;
  harness.apply(services(Drain::kNone));
  std::vector<std::uint16_t> others;
  for (std::uint16_t port = 1; others.size() < 20; ++port) {
    if (harness.backend_id(harness.run(segment(port).syn()).backend) == "be2") others.push_back(port);
  }
  harness.apply(services(Drain::kOver));
  for (const auto port : others) {
    const Answer answer = harness.run(segment(port).ack());
    EXPECT_EQ(answer.outcome, Outcome::kForwarded);
    EXPECT_EQ(harness.backend_id(answer.backend), "be2");
  }
}

TEST(DrainOver, TagsComeBackOnTheReset) {
  Harness harness;
  harness.apply(services(Drain::kNone));
  const auto port = flows_of_be1(harness, 1).front();
  harness.apply(services(Drain::kOver));
  Bytes frame = segment(port).ack().build();
  const Bytes tag{0x81, 0, 0, 9};
  frame.insert(frame.begin() + 12, tag.begin(), tag.end());
  const Answer answer = harness.run({frame}).front();
  ASSERT_EQ(answer.outcome, Outcome::kAnsweredReset);
  EXPECT_TRUE(std::equal(tag.begin(), tag.end(), answer.frame.begin() + 12));
}

}  // namespace
}  // namespace penstock::test
