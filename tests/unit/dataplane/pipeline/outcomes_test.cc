// What becomes of every kind of packet: a table of {what, packet in, outcome}.

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {
namespace {

struct Case {
  const char* what;
  PacketBuilder in;
  Outcome outcome;
};

PacketBuilder vip4() { return packet().v4("198.51.100.7", "203.0.113.10"); }
PacketBuilder vip6() { return packet().v6("2001:db8:c11e::7", "2001:db8:beef::10"); }
PacketBuilder stranger4() { return packet().v4("198.51.100.7", "192.0.2.99"); }
PacketBuilder stranger6() { return packet().v6("2001:db8:c11e::7", "2001:db8::99"); }

constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kDestinationOptions = 60;

Bytes extension(std::uint8_t next, std::uint8_t units = 0) {
  Bytes out(8 * (units + std::size_t{1}), 0);
  out[0] = next;
  out[1] = units;
  return out;
}
Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::vector<Case> cases() {
  const Bytes five = extension(kDestinationOptions) + extension(kDestinationOptions) +
                     extension(kDestinationOptions) + extension(kDestinationOptions) + extension(kProtoTcp);
  return {
      {"TCP to a service", vip4().tcp(1, 80).syn(), Outcome::kForwarded},
      {"UDP to a service", vip4().udp(1, 7), Outcome::kForwarded},
      {"TCP to a service, IPv6", vip6().tcp(1, 80).syn(), Outcome::kForwarded},
      {"UDP to a service, IPv6", vip6().udp(1, 7), Outcome::kForwarded},
      {"IPv4 options", vip4().options(8).tcp(1, 80), Outcome::kForwarded},
      {"full options", vip4().options(40).udp(1, 7), Outcome::kForwarded},
      {"hop-by-hop options", vip6().tcp(1, 80).extensions(kHopByHop, extension(kProtoTcp)),
       Outcome::kForwarded},
      {"long destination options", vip6().udp(1, 7).extensions(kDestinationOptions, extension(kProtoUdp, 2)),
       Outcome::kForwarded},
      {"TCP flags that cannot be", vip4().tcp(1, 80).flags(0xff), Outcome::kForwarded},

      {"another address", stranger4().tcp(1, 80), Outcome::kNotVip},
      {"another address, IPv6", stranger6().tcp(1, 80), Outcome::kNotVip},
      {"another address, fragment", stranger4().tcp(1, 80).fragment(kIpv4MoreFragments), Outcome::kNotVip},
      {"another address, ICMP", stranger4().other(kProtoIcmp), Outcome::kNotVip},
      {"another address, ICMPv6", stranger6().other(kProtoIcmpv6), Outcome::kNotVip},
      {"another address, TTL 1", stranger4().tcp(1, 80).ttl(1), Outcome::kNotVip},
      {"another address, cut in its transport", stranger4().tcp(1, 80).cut_to(40), Outcome::kNotVip},
      {"ARP", vip4().other(0, 28).ether_type(kEtherTypeArp), Outcome::kNotVip},
      {"VLAN tag", vip4().tcp(1, 80).ether_type(kEtherTypeVlan), Outcome::kNotVip},
      {"LLDP, header only", vip4().ether_type(0x88cc).cut_to(14), Outcome::kNotVip},

      {"empty frame", vip4().cut_to(0), Outcome::kTruncated},
      {"half an Ethernet header", vip4().cut_to(13), Outcome::kTruncated},
      {"IPv4 without a header", vip4().tcp(1, 80).cut_to(14), Outcome::kTruncated},
      {"IPv4 cut before its last address byte", vip4().tcp(1, 80).cut_to(33), Outcome::kTruncated},
      {"IPv6 cut before its last address byte", vip6().tcp(1, 80).cut_to(53), Outcome::kTruncated},
      {"IPv4 shorter than it says", vip4().tcp(1, 80).payload(10).cut_to(63), Outcome::kTruncated},
      {"IPv6 shorter than it says", vip6().tcp(1, 80).payload(10).cut_to(83), Outcome::kTruncated},
      {"IPv4 that claims 64 KiB", vip4().tcp(1, 80).ip_length(65535), Outcome::kTruncated},
      {"IPv6 that claims 64 KiB", vip6().tcp(1, 80).ip_length(65535), Outcome::kTruncated},

      {"version 5", vip4().tcp(1, 80).version_ihl(0x55), Outcome::kBadHeader},
      {"version 6 under IPv4's type", vip4().tcp(1, 80).version_ihl(0x65), Outcome::kBadHeader},
      {"version 4 under IPv6's type", vip6().tcp(1, 80).version_ihl(0x40), Outcome::kBadHeader},
      {"IHL 4", vip4().tcp(1, 80).version_ihl(0x44), Outcome::kBadHeader},
      {"IHL 0", vip4().tcp(1, 80).version_ihl(0x40), Outcome::kBadHeader},

      {"total length 0", vip4().tcp(1, 80).ip_length(0), Outcome::kBadLength},
      {"total length below the header", vip4().tcp(1, 80).ip_length(19), Outcome::kBadLength},
      {"IHL beyond the total length", vip4().udp(1, 7).version_ihl(0x4f), Outcome::kBadLength},
      {"half a TCP header", vip4().tcp(1, 80).ip_length(39), Outcome::kBadLength},
      {"half a UDP header", vip4().udp(1, 7).ip_length(27), Outcome::kBadLength},
      {"half a TCP header, IPv6", vip6().tcp(1, 80).ip_length(19), Outcome::kBadLength},
      {"no payload, IPv6", vip6().tcp(1, 80).ip_length(0), Outcome::kBadLength},
      {"extension header beyond the packet",
       vip6().tcp(1, 80).extensions(kHopByHop, extension(kProtoTcp, 200)).ip_length(28), Outcome::kBadLength},
      {"extension header in the last byte",
       vip6().extensions(kHopByHop, Bytes{kProtoTcp}).other(kProtoTcp, 0), Outcome::kBadLength},

      {"TTL 1", vip4().tcp(1, 80).ttl(1), Outcome::kTtlExpired},
      {"TTL 0", vip4().udp(1, 7).ttl(0), Outcome::kTtlExpired},
      {"hop limit 1", vip6().tcp(1, 80).ttl(1), Outcome::kTtlExpired},
      {"hop limit 0", vip6().udp(1, 7).ttl(0), Outcome::kTtlExpired},

      {"first fragment", vip4().tcp(1, 80).payload(4).fragment(kIpv4MoreFragments), Outcome::kForwarded},
      {"last fragment before its first", vip4().udp(1, 7).fragment(185), Outcome::kHeld},

      {"DF set, not a fragment", vip4().tcp(1, 80).fragment(kIpv4DontFragment), Outcome::kForwarded},

      {"routing header with nothing left to visit",
       vip6().tcp(1, 80).extensions(kRouting, extension(kProtoTcp)), Outcome::kForwarded},
      {"routing header type 0 with a hop left",
       vip6().tcp(1, 80).extensions(kRouting, Bytes{kProtoTcp, 0, 0, 1, 0, 0, 0, 0}),
       Outcome::kExtensionHeader},
      {"routing header type 4 with a hop left",
       vip6().tcp(1, 80).extensions(kRouting, Bytes{kProtoTcp, 0, 4, 1, 0, 0, 0, 0}),
       Outcome::kExtensionHeader},
      {"hop-by-hop options behind others",
       vip6().tcp(1, 80).extensions(kDestinationOptions, extension(kHopByHop) + extension(kProtoTcp)),
       Outcome::kExtensionHeader},
      {"atomic fragment", vip6().tcp(1, 80).extensions(kProtoFragment, extension(kProtoTcp)),
       Outcome::kForwarded},
      {"atomic fragment behind and before options",
       vip6().udp(1, 7).extensions(
           kHopByHop, extension(kProtoFragment) + extension(kDestinationOptions) + extension(kProtoUdp)),
       Outcome::kForwarded},
      {"five extension headers", vip6().tcp(1, 80).extensions(kDestinationOptions, five),
       Outcome::kExtensionHeader},

      {"ICMP to a VIP", vip4().other(kProtoIcmp), Outcome::kIcmp},
      {"ICMPv6 to a VIP", vip6().other(kProtoIcmpv6), Outcome::kIcmp},

      {"VIP, another port", vip4().tcp(1, 81), Outcome::kNoSuchService},
      {"VIP, the port's other protocol", vip4().udp(1, 80), Outcome::kNoSuchService},
      {"VIP, port 0", vip4().tcp(1, 0), Outcome::kNoSuchService},
      {"VIP, GRE", vip4().other(kProtoGre), Outcome::kNoSuchService},
      {"VIP, protocol 0", vip4().other(0, 40), Outcome::kNoSuchService},
      {"VIP, another port, IPv6", vip6().tcp(1, 81), Outcome::kNoSuchService},
      {"VIP, no next header", vip6().other(59, 0), Outcome::kNoSuchService},

      {"backend without a neighbour", vip4().tcp(1, 8080), Outcome::kNoNextHop},
      {"service without a willing backend", vip4().tcp(1, 9090).syn(), Outcome::kNoBackendLeft},
      {"largest packet that fits", vip4().udp(1, 7).payload(1600 - 20 - 16 - 28), Outcome::kForwarded},
      {"a byte more, which may be fragmented", vip4().udp(1, 7).payload(1600 - 20 - 16 - 28 + 1),
       Outcome::kForwarded},
      {"a byte more", vip4().udp(1, 7).payload(1600 - 20 - 16 - 28 + 1).fragment(kIpv4DontFragment),
       Outcome::kAnswered},
      {"a byte more, of nobody who may be told",
       packet().v4("240.0.0.1", "203.0.113.10").udp(1, 7).payload(1600).fragment(kIpv4DontFragment),
       Outcome::kTooBig},
  };
}

std::vector<ServiceDocument> services() {
  return {
      service("web", "203.0.113.10", kProtoTcp, 80, Encap::kGue,
              {{"be1", ip("10.0.0.1")}, {"be2", ip("10.0.0.2")}}),
      service("echo", "203.0.113.10", kProtoUdp, 7, Encap::kGue, {{"be1", ip("10.0.0.1")}}),
      service("web6", "2001:db8:beef::10", kProtoTcp, 80, Encap::kIpip, {{"be1", ip("2001:db8:1::1")}}),
      service("echo6", "2001:db8:beef::10", kProtoUdp, 7, Encap::kGue, {{"be1", ip("10.0.0.1")}}),
      service("lost", "203.0.113.10", kProtoTcp, 8080, Encap::kIpip, {{"be1", ip("10.0.0.9")}}),
      service("idle", "203.0.113.10", kProtoTcp, 9090, Encap::kGue,
              {{"be1", ip("10.0.0.1"), 0}, {"be2", ip("10.0.0.2"), 5, true}}),
  };
}

TEST(Outcomes, AreWhatTheTableSays) {
  for (const Case& c : cases()) {
    Harness harness;
    harness.apply(services(), {"10.0.0.9"});
    const Bytes in = c.in.build();
    const Answer answer = harness.run({in}).front();
    EXPECT_EQ(outcome_metric(answer.outcome), outcome_metric(c.outcome)) << c.what;
    if (answer.outcome != Outcome::kForwarded && answer.outcome != Outcome::kAnswered) {
      EXPECT_EQ(answer.frame, in) << c.what << ": only packets that leave may be changed";
    }
    EXPECT_EQ(harness.count(c.outcome), 1U) << c.what;
    EXPECT_EQ(harness.counters().received.read(), 1U) << c.what;
    EXPECT_EQ(harness.sum_of_outcomes(), 1U) << c.what;
  }
}

TEST(Outcomes, AreTheSameForAWholeBurstAsForSinglePackets) {
  Harness harness;
  harness.apply(services(), {"10.0.0.9"});
  const auto all = cases();
  std::vector<Bytes> frames;
  for (const Case& c : all) frames.push_back(c.in.build());
  for (std::size_t from = 0; from < all.size(); from += kMaxBurst) {
    const std::size_t to = std::min(all.size(), from + kMaxBurst);
    const auto answers =
        harness.run({frames.begin() + static_cast<long>(from), frames.begin() + static_cast<long>(to)});
    for (std::size_t i = from; i < to; ++i) {
      EXPECT_EQ(outcome_metric(answers[i - from].outcome), outcome_metric(all[i].outcome)) << all[i].what;
    }
  }
  EXPECT_EQ(harness.sum_of_outcomes(), all.size());
}

TEST(Outcomes, WithoutAnyConfigurationEverythingReadableIsTheKernels) {
  Harness harness;
  EXPECT_EQ(harness.run(vip4().tcp(1, 80)).outcome, Outcome::kNotVip);
  EXPECT_EQ(harness.run(vip6().tcp(1, 80)).outcome, Outcome::kNotVip);
  EXPECT_EQ(harness.run(vip4().cut_to(20)).outcome, Outcome::kTruncated);
}

TEST(Outcomes, PacketWithoutHeadroomIsDroppedUnchanged) {
  Harness harness;
  harness.apply(services());
  const Bytes in = vip4().tcp(1, 80).build();
  const Answer answer = harness.run({in}, kRequiredHeadroom - 1).front();
  EXPECT_EQ(answer.outcome, Outcome::kNoHeadroom);
  EXPECT_EQ(answer.frame, in);
  EXPECT_EQ(harness.run({in}, kRequiredHeadroom).front().outcome, Outcome::kForwarded);
}

TEST(Outcomes, EthernetPaddingIsNotForwarded) {
  Harness harness;
  harness.apply(services());
  const Answer plain = harness.run(vip4().tcp(1, 80).syn());
  const Answer padded = harness.run(vip4().tcp(1, 80).syn().pad_to(60));
  EXPECT_EQ(padded.frame, plain.frame);
  EXPECT_EQ(padded.frame.size(), 14 + 20 + 16 + 40U);
}

// The checksum that RFC 791 defines, to the bit: 0x0000 and 0xffff are not the same here.
void expect_exact_checksum(const std::uint8_t* ip, const std::string& what) {
  Bytes header(ip, ip + 20);
  header[10] = header[11] = 0;
  const be16 expected = checksum(header.data(), header.size());
  be16 actual;
  std::memcpy(&actual, ip + 10, sizeof actual);
  ASSERT_EQ(actual.host(), expected.host()) << what;
}

// RFC 1624's corner cases: within a round the identification takes every value and nothing else changes, so
// the inner checksum takes every value, too.
TEST(Outcomes, InnerAndOuterChecksumsAreExactForEveryChecksumAndTtl) {
  Harness harness(1024);
  harness.apply(services());
  for (std::uint32_t n = 0; n < 65'536 + 254; ++n) {
    const std::uint32_t id = n % 65'536;
    const auto ttl = static_cast<std::uint8_t>(n < 65'536 ? 64 : 2 + id);
    const std::size_t length = n < 65'536 ? 0 : id;
    Bytes frame = vip4().udp(1, 7).ttl(ttl).payload(length).build();
    const be16 raw_id(static_cast<std::uint16_t>(id));
    std::memcpy(frame.data() + 14 + 4, &raw_id, 2);
    std::memset(frame.data() + 14 + 10, 0, 2);
    const be16 sum = checksum(frame.data() + 14, 20);
    std::memcpy(frame.data() + 14 + 10, &sum, 2);
    const Answer answer = harness.run({frame}).front();
    ASSERT_EQ(answer.outcome, Outcome::kForwarded);
    const std::uint8_t* inner = answer.frame.data() + 50;
    ASSERT_EQ(inner[8], ttl - 1);
    ASSERT_NO_FATAL_FAILURE(expect_exact_checksum(inner, "inner, id " + std::to_string(id)));
    ASSERT_NO_FATAL_FAILURE(
        expect_exact_checksum(answer.frame.data() + 14, "outer, id " + std::to_string(id)));
  }
}

// Garbage in every shape: headers of real packets with bytes flipped, cut and extended. Each packet must end
// in exactly one outcome, within its buffer (AddressSanitizer watches: buffers are as long as the frames).
TEST(Outcomes, RandomGarbageEndsInExactlyOneOutcome) {
  const std::uint64_t seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  Harness harness;
  harness.apply(services(), {"10.0.0.9"});
  const auto all = cases();
  std::uint64_t sent = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<Bytes> frames;
    const std::size_t count = random() % (kMaxBurst + 1);
    for (std::size_t i = 0; i < count; ++i) {
      Bytes frame = all[random() % all.size()].in.build();
      for (std::uint64_t flips = random() % 5; flips > 0 && !frame.empty(); --flips) {
        frame[random() % std::min<std::size_t>(frame.size(), 80)] = static_cast<std::uint8_t>(random());
      }
      if (random() % 4 == 0)
        frame.resize(random() % (frame.size() + 40), static_cast<std::uint8_t>(random()));
      frames.push_back(std::move(frame));
    }
    const auto answers = harness.run(frames);
    for (const Answer& a : answers) ASSERT_LT(static_cast<std::size_t>(a.outcome), kOutcomeCount);
    sent += count;
  }
  EXPECT_EQ(harness.counters().received.read(), sent);
  EXPECT_EQ(harness.sum_of_outcomes(), sent);
  EXPECT_GT(harness.count(Outcome::kForwarded), sent / 20);
  EXPECT_GT(harness.count(Outcome::kNotVip), sent / 20);
}

TEST(Outcomes, AreDeclaredWithDistinctMetrics) {
  std::set<std::string_view> metrics(kOutcomeMetrics.begin(), kOutcomeMetrics.end());
  EXPECT_EQ(metrics.size(), kOutcomeCount);
  EXPECT_EQ(outcome_metric(Outcome::kForwarded), "forwarded");
  EXPECT_EQ(outcome_metric(Outcome::kTxFull), "dropped_tx_full");
}

}  // namespace
}  // namespace penstock::test
