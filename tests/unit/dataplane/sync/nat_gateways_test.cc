// Translated connections while the router moves their packets between gateways, and when a gateway restarts
// or dies.

#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "dataplane/sync/nat_sync_record.h"
#include "tests/unit/dataplane/nat/session_maker.h"
#include "tests/unit/dataplane/sync/gateways.h"

namespace penstock::test {
namespace {

constexpr Nanoseconds kSecond = Nanoseconds::from_seconds(1);

std::vector<Shape> shapes() {
  std::vector<Shape> out;
  for (const bool client_v6 : {false, true}) {
    for (const bool backend_v6 : {false, true}) {
      for (const bool proxy : {false, true}) out.push_back({client_v6, backend_v6, proxy});
    }
  }
  return out;
}

std::string name_of(const Shape& s) {
  return std::string("NAT") + (s.client_v6 ? "6" : "4") + (s.backend_v6 ? "6" : "4") +
         (s.proxy ? " with PROXY" : "");
}

/// Two gateways, gw1 with an open connection that gw2 has been told of.
struct Pair {
  explicit Pair(const Shape& shape, const std::vector<unsigned>& backups = {})
      : gw1(std::make_unique<Gateway>(1, shape)), gw2(2, shape, backups), connection(shape) {
    test_unix_ms += 10'000;
    connection.open(*gw1);
    connection.acknowledge(*gw1);
    connection.send(*gw1, "before");
    connection.answer(*gw1, "reply");
    gw1->tell(gw2);
    later();
  }
  void later(Nanoseconds span = kSecond + kSecond) {
    gw1->rest(span);
    gw2.rest(span);
    tell();
  }
  void tell() {
    gw1->tell(gw2);
    gw2.tell(*gw1);
  }

  std::unique_ptr<Gateway> gw1;
  Gateway gw2;
  Connection connection;
};

TEST(NatGateways, AMovedClientGoesOnThroughTheOtherGatewayWithTheFirstOnesAddress) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(name_of(shape));
    Pair pair(shape);
    EXPECT_EQ(pair.connection.nat.source, Gateway::nat_address(1, shape.backend_v6));
    for (int i = 0; i < 3; ++i) {
      pair.connection.send(pair.gw2, "through the other");
      pair.connection.answer(*pair.gw1, "back by the first");
    }
    EXPECT_FALSE(pair.connection.last.new_flow);
    EXPECT_EQ(pair.gw2.adopted(), 1U);
    // And back again.
    pair.connection.send(*pair.gw1, "home");
    pair.connection.answer(*pair.gw1, "welcome");
  }
}

TEST(NatGateways, AnAdoptedSessionHoldsAsLongAsItsPacketsComeThoughEachGatewaySeesHalf) {
  Pair pair({});
  for (int i = 0; i < 20; ++i) {
    pair.connection.send(pair.gw2, "x");
    pair.connection.answer(*pair.gw1, "y");
    pair.later(Nanoseconds::from_seconds(600));
  }
  EXPECT_EQ(pair.gw1->sessions(), 1U);
  EXPECT_EQ(pair.gw2.sessions(), 1U);
}

// gw1 has opened it, but before the acknowledgment of the header: gw2 cannot know more.
TEST(NatGateways, TheProxyHeaderIsNotRepeatedOnceTheFirstGatewayHasTold) {
  for (const bool client_v6 : {false, true}) {
    const Shape shape{client_v6, false, true};
    Gateway gw1(1, shape);
    Gateway gw2(2, shape);
    Connection connection(shape);
    connection.open(gw1);
    gw1.tell(gw2);
    gw1.rest(kSecond + kSecond);
    gw2.rest(kSecond + kSecond);
    gw1.tell(gw2);
    // The client repeats its ACK, which still carries the header.
    const Segment again = connection.to_backend(
        gw2, {Connection::kClientIsn + 1, Connection::kBackendIsn + 1, kTcpAck, {}, {}});
    EXPECT_EQ(again.data, expected_header(client_v6));
    connection.acknowledge(gw1);
    gw1.tell(gw2);
    const Segment bare = connection.to_backend(
        gw2, {Connection::kClientIsn + 1, Connection::kBackendIsn + 1, kTcpAck, {}, {}});
    EXPECT_TRUE(bare.data.empty());
    connection.send(gw2, "data behind the header");
    connection.answer(gw1, "ok");
  }
}

TEST(NatGateways, ManyConnectionsLiveWhileTheRouterMovesTheirPacketsAtRandom) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(name_of(shape));
    Gateway gateways[] = {{1, shape}, {2, shape}};
    const auto tell = [&] {
      gateways[0].tell(gateways[1]);
      gateways[1].tell(gateways[0]);
    };
    const auto pass = [&](Nanoseconds span) {
      for (Gateway& gateway : gateways) gateway.rest(span);
      tell();
    };
    std::vector<Connection> connections;
    std::vector<std::size_t> owners;
    for (std::uint16_t i = 0; i < 24; ++i) {
      connections.emplace_back(shape, static_cast<std::uint16_t>(3000 + i));
      owners.push_back(random() % 2);
      connections.back().open(gateways[owners.back()]);
      connections.back().acknowledge(gateways[owners.back()]);
    }
    tell();
    pass(kSecond + kSecond);
    for (int step = 0; step < 1000 && !testing::Test::HasFailure(); ++step) {
      const std::size_t i = random() % connections.size();
      connections[i].send(gateways[random() % 2], std::string(1 + random() % 100, 'x'));
      connections[i].answer(gateways[owners[i]], std::string(1 + random() % 100, 'y'));
      if (random() % 8 == 0) pass(Nanoseconds::from_millis(random() % 3000));
    }
    EXPECT_EQ(gateways[0].adopted() + gateways[1].adopted(), connections.size());
  }
}

TEST(NatGateways, AFinOnEitherSideEndsTheSessionOnBothGateways) {
  for (const bool client_first : {true, false}) {
    Pair pair({});
    pair.connection.send(pair.gw2, "last words");
    const auto client_fin = [&] {
      EXPECT_EQ(pair.gw2.pass(pair.connection.frame(kTcpFin | kTcpAck)).outcome, Outcome::kForwarded);
    };
    const auto backend_fin = [&] {
      EXPECT_EQ(pair.gw1->pass(pair.connection.answer_frame(kTcpFin | kTcpAck)).outcome, Outcome::kForwarded);
    };
    client_first ? client_fin() : backend_fin();
    pair.later();
    client_first ? backend_fin() : client_fin();
    pair.later();
    EXPECT_EQ(pair.gw1->sessions() + pair.gw2.sessions(), 2U) << "late packets still find it";
    // One round of the sweep to learn it, and 30 s for a closing connection; established ones live for 900 s.
    for (int i = 0; i < 25; ++i) pair.later();
    EXPECT_EQ(pair.gw1->sessions(), 0U);
    EXPECT_EQ(pair.gw2.sessions(), 0U);
    pair.later();
    EXPECT_EQ(pair.gw1->foreign().size(), 0U);
    EXPECT_EQ(pair.gw2.foreign().size(), 0U);
  }
}

TEST(NatGateways, AResetThatOneGatewayHasSeenFreesThePortOfTheOther) {
  Pair pair({});
  pair.connection.send(pair.gw2, "x");
  EXPECT_EQ(pair.gw2.pass(pair.connection.frame(kTcpRst)).outcome, Outcome::kForwarded);
  for (int i = 0; i < 20; ++i) pair.later();
  EXPECT_EQ(pair.gw1->sessions(), 0U);
  EXPECT_EQ(pair.gw2.sessions(), 0U);
}

TEST(NatGateways, AForgedResetDoesNotEndAConnectionThatGoesOn) {
  Pair pair({});
  pair.connection.send(pair.gw2, "x");
  pair.gw1->pass(pair.connection.answer_frame(kTcpRst));
  for (int i = 0; i < 30; ++i) {
    pair.later();
    pair.connection.send(pair.gw2, "x");
    pair.connection.answer(*pair.gw1, "y");
  }
  EXPECT_EQ(pair.gw2.adopted(), 1U);
}

TEST(NatGateways, ASynNeverAdopts) {
  Pair pair({});
  const Answer syn = pair.gw2.pass(pair.connection.frame(kTcpSyn));
  EXPECT_EQ(syn.outcome, Outcome::kForwarded);
  EXPECT_TRUE(syn.new_flow);
  EXPECT_EQ(route_of(syn.frame).source, Gateway::nat_address(2, false));
  EXPECT_EQ(pair.gw2.adopted(), 0U);
}

TEST(NatGateways, WhatNobodyKnowsIsNotAdopted) {
  Pair pair({});
  Connection stranger({}, 6666);
  EXPECT_EQ(pair.gw2.pass(stranger.frame(kTcpFin | kTcpAck)).outcome, Outcome::kNatUnknownFlow);
  EXPECT_EQ(pair.gw2.adopted(), 0U);
}

TEST(NatGateways, OfTwoConnectionsOfOnePortTheLaterIsGoneOnWith) {
  Pair pair({});
  pair.connection.send(pair.gw2, "x");  // gw2 has the first one now
  test_unix_ms += 5000;
  pair.gw1->rest(kSecond);
  Connection second({});
  // The client's host has forgotten the first one; gw1 has seen its end.
  pair.gw1->pass(pair.connection.answer_frame(kTcpRst));
  second.open(*pair.gw1);
  second.send(*pair.gw1, "new");
  pair.later();
  for (int i = 0; i < 6; ++i) pair.later();
  second.send(pair.gw2, "also new");
  second.answer(*pair.gw1, "yes");
  EXPECT_EQ(pair.gw2.adopted(), 2U);
}

TEST(NatGateways, ABackendThatIsGoneIsNotAdoptedAndADrainedOneIs) {
  Pair pair({});
  pair.gw2.apply("be2");
  EXPECT_EQ(pair.gw2.pass(pair.connection.frame(kTcpFin | kTcpAck)).outcome, Outcome::kNatUnknownFlow);
  pair.gw2.apply("be1", true);
  pair.connection.send(pair.gw2, "to the drained one");
  EXPECT_EQ(pair.gw2.adopted(), 1U);
}

TEST(NatGateways, ARestartedGatewayGetsItsOwnSessionsBackAndUsesNoneOfTheirPorts) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(name_of(shape));
    Pair pair(shape);
    auto reborn = std::make_unique<Gateway>(1, shape);
    // gw2 has adopted nothing: what it was told is what it gives back.
    pair.gw2.foreign().each([&](std::uint64_t key, const NatSessionRecord& record) {
      ASSERT_TRUE(NatSink(reborn->foreign()).put(sync_record_of(key, record), 2, reborn->harness().now));
    });
    pair.gw1 = std::move(reborn);
    // The first word may be either side's; here the backend's, and the client's path is not known yet.
    EXPECT_EQ(pair.gw1->pass(pair.connection.answer_frame(kTcpAck)).outcome, Outcome::kNoNextHop);
    pair.connection.send(*pair.gw1, "after the restart");
    pair.connection.answer(*pair.gw1, "still here");
    EXPECT_EQ(pair.gw1->adopted(), 1U);
  }
}

TEST(NatGateways, PortsOfSessionsThatPeersKnowAreNotGivenAway) {
  RareSettings few = nat_settings(40000, 40001);
  ForeignSessions foreign(16, kSessionKey);
  few.nat.foreign = &foreign;
  Harness harness(1024, few);
  harness.apply({nat_service("web", false, kProtoTcp, 80, {nat_backend("be1", backend_of(false), 8080)})});
  const auto open = [&harness](std::uint16_t port) {
    return harness.run({frame_of({client_of(false), vip_of(false), port, 80}, {1, 0, kTcpSyn, {}, {}})})
        .front();
  };
  const Route first = route_of(open(1001).frame);
  NatSessionRecord other = numbered_session(1, 2);
  other.answer.set_source(ip(first.destination));
  other.answer.set_destination(ip(first.source));
  other.answer.source_port = be16(8080);
  other.answer.destination_port = be16(first.source_port == 40000 ? 40001 : 40000);
  ASSERT_TRUE(foreign.put(1, other, 0, 1));
  EXPECT_EQ(open(1002).outcome, Outcome::kNatNoPort);
  foreign.erase(1, 0);
  EXPECT_EQ(open(1003).outcome, Outcome::kForwarded);
}

TEST(NatGateways, ABackupTranslatesTheAnswersToADeadGatewaysAddress) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(name_of(shape));
    Pair pair(shape, {1});
    // Another client has shown gw2 the way to the router.
    Connection other(shape, 7777);
    other.open(pair.gw2);
    EXPECT_EQ(other.nat.source, Gateway::nat_address(2, shape.backend_v6))
        << "a backup's address opens no session";
    // gw1 dies. The first word is the backend's.
    pair.connection.answer(pair.gw2, "are you there?");
    EXPECT_EQ(pair.connection.last.port, Harness::kIngressPort);
    pair.connection.send(pair.gw2, "yes");
    pair.connection.answer(pair.gw2, "good");
    EXPECT_EQ(pair.gw2.adopted(), 1U);
  }
}

TEST(NatGateways, WithoutBackupAnswersToAnotherGatewaysAddressAreNotOurs) {
  Pair pair({});
  EXPECT_EQ(pair.gw2.pass(pair.connection.answer_frame(kTcpAck)).outcome, Outcome::kNotVip);
}

TEST(NatGateways, DatagramsGoOnToo) {
  for (const bool client_v6 : {false, true}) {
    const Shape shape{client_v6, false, false};
    Gateway gw1(1, shape);
    Gateway gw2(2, shape);
    const auto datagram = [](const Route& route) {
      const bool v6 = ip(route.source).is_v6();
      Bytes frame = packet()
                        .v4(route.source, route.destination)
                        .ether_type(v6 ? 0x86dd : 0x0800)
                        .udp(route.source_port, route.destination_port)
                        .payload(4)
                        .build();
      const std::size_t udp = v6 ? 54 : 34;
      frame[udp + 5] = 12;
      frame[udp + 6] = 1;  // a checksum, whatever it is
      return frame;
    };
    const Route client{client_of(client_v6), vip_of(client_v6), 5555, 80};
    const Route first = route_of(gw1.pass(datagram(client)).frame);
    const Route answer{first.destination, first.source, first.destination_port, first.source_port};
    gw1.pass(datagram(answer));
    gw1.pass(datagram(client));
    gw1.tell(gw2);
    gw1.rest(kSecond + kSecond);
    gw1.tell(gw2);
    const Route moved = route_of(gw2.pass(datagram(client)).frame);
    EXPECT_EQ(moved.source, first.source);
    EXPECT_EQ(moved.source_port, first.source_port);
    EXPECT_EQ(gw2.adopted(), 1U);
  }
}

TEST(NatGateways, SessionsAreToldAgainByTheSweepWhenTheirEventsWereLost) {
  RareSettings settings = nat_settings();
  NatEvents events(1);
  settings.nat.events = &events;
  Harness harness(1024, settings);
  harness.apply({nat_service("web", false, kProtoTcp, 80, {nat_backend("be1", backend_of(false))})});
  NatEvent event;
  event.ended = true;
  ASSERT_TRUE(events.push(event));  // full
  const auto pass = [&](const PacketBuilder& b) { return harness.run(b); };
  const Answer syn = pass(packet().v4(client_of(false), vip_of(false)).tcp(5555, 80).syn());
  const Route route = route_of(syn.frame);
  pass(packet().v4(route.destination, route.source).tcp(80, route.source_port).flags(kTcpSyn | kTcpAck));
  pass(packet().v4(client_of(false), vip_of(false)).tcp(5555, 80).ack());
  EXPECT_EQ(events.dropped(), 1U);
  ASSERT_TRUE(events.pop(event));
  ASSERT_FALSE(events.pop(event));
  for (int i = 0; i < 80 && !events.pop(event); ++i) {
    harness.now = harness.now + Nanoseconds(std::uint64_t{1} << kTickShift);
    harness.idle();
  }
  EXPECT_EQ(event.record.client.source_port.host(), 5555);
  EXPECT_FALSE(event.ended);
}

}  // namespace
}  // namespace penstock::test
