// VLAN tags: looked through, and put back as the egress port's rule says.

#include <gtest/gtest.h>

#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {
namespace {

using Action = VlanRule::Action;

const Bytes kOne = {0x81, 0x00, 0x60, 0x64};  // priority 3, VLAN 100
const Bytes kQinq = {0x88, 0xa8, 0x00, 0x0a, 0x81, 0x00, 0x00, 0x14};
const Bytes kTwo = {0x81, 0x00, 0x00, 0x0a, 0x81, 0x00, 0x00, 0x14};
constexpr std::uint16_t kEgressPort = 3;  // the harness's next hops

Bytes tagged(Bytes frame, const Bytes& tags) {
  frame.insert(frame.begin() + 12, tags.begin(), tags.end());
  return frame;
}
std::vector<ServiceDocument> services() {
  return {service("web", "203.0.113.10", kProtoTcp, 80, Encap::kGue, {{"be", ip("10.0.0.1")}}),
          service("web6", "2001:db8:beef::10", kProtoTcp, 80, Encap::kIpip, {{"be", ip("2001:db8:1::1")}})};
}

RareSettings rules(VlanRule rule) {
  RareSettings out;
  out.vlan_rules.resize(kEgressPort + 1);
  out.vlan_rules[kEgressPort] = rule;
  return out;
}

std::vector<Bytes> packets() {
  return {packet().v4("198.51.100.7", "203.0.113.10").tcp(1, 80).build(),
          packet().v4("198.51.100.7", "203.0.113.10").tcp(1, 80).options(8).build(),
          packet().v6("2001:db8:c11e::7", "2001:db8:beef::10").tcp(1, 80).build(),
          packet().v4("198.51.100.7", "203.0.113.10").tcp(1, 80).pad_to(100).build()};
}

TEST(Vlan, TagsAreKeptAroundTheOuterPacket) {
  for (const Bytes& tags : {kOne, kQinq, kTwo}) {
    for (const Bytes& frame : packets()) {
      Harness harness;
      harness.apply(services());
      const Answer plain = harness.run({frame}).front();
      const Answer a = harness.run({tagged(frame, tags)}).front();
      ASSERT_EQ(a.outcome, Outcome::kForwarded);
      EXPECT_EQ(a.frame, tagged(plain.frame, tags));
    }
  }
}

TEST(Vlan, RuleOfTheEgressPortStripsOrReplaces) {
  const Bytes frame = packets()[0];
  Harness strip(4096, rules({Action::kStrip, 0, {}}));
  strip.apply(services());
  const Answer plain = strip.run({frame}).front();
  EXPECT_EQ(strip.run({tagged(frame, kQinq)}).front().frame, plain.frame);

  Harness replace(4096, rules({Action::kReplace, 4, {0x81, 0x00, 0x00, 0x07}}));
  replace.apply(services());
  EXPECT_EQ(replace.run({tagged(frame, kQinq)}).front().frame, tagged(plain.frame, {0x81, 0x00, 0x00, 0x07}));
  EXPECT_EQ(replace.run({frame}).front().frame, plain.frame) << "what came untagged leaves untagged";

  Harness widen(4096, rules({Action::kReplace, 8, {0x88, 0xa8, 0, 1, 0x81, 0x00, 0, 2}}));
  widen.apply(services());
  EXPECT_EQ(widen.run({tagged(frame, kOne)}).front().frame,
            tagged(plain.frame, {0x88, 0xa8, 0, 1, 0x81, 0x00, 0, 2}));
}

TEST(Vlan, AnswersKeepTheTagsTheyCameWith) {
  Bytes echo = packet().v4("198.51.100.7", "203.0.113.10").other(kProtoIcmp, 16).build();
  echo[34] = 8;
  Harness harness(4096, rules({Action::kStrip, 0, {}}));
  harness.apply(services());
  const Answer plain = harness.run({echo}).front();
  ASSERT_EQ(plain.outcome, Outcome::kAnswered);
  const Answer a = harness.run({tagged(echo, kQinq)}).front();
  ASSERT_EQ(a.outcome, Outcome::kAnswered);
  EXPECT_EQ(a.frame, tagged(plain.frame, kQinq));
}

TEST(Vlan, StrangersFramesStayAsTheyAre) {
  const Bytes frame = packet().v4("198.51.100.7", "192.0.2.1").tcp(1, 80).build();
  for (const Bytes& tags : {kOne, kQinq, kTwo}) {
    Harness harness;
    harness.apply(services());
    const Answer a = harness.run({tagged(frame, tags)}).front();
    EXPECT_EQ(a.outcome, Outcome::kNotVip);
    EXPECT_EQ(a.frame, tagged(frame, tags));
  }
  Harness harness;
  harness.apply(services());
  Bytes three = tagged(tagged(packets()[0], kTwo), kOne);
  EXPECT_EQ(harness.run({three}).front().outcome, Outcome::kNotVip);
}

TEST(Vlan, FrameThatEndsInATagIsTruncated) {
  Harness harness;
  harness.apply(services());
  const Bytes frame = tagged(packets()[0], kQinq);
  for (std::size_t size = 14; size < 22; ++size) {
    Bytes cut = frame;
    cut.resize(size);
    EXPECT_EQ(harness.run({cut}).front().outcome, Outcome::kTruncated) << size;
  }
}

TEST(Vlan, DroppedPacketsForNoServiceAreNotChanged) {
  Harness harness;
  harness.apply(services());
  const Bytes frame = tagged(packet().v4("198.51.100.7", "203.0.113.10").tcp(1, 81).build(), kQinq);
  const Answer a = harness.run({frame}).front();
  EXPECT_EQ(a.outcome, Outcome::kNoSuchService);
  EXPECT_EQ(a.frame, frame);
}

TEST(Vlan, HeldFragmentsLeaveWithTheirTags) {
  Harness harness;
  harness.apply({service("dns", "203.0.113.10", kProtoUdp, 53, Encap::kGue, {{"be", ip("10.0.0.1")}})});
  const auto part = [](std::uint16_t word) {
    return packet().v4("198.51.100.7", "203.0.113.10").udp(1, 53).payload(40).fragment(word).build();
  };
  ASSERT_EQ(harness.run({tagged(part(6), kTwo)}).front().outcome, Outcome::kHeld);
  ASSERT_EQ(harness.run({tagged(part(kIpv4MoreFragments), kTwo)}).front().outcome, Outcome::kForwarded);
  ASSERT_EQ(harness.extra.size(), 1U);
  EXPECT_EQ(Bytes(harness.extra[0].frame.begin() + 12, harness.extra[0].frame.begin() + 20), kTwo);
}

// Frames in several pieces, of which the pipeline sees the first.
TEST(Segments, PacketsPassWholeWithoutTheirPadding) {
  for (const std::size_t padding : {0U, 100U, 3000U}) {
    for (const std::size_t seen : {100U, 2000U, 8014U, 8020U}) {
      Harness harness;
      harness.mtu = 9000;
      harness.apply(services());
      const auto builder = packet().v4("198.51.100.7", "203.0.113.10").tcp(1, 80).payload(8000 - 40);
      PacketBuilder padded = builder;
      const Bytes frame = padded.pad_to(8014 + padding).build();
      const Answer whole = harness.run(builder);
      const Answer a = harness.run({frame}, kHeadroom, seen).front();
      ASSERT_EQ(a.outcome, Outcome::kForwarded) << seen;
      EXPECT_EQ(a.length, whole.frame.size()) << "seen " << seen << ", padding " << padding;
      EXPECT_EQ(a.frame, Bytes(whole.frame.begin(), whole.frame.begin() + static_cast<long>(a.frame.size())));
    }
  }
}

TEST(Segments, HeadersMustLieInTheFirst) {
  Harness harness;
  harness.apply(services());
  const Bytes frame = packet().v4("198.51.100.7", "203.0.113.10").tcp(1, 80).payload(500).build();
  EXPECT_EQ(harness.run({frame}, kHeadroom, 53).front().outcome, Outcome::kTruncated);
  EXPECT_EQ(harness.run({frame}, kHeadroom, 54).front().outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.run({frame}, kHeadroom, 33).front().outcome, Outcome::kTruncated);
}

TEST(Segments, EchoIsAnsweredWhole) {
  Harness harness;
  harness.apply(services());
  Bytes echo = packet().v4("198.51.100.7", "203.0.113.10").other(kProtoIcmp, 3000).build();
  echo[34] = 8;
  const Answer a = harness.run({echo}, kHeadroom, 200).front();
  EXPECT_EQ(a.outcome, Outcome::kAnswered);
  EXPECT_EQ(a.length, echo.size());
}

}  // namespace
}  // namespace penstock::test
