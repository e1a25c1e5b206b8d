// Encapsulation beyond what the vectors show: limits, segments, tags, and the outer UDP checksum.

#include <gtest/gtest.h>

#include <random>

#include "dataplane/pipeline/outer_checksum.h"
#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {
namespace {

// RFC 1071 as it is written: 16-bit words, big-endian, end-around carry.
std::uint32_t ones_sum(const Bytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i] << 8) | (i + 1 < bytes.size() ? bytes[i + 1] : 0U);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return sum;
}

Bytes pseudo_header(const Bytes& ip, std::uint8_t protocol, std::size_t length) {
  const bool v6 = ip[0] >> 4 == 6;
  Bytes out(ip.begin() + (v6 ? 8 : 12), ip.begin() + (v6 ? 40 : 20));
  out.insert(out.end(),
             {0, protocol, static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)});
  return out;
}

// 0xffff for a correct checksum.
std::uint32_t verify(const Bytes& ip, std::size_t header, std::uint8_t protocol) {
  Bytes covered = pseudo_header(ip, protocol, ip.size() - header);
  covered.insert(covered.end(), ip.begin() + static_cast<long>(header), ip.end());
  return ones_sum(covered);
}

void set_checksum(Bytes& ip, std::size_t header, std::uint8_t protocol) {
  const std::size_t field = header + (protocol == kProtoTcp ? 16 : 6);
  ip[field] = ip[field + 1] = 0;
  const std::uint32_t value = ~verify(ip, header, protocol) & 0xffff;
  const std::uint32_t sent = value == 0 && protocol == kProtoUdp ? 0xffff : value;
  ip[field] = static_cast<std::uint8_t>(sent >> 8);
  ip[field + 1] = static_cast<std::uint8_t>(sent);
}

struct Inner {
  Bytes frame;
  std::size_t header;
  std::uint8_t protocol;
};

Inner random_inner(std::mt19937_64& random, std::uint16_t port) {
  const bool v6 = random() % 2 == 0;
  const bool tcp = random() % 2 == 0;
  auto builder =
      v6 ? packet().v6("2001:db8:c11e::7", "2001:db8:beef::10") : packet().v4("198.51.100.7", "203.0.113.10");
  const auto client = static_cast<std::uint16_t>(random());
  if (tcp) {
    builder.tcp(client, port);
  } else {
    builder.udp(client, port);
  }
  const std::size_t options = v6 ? 0 : random() % 3 * 8;
  builder.payload(random() % 1200).traffic_class(static_cast<std::uint8_t>(random())).ttl(7);
  if (options != 0) builder.options(options);
  Inner out{builder.build(), (v6 ? 40 : 20) + options, tcp ? kProtoTcp : kProtoUdp};
  Bytes ip(out.frame.begin() + 14, out.frame.end());
  for (std::size_t i = out.header + (tcp ? 20 : 8); i < ip.size(); ++i)
    ip[i] = static_cast<std::uint8_t>(random());
  if (!tcp) {
    const std::size_t length = ip.size() - out.header;
    ip[out.header + 4] = static_cast<std::uint8_t>(length >> 8);
    ip[out.header + 5] = static_cast<std::uint8_t>(length);
  }
  if (tcp || random() % 4 != 0) set_checksum(ip, out.header, out.protocol);
  std::copy(ip.begin(), ip.end(), out.frame.begin() + 14);
  return out;
}

std::vector<ServiceDocument> with_checksums() {
  std::vector<ServiceDocument> out;
  for (const bool v6 : {false, true}) {
    for (const std::uint8_t protocol : {kProtoTcp, kProtoUdp}) {
      for (const std::uint16_t port : {90, 91, 92, 93}) {
        const Encap encap = port < 92 ? Encap::kGue : Encap::kVxlan;
        const std::string id = (v6 ? "v6-" : "v4-") + std::to_string(protocol) + "-" + std::to_string(port);
        ServiceDocument one = service(id, v6 ? "2001:db8:beef::10" : "203.0.113.10", protocol, port, encap,
                                      {{"be1", ip(port % 2 == 0 ? "10.0.1.1" : "2001:db8:1::1")}});
        one.forwarding.udp_checksum = true;
        one.forwarding.vxlan_vni = 7;
        out.push_back(one);
      }
    }
  }
  return out;
}

Bytes outer_ip(const Answer& answer) { return {answer.frame.begin() + 14, answer.frame.end()}; }
std::size_t outer_header(const Bytes& ip) { return ip[0] >> 4 == 6 ? 40 : 20; }
std::uint32_t checksum_field(const Bytes& ip) {
  const std::size_t at = outer_header(ip) + 6;
  return static_cast<std::uint32_t>(ip[at] << 8 | ip[at + 1]);
}

TEST(OuterChecksum, IsRightForRandomPacketsOfEveryKind) {
  const std::uint64_t seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  Harness harness;
  harness.apply(with_checksums());
  for (int i = 0; i < 4000; ++i) {
    const Inner inner = random_inner(random, static_cast<std::uint16_t>(90 + random() % 4));
    const Answer answer = harness.run({inner.frame}).front();
    ASSERT_EQ(answer.outcome, Outcome::kForwarded);
    const Bytes ip = outer_ip(answer);
    ASSERT_NE(checksum_field(ip), 0U);
    ASSERT_EQ(verify(ip, outer_header(ip), kProtoUdp), 0xffffU) << "packet " << i;
  }
}

// The outer checksum must not vouch for a segment that was damaged on its way here.
TEST(OuterChecksum, DamagedSegmentStaysDamaged) {
  std::mt19937_64 random(7);
  Harness harness;
  harness.apply(with_checksums());
  int damaged = 0;
  for (int i = 0; i < 200; ++i) {
    Inner inner = random_inner(random, 90);
    const std::size_t at = 14 + inner.header;
    const bool has_checksum = inner.protocol == kProtoTcp || (inner.frame[at + 6] | inner.frame[at + 7]) != 0;
    if (!has_checksum) continue;
    inner.frame.back() ^= 0x10;
    const Bytes ip = outer_ip(harness.run({inner.frame}).front());
    EXPECT_NE(verify(ip, outer_header(ip), kProtoUdp), 0xffffU);
    ++damaged;
  }
  EXPECT_GT(damaged, 100);
}

TEST(OuterChecksum, OfAFrameInSegmentsComesFromItsHeadersOrIsLeftOut) {
  Harness harness;
  harness.apply(with_checksums());
  for (const std::uint16_t port : {90, 91, 92, 93}) {
    Bytes frame = packet().v4("198.51.100.7", "203.0.113.10").udp(9, port).payload(500).build();
    Bytes ip(frame.begin() + 14, frame.end());
    ip[24] = static_cast<std::uint8_t>((ip.size() - 20) >> 8);
    ip[25] = static_cast<std::uint8_t>(ip.size() - 20);
    std::copy(ip.begin(), ip.end(), frame.begin() + 14);
    const auto parts = [&] { return outer_ip(harness.run({frame}, kHeadroom, 200).front()); };
    EXPECT_EQ(checksum_field(parts()), 0U) << "the datagram has none and cannot be summed";
    set_checksum(ip, 20, kProtoUdp);
    std::copy(ip.begin(), ip.end(), frame.begin() + 14);
    const Bytes whole = outer_ip(harness.run({frame}).front());
    EXPECT_EQ(verify(whole, outer_header(whole), kProtoUdp), 0xffffU);
    EXPECT_EQ(checksum_field(parts()), checksum_field(whole));
  }
}

// An inner packet chosen so that the sum comes out as zero, which UDP writes as 0xffff.
TEST(OuterChecksum, IsNeverSentAsZero) {
  Bytes inner(28, 0);
  inner[0] = 0x45;
  inner[3] = 28;
  inner[9] = kProtoUdp;
  Bytes outer(28, 0);
  outer[0] = 0x45;
  int zeros = 0;
  for (std::uint32_t word = 0; word < 65'536; ++word) {
    inner[4] = static_cast<std::uint8_t>(word >> 8);
    inner[5] = static_cast<std::uint8_t>(word);
    Bytes whole = outer;
    whole.insert(whole.end(), inner.begin(), inner.end());
    const be16 sum =
        outer_udp_checksum({whole.data(), whole.data() + 20, false}, {whole.data() + 28, 28, 0, false});
    ASSERT_NE(sum.host(), 0U);
    zeros += sum.host() == 0xffff;
  }
  EXPECT_EQ(zeros, 1);
}

std::vector<ServiceDocument> modes() {
  std::vector<ServiceDocument> out;
  std::uint16_t port = 1;
  for (const Encap encap : {Encap::kGue, Encap::kIpip, Encap::kGre, Encap::kVxlan, Encap::kL2dsr}) {
    for (const char* backend : {"10.0.1.1", "2001:db8:1::1"}) {
      if (encap == Encap::kL2dsr && ip(backend).is_v6()) continue;
      out.push_back(service("s" + std::to_string(port), "203.0.113.10", kProtoUdp, port, encap,
                            {{"be1", ip(backend)}}));
      out.back().forwarding.vxlan_vni = 7;
      ++port;
    }
  }
  return out;
}

TEST(Encap, LongestPacketThatFitsIsTheMtuLessTheOverheadInEveryMode) {
  Harness harness;
  harness.mtu = 1500;
  harness.apply(modes());
  for (const ServiceDocument& s : modes()) {
    const std::size_t overhead = outer_overhead(s, s.backends[0].address.is_v6());
    const auto fits =
        packet().v4("198.51.100.7", "203.0.113.10").udp(9, s.key.port).payload(1500 - 28 - overhead);
    const Answer answer = harness.run(fits);
    EXPECT_EQ(answer.outcome, Outcome::kForwarded) << s.key.text();
    EXPECT_EQ(answer.frame.size(), 1514U) << s.key.text();
    const auto more = packet()
                          .v4("198.51.100.7", "203.0.113.10")
                          .udp(9, s.key.port)
                          .payload(1500 - 27 - overhead)
                          .fragment(kIpv4DontFragment);
    EXPECT_EQ(harness.run(more).outcome, Outcome::kAnswered) << s.key.text();
  }
}

TEST(Encap, TagsReturnBehindTheAddressesOfTheOuterFrameInEveryMode) {
  Harness harness;
  harness.apply(modes());
  for (const Bytes& tags : {Bytes{0x81, 0, 0x20, 7}, Bytes{0x88, 0xa8, 0, 9, 0x81, 0, 0x60, 7}}) {
    for (const ServiceDocument& s : modes()) {
      const Bytes plain = packet().v4("198.51.100.7", "203.0.113.10").udp(9, s.key.port).payload(40).build();
      Bytes tagged = plain;
      tagged.insert(tagged.begin() + 12, tags.begin(), tags.end());
      Bytes expected = harness.run({plain}).front().frame;
      expected.insert(expected.begin() + 12, tags.begin(), tags.end());
      const Answer answer = harness.run({tagged}, kRequiredHeadroom).front();
      EXPECT_EQ(answer.outcome, Outcome::kForwarded);
      EXPECT_EQ(answer.frame, expected) << s.key.text();
    }
  }
}

TEST(Encap, FrameInSegmentsKeepsItsFirstPartAndLosesItsPadding) {
  Harness harness;
  harness.apply(modes());
  for (const ServiceDocument& s : modes()) {
    const auto one = packet().v4("198.51.100.7", "203.0.113.10").udp(9, s.key.port).payload(1000);
    const Bytes whole = harness.run(one).frame;
    const std::size_t overhead = outer_overhead(s, s.backends[0].address.is_v6());
    const Bytes padded = PacketBuilder(one).pad_to(1100).build();
    const Bytes first = harness.run({padded}, kHeadroom, 100).front().frame;
    EXPECT_EQ(first, Bytes(whole.begin(), whole.begin() + static_cast<long>(100 + overhead))) << s.key.text();
    EXPECT_EQ(harness.run({padded}, kHeadroom, 1060).front().frame, whole) << s.key.text();
  }
}

TEST(Encap, PacketWithoutHeadroomIsDroppedUnchangedInEveryMode) {
  Harness harness;
  harness.apply(modes());
  for (const ServiceDocument& s : modes()) {
    const Bytes in = packet().v4("198.51.100.7", "203.0.113.10").udp(9, s.key.port).build();
    const Answer answer = harness.run({in}, kRequiredHeadroom - 1).front();
    EXPECT_EQ(answer.outcome, Outcome::kNoHeadroom);
    EXPECT_EQ(answer.frame, in);
    EXPECT_EQ(harness.run({in}, kRequiredHeadroom).front().outcome, Outcome::kForwarded);
  }
}

}  // namespace
}  // namespace penstock::test
