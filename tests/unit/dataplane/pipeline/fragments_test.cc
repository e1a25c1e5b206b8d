// Fragments through the whole pipeline: every part of a datagram goes to one backend, each by itself.

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {
namespace {

constexpr std::uint32_t kOverhead = 36;  // IPv4, UDP and GUE

std::vector<ServiceDocument> services() {
  std::vector<BackendDocument> list;
  for (int i = 1; i <= 20; ++i) list.push_back({"be" + std::to_string(i), ip("10.0.0." + std::to_string(i))});
  return {service("dns", "203.0.113.10", kProtoUdp, 53, Encap::kGue, list),
          service("dns6", "2001:db8:beef::10", kProtoUdp, 53, Encap::kGue, list),
          service("web", "203.0.113.10", kProtoTcp, 80, Encap::kGue, list)};
}

// A datagram to be sent in pieces.
struct Datagram4 {
  std::uint16_t id;
  std::uint16_t client_port = 4000;
  std::uint8_t protocol = kProtoUdp;
  std::size_t size = 3000;  // transport header included

  [[nodiscard]] Bytes body() const {
    PacketBuilder builder = packet().v4("198.51.100.7", "203.0.113.10");
    if (protocol == kProtoUdp) {
      builder.udp(client_port, 53).payload(size - 8);
    } else {
      builder.tcp(client_port, 80).syn().payload(size - 20);
    }
    const Bytes frame = builder.build();
    return {frame.begin() + 34, frame.end()};
  }
  [[nodiscard]] Bytes part(std::size_t offset, std::size_t length, bool more) const {
    const Bytes all = body();
    Bytes frame = packet()
                      .v4("198.51.100.7", "203.0.113.10")
                      .other(protocol, length)
                      .fragment(static_cast<std::uint16_t>(offset / 8 | (more ? kIpv4MoreFragments : 0)))
                      .build();
    frame[18] = static_cast<std::uint8_t>(id >> 8);
    frame[19] = static_cast<std::uint8_t>(id);
    for (std::size_t i = 0; i < length; ++i) frame[34 + i] = offset + i < all.size() ? all[offset + i] : 0xaa;
    return frame;
  }
};

struct Datagram6 {
  std::uint32_t id;

  [[nodiscard]] Bytes part(std::uint16_t offset, std::size_t length, bool more, const Bytes& before = {},
                           std::uint8_t first = kProtoFragment) const {
    const Bytes plain =
        packet().v6("2001:db8:c11e::7", "2001:db8:beef::10").udp(4000, 53).payload(3000).build();
    const std::uint16_t word = offset | (more ? 1 : 0);
    Bytes extension = before;
    const Bytes header = {kProtoUdp,
                          0,
                          static_cast<std::uint8_t>(word >> 8),
                          static_cast<std::uint8_t>(word),
                          static_cast<std::uint8_t>(id >> 24),
                          static_cast<std::uint8_t>(id >> 16),
                          static_cast<std::uint8_t>(id >> 8),
                          static_cast<std::uint8_t>(id)};
    extension.insert(extension.end(), header.begin(), header.end());
    Bytes frame = packet()
                      .v6("2001:db8:c11e::7", "2001:db8:beef::10")
                      .other(kProtoUdp, length)
                      .extensions(first, extension)
                      .build();
    std::copy_n(plain.begin() + 54 + offset, length, frame.end() - static_cast<long>(length));
    return frame;
  }
};

// The outer destination's last byte tells the backend.
std::uint8_t backend_of(const Bytes& frame) { return frame.at(33); }

TEST(Fragments, InOrderAllGoWhereThePortsSay) {
  for (std::uint16_t port = 1; port < 50; ++port) {
    Harness harness;
    harness.apply(services());
    const Datagram4 datagram{port, port};
    const Answer whole = harness.run(packet().v4("198.51.100.7", "203.0.113.10").udp(port, 53));
    for (const std::size_t offset : {0U, 1000U, 2000U}) {
      const Answer a = harness.run({datagram.part(offset, 1000, offset != 2000)}).front();
      ASSERT_EQ(a.outcome, Outcome::kForwarded) << offset;
      EXPECT_EQ(a.backend, whole.backend);
      EXPECT_EQ(a.frame.size(), 14 + kOverhead + 20 + 1000);
      EXPECT_EQ(Bytes(a.frame.begin() + 34, a.frame.begin() + 36),
                Bytes(whole.frame.begin() + 34, whole.frame.begin() + 36))
          << "one outer source port, so that they keep their order";
    }
    EXPECT_EQ(harness.flows().stats().size, 1U);
  }
}

TEST(Fragments, EarlyOnesWaitForTheFirstAndLeaveBehindIt) {
  Harness harness;
  harness.apply(services());
  const Datagram4 datagram{77};
  EXPECT_EQ(harness.run({datagram.part(2000, 1000, false)}).front().outcome, Outcome::kHeld);
  EXPECT_EQ(harness.run({datagram.part(1000, 1000, true)}).front().outcome, Outcome::kHeld);
  EXPECT_TRUE(harness.extra.empty());
  const Answer first = harness.run({datagram.part(0, 1000, true)}).front();
  ASSERT_EQ(first.outcome, Outcome::kForwarded);
  ASSERT_EQ(harness.extra.size(), 2U);
  for (const Extra& e : harness.extra) {
    EXPECT_EQ(e.port, first.port);
    EXPECT_EQ(backend_of(e.frame), backend_of(first.frame));
    EXPECT_EQ(e.frame.size(), 14 + kOverhead + 20 + 1000);
  }
  // The inner packet is what came, but for TTL and checksum.
  const Bytes came = datagram.part(2000, 1000, false);
  EXPECT_EQ(Bytes(harness.extra[0].frame.begin() + 14 + kOverhead + 12, harness.extra[0].frame.end()),
            Bytes(came.begin() + 14 + 12, came.end()));
  EXPECT_EQ(harness.counters().fragments_released.read(), 2U);
  EXPECT_EQ(harness.count(Outcome::kHeld), 2U);
  EXPECT_EQ(harness.sum_of_outcomes(), 3U);
  EXPECT_EQ(harness.counters().backend(first.backend).packets.read(), 3U);
}

TEST(Fragments, InOneBurstInAnyOrderAllLeave) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  Harness harness;
  harness.apply(services());
  for (std::uint16_t id = 1; id < 300; ++id) {
    const Datagram4 datagram{id, id};
    std::vector<Bytes> parts;
    for (std::size_t offset = 0; offset < 3000; offset += 600)
      parts.push_back(datagram.part(offset, 600, offset != 2400));
    std::shuffle(parts.begin(), parts.end(), random);
    std::set<std::uint8_t> backends;
    std::size_t left = 0;
    for (const Answer& a : harness.run(parts)) {
      if (a.outcome != Outcome::kForwarded) continue;
      backends.insert(backend_of(a.frame));
      ++left;
    }
    for (const Extra& e : harness.extra) backends.insert(backend_of(e.frame));
    EXPECT_EQ(left + harness.extra.size(), 5U);
    EXPECT_EQ(backends.size(), 1U);
  }
}

TEST(Fragments, OfIpv6FollowTheirFirstToo) {
  Harness harness;
  harness.apply(services());
  const Datagram6 datagram{0xdeadbeef};
  EXPECT_EQ(harness.run({datagram.part(1448, 800, false)}).front().outcome, Outcome::kHeld);
  const Answer first = harness.run({datagram.part(0, 720, true)}).front();
  ASSERT_EQ(first.outcome, Outcome::kForwarded);
  ASSERT_EQ(harness.extra.size(), 1U);
  EXPECT_EQ(backend_of(harness.extra[0].frame), backend_of(first.frame));
  // Behind options, as another path might have added them; the name is the same.
  const Answer second =
      harness.run({datagram.part(720, 728, true, {kProtoFragment, 0, 1, 4, 0, 0, 0, 0}, 0)}).front();
  ASSERT_EQ(second.outcome, Outcome::kForwarded);
  EXPECT_EQ(second.backend, first.backend);
}

TEST(Fragments, OverlapEndsTheDatagram) {
  Harness harness;
  harness.apply(services());
  const Datagram4 datagram{5};
  EXPECT_EQ(harness.run({datagram.part(0, 1000, true)}).front().outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.run({datagram.part(992, 1000, true)}).front().outcome, Outcome::kFragmentOverlap);
  EXPECT_EQ(harness.run({datagram.part(2000, 1000, false)}).front().outcome, Outcome::kFragmentOverlap);
}

TEST(Fragments, TinyOnesAreRefusedInAnyOrder) {
  Harness harness;
  harness.apply(services());
  const Datagram4 tcp{6, 4000, kProtoTcp};
  EXPECT_EQ(harness.run({tcp.part(8, 1000, false)}).front().outcome, Outcome::kFragmentOverlap);
  EXPECT_EQ(harness.run({tcp.part(0, 16, true)}).front().outcome, Outcome::kBadLength);
  EXPECT_EQ(harness.run({tcp.part(0, 24, true)}).front().outcome, Outcome::kForwarded);
  const Datagram6 udp{7};
  EXPECT_EQ(harness.run({udp.part(0, 8, true)}).front().outcome, Outcome::kForwarded);
}

TEST(Fragments, LengthsThatCannotBeAreRefused) {
  Harness harness;
  harness.apply(services());
  const Datagram4 datagram{8};
  EXPECT_EQ(harness.run({datagram.part(0, 1001, true)}).front().outcome, Outcome::kBadLength);
  EXPECT_EQ(harness.run({datagram.part(1000, 0, false)}).front().outcome, Outcome::kBadLength);
  EXPECT_EQ(harness.run({datagram.part(65528, 16, false)}).front().outcome, Outcome::kBadLength);
  EXPECT_EQ(harness.run({datagram.part(65520, 15, false)}).front().outcome, Outcome::kHeld);
}

TEST(Fragments, OfARefusedFirstGoNowhere) {
  Harness harness;
  harness.apply(services());
  const Bytes later = Datagram4{9}.part(1000, 1000, true);
  EXPECT_EQ(harness.run({later}).front().outcome, Outcome::kHeld);
  Bytes first = Datagram4{9}.part(0, 1000, true);
  first[37] = 54;  // destination port
  EXPECT_EQ(harness.run({first}).front().outcome, Outcome::kNoSuchService);
  EXPECT_TRUE(harness.extra.empty());
  EXPECT_EQ(harness.counters().fragments_lost.read(), 1U);
  EXPECT_EQ(harness.run({later}).front().outcome, Outcome::kFragment);
}

TEST(Fragments, ThatWaitInVainAreCountedOnce) {
  Harness harness;
  harness.apply(services());
  harness.run({Datagram4{10}.part(1000, 1000, false)});
  harness.now = harness.now + kFragmentTimeout;
  harness.run(packet().v4("198.51.100.7", "192.0.2.1").udp(1, 1));
  EXPECT_EQ(harness.counters().fragments_lost.read(), 1U);
  EXPECT_EQ(harness.run({Datagram4{10}.part(0, 1000, true)}).front().outcome, Outcome::kForwarded);
  EXPECT_TRUE(harness.extra.empty());
}

TEST(Fragments, WithoutRoomForExtraFramesAreCountedAsLost) {
  Harness harness;
  harness.apply(services());
  harness.run({Datagram4{11}.part(1000, 1000, false)});
  harness.frames().room_left = 0;
  EXPECT_EQ(harness.run({Datagram4{11}.part(0, 1000, true)}).front().outcome, Outcome::kForwarded);
  EXPECT_TRUE(harness.extra.empty());
  EXPECT_EQ(harness.counters().fragments_lost.read(), 1U);
}

TEST(Fragments, OfABackendThatIsGoneAreDropped) {
  Harness harness;
  harness.apply({service("dns", "203.0.113.10", kProtoUdp, 53, Encap::kGue, {{"old", ip("10.0.0.1")}})});
  ASSERT_EQ(harness.run({Datagram4{12}.part(0, 1000, true)}).front().outcome, Outcome::kForwarded);
  harness.apply({service("dns", "203.0.113.10", kProtoUdp, 53, Encap::kGue, {{"new", ip("10.0.0.2")}})});
  EXPECT_EQ(harness.run({Datagram4{12}.part(1000, 1000, false)}).front().outcome, Outcome::kFragment);
}

TEST(Fragments, ToAnotherAddressAreTheKernels) {
  Harness harness;
  harness.apply(services());
  Bytes frame = Datagram4{13}.part(1000, 1000, false);
  frame[33] = 11;
  EXPECT_EQ(harness.run({frame}).front().outcome, Outcome::kNotVip);
}

}  // namespace
}  // namespace penstock::test
