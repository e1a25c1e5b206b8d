// Packets that do not fit, encapsulated, towards their backend: who is told, and what leaves in fragments.

#include <gtest/gtest.h>

#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {
namespace {

constexpr std::size_t kOverhead = 36;  // IPv4, UDP and GUE

std::vector<ServiceDocument> services(TooBig policy = TooBig::kReply) {
  std::vector<ServiceDocument> out = {
      service("four", "203.0.113.10", kProtoUdp, 53, Encap::kGue, {{"be", ip("10.0.0.1")}}),
      service("four-over-six", "203.0.113.10", kProtoUdp, 54, Encap::kGue, {{"be", ip("2001:db8:1::1")}}),
      service("six", "2001:db8:beef::10", kProtoUdp, 53, Encap::kIpip, {{"be", ip("10.0.0.1")}}),
      service("six-over-six", "2001:db8:beef::10", kProtoUdp, 54, Encap::kIpip,
              {{"be", ip("2001:db8:1::1")}}),
  };
  for (auto& s : out) s.forwarding.too_big = policy;
  return out;
}

PacketBuilder four(std::uint16_t port, std::size_t payload) {
  return packet().v4("198.51.100.7", "203.0.113.10").udp(4000, port).payload(payload);
}
PacketBuilder six(std::uint16_t port, std::size_t payload) {
  return packet().v6("2001:db8:c11e::7", "2001:db8:beef::10").udp(4000, port).payload(payload);
}
PacketBuilder with_df(PacketBuilder builder) { return builder.fragment(kIpv4DontFragment); }

std::uint32_t read16(const Bytes& b, std::size_t at) { return b.at(at) << 8U | b.at(at + 1); }

TEST(TooBig, SenderWithDfIsToldWhatFits) {
  Harness harness;
  harness.mtu = 1500;
  harness.apply(services());
  const Bytes in = with_df(four(53, 1472)).build();
  const Answer a = harness.run({in}).front();
  ASSERT_EQ(a.outcome, Outcome::kAnswered);
  EXPECT_EQ(a.port, Harness::kIngressPort);
  EXPECT_EQ(a.frame.size(), 14 + 576U);
  EXPECT_EQ(read16(a.frame, 14 + 20 + 6), 1500 - kOverhead);
  EXPECT_EQ(Bytes(a.frame.begin() + 14 + 28, a.frame.end()), Bytes(in.begin() + 14, in.begin() + 14 + 548));
  // What fits is what the sender was told.
  EXPECT_EQ(harness.run(with_df(four(53, 1500 - kOverhead - 28))).outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.run(with_df(four(53, 1500 - kOverhead - 27))).outcome, Outcome::kAnswered);
}

TEST(TooBig, SenderOverIpv6IsToldNoLessThan1280) {
  Harness harness;
  harness.mtu = 1280;
  harness.apply(services());
  const Answer a = harness.run(six(53, 1300));
  ASSERT_EQ(a.outcome, Outcome::kAnswered);
  EXPECT_EQ(a.frame.size(), 14 + 1280U);
  EXPECT_EQ(read16(a.frame, 14 + 40 + 6), 1280U);
  // Nor can it do with less: what it may send must pass.
  const Answer least = harness.run(six(53, 1280 - 48));
  EXPECT_EQ(least.outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.extra.size(), 1U);
}

TEST(TooBig, AnswersAreRationed) {
  Harness harness;
  harness.mtu = 1500;
  harness.apply(services());
  for (std::uint64_t i = 0; i < 2 * kAnswersAtOnce; ++i) harness.run(with_df(four(53, 1472)));
  EXPECT_EQ(harness.count(Outcome::kAnswered), kAnswersAtOnce);
  EXPECT_EQ(harness.count(Outcome::kIcmpLimited), kAnswersAtOnce);
}

TEST(TooBig, NobodyIsToldWhoMustNotBe) {
  Harness harness;
  harness.mtu = 1500;
  harness.apply(services());
  EXPECT_EQ(harness.run(with_df(packet().v4("224.0.0.1", "203.0.113.10").udp(1, 53).payload(1472))).outcome,
            Outcome::kTooBig);
  Bytes broadcast = with_df(four(53, 1472)).build();
  broadcast[0] = 0xff;
  EXPECT_EQ(harness.run({broadcast}).front().outcome, Outcome::kTooBig);
  // IPv6 fragments: the first one is answered, the others are not.
  const auto fragment = [](std::uint8_t high, std::uint8_t low) {
    return packet()
        .v6("2001:db8:c11e::7", "2001:db8:beef::10")
        .udp(4000, 53)
        .payload(1440)
        .extensions(kProtoFragment, {kProtoUdp, 0, high, low, 0, 0, 0, 9});
  };
  EXPECT_EQ(harness.run(fragment(0, 1)).outcome, Outcome::kAnswered);
  EXPECT_EQ(harness.run(fragment(1448 >> 8, (1448 & 0xf8) | 1)).outcome, Outcome::kTooBig);
}

// Puts the pieces of an outer packet together again, as RFC 791 and RFC 8200 tell a receiver to.
class Reassembly {
 public:
  void add(const Bytes& frame, std::size_t mtu) {
    const bool v6 = frame.at(12) == 0x86;
    ASSERT_LE(frame.size() - 14, mtu);
    const std::size_t headers = v6 ? 54 : 34;
    if (v6) {
      ASSERT_EQ(frame.at(20), kProtoFragment);
      next_header = frame.at(headers);
      ASSERT_EQ(read16(frame, 18) + 40, frame.size() - 14);
    } else {
      ASSERT_EQ(read16(frame, 16), frame.size() - 14);
      ASSERT_EQ(checksum(frame.data() + 14, 20).host(), 0) << "a checksum over itself is 0";
      ASSERT_EQ(frame.at(20) & 0x40, 0) << "DF";
    }
    const std::uint32_t word = v6 ? read16(frame, 56) : read16(frame, 20);
    const std::size_t offset = v6 ? word & 0xfff8U : (word & 0x1fffU) * 8;
    const bool more = v6 ? (word & 1U) != 0 : (word & 0x2000U) != 0;
    const std::size_t begin = v6 ? 62 : 34;
    const std::uint32_t its_id = v6 ? read16(frame, 58) << 16 | read16(frame, 60) : read16(frame, 18);
    if (count++ == 0) id = its_id;
    EXPECT_EQ(id, its_id);
    if (payload.size() < offset + frame.size() - begin) payload.resize(offset + frame.size() - begin);
    std::copy(frame.begin() + static_cast<long>(begin), frame.end(),
              payload.begin() + static_cast<long>(offset));
    bytes += frame.size() - begin;
    if (more) {
      EXPECT_EQ((frame.size() - begin) % 8, 0U);
    } else {
      total = offset + frame.size() - begin;
    }
    addresses =
        v6 ? Bytes(frame.begin() + 22, frame.begin() + 54) : Bytes(frame.begin() + 26, frame.begin() + 34);
  }
  [[nodiscard]] bool complete() const { return total == bytes && total == payload.size(); }

  Bytes payload;
  Bytes addresses;
  std::uint32_t id = 0;
  std::size_t count = 0;
  std::size_t bytes = 0;
  std::size_t total = 0;
  std::uint8_t next_header = 0;
};

void expect_fragments(const PacketBuilder& in, TooBig policy, std::size_t pieces) {
  Harness wide;
  wide.mtu = 9000;
  wide.apply(services(policy));
  const Answer whole = wide.run(in);
  ASSERT_EQ(whole.outcome, Outcome::kForwarded);
  Harness narrow;
  narrow.mtu = 1500;
  narrow.apply(services(policy));
  const Answer first = narrow.run(in);
  ASSERT_EQ(first.outcome, Outcome::kForwarded);
  EXPECT_EQ(narrow.extra.size() + 1, pieces);
  Reassembly r;
  ASSERT_NO_FATAL_FAILURE(r.add(first.frame, 1500));
  for (const Extra& e : narrow.extra) {
    EXPECT_EQ(e.port, first.port);
    ASSERT_NO_FATAL_FAILURE(r.add(e.frame, 1500));
    EXPECT_EQ(Bytes(e.frame.begin(), e.frame.begin() + 14),
              Bytes(first.frame.begin(), first.frame.begin() + 14));
  }
  EXPECT_TRUE(r.complete());
  const std::size_t headers = whole.frame.at(12) == 0x86 ? 54 : 34;
  EXPECT_EQ(r.payload, Bytes(whole.frame.begin() + static_cast<long>(headers), whole.frame.end()));
  if (headers == 54) {
    EXPECT_EQ(r.next_header, whole.frame.at(20));
  }
}

TEST(TooBig, PacketsWithoutDfLeaveInFragments) {
  expect_fragments(four(53, 1472), TooBig::kReply, 2);
  expect_fragments(four(54, 1472), TooBig::kReply, 2);
  expect_fragments(four(53, 4000), TooBig::kReply, 3);
}

TEST(TooBig, AllLeaveInFragmentsWhereThePoolSaysSo) {
  expect_fragments(with_df(four(53, 1472)), TooBig::kFragment, 2);
  expect_fragments(with_df(four(54, 1472)), TooBig::kFragment, 2);
  expect_fragments(six(53, 1452), TooBig::kFragment, 2);
  expect_fragments(six(54, 1452), TooBig::kFragment, 2);
  expect_fragments(six(54, 7000), TooBig::kFragment, 5);
}

TEST(TooBig, FragmentedPacketsHaveIdentificationsOfTheirOwn) {
  Harness harness;
  harness.mtu = 1500;
  harness.apply(services());
  std::set<std::uint32_t> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(read16(harness.run(four(53, 1472)).frame, 18));
  EXPECT_EQ(ids.size(), 1000U);
}

TEST(TooBig, WithoutFramesToSpareNothingLeaves) {
  Harness harness;
  harness.mtu = 1500;
  harness.apply(services());
  harness.frames().room_left = 1;
  EXPECT_EQ(harness.run(four(53, 4000)).outcome, Outcome::kTooBig);
  EXPECT_TRUE(harness.extra.empty());
}

TEST(TooBig, ErrorsThatDoNotFitAreNeitherLostNorAnswered) {
  Harness harness;
  harness.mtu = 1500;
  harness.apply(services());
  Bytes quote = packet().v4("203.0.113.10", "198.51.100.7").udp(53, 4000).payload(1440).build();
  Bytes frame =
      with_df(packet().v4("192.0.2.200", "203.0.113.10")).other(kProtoIcmp, 8 + quote.size() - 14).build();
  frame[34] = 3;
  std::copy(quote.begin() + 14, quote.end(), frame.begin() + 42);
  EXPECT_EQ(harness.run({frame}).front().outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.extra.size(), 1U);
}

}  // namespace
}  // namespace penstock::test
