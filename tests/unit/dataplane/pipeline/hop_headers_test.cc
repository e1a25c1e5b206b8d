// Hops on the wire: their bytes, what they do to sizes, and the packets that only speak of a flow.

#include <gmock/gmock.h>

#include "tests/unit/dataplane/pipeline/hops.h"

namespace penstock::test {
namespace {

using testing::ElementsAre;

// GUE draft, section 3.1, with the private data that GLB publishes.
TEST(HopHeaders, AreTheBytesThatOthersRead) {
  Harness harness;
  harness.apply({web({backend(1), backend(2)})});
  for (int client = 0; client < 20; ++client) {
    const Bytes frame = harness.run(from(client).ack()).frame;
    const std::uint8_t chosen = frame[14 + 19];
    const Bytes header(frame.begin() + 14 + 20 + 8, frame.begin() + 14 + 20 + 8 + 12);
    EXPECT_EQ(header, (Bytes{0x02, 4, 0, 0, 0, 0, 0, 1, 10, 0, 0, static_cast<std::uint8_t>(3 - chosen)}));
  }
  harness.apply({web({backend_v6(1), backend_v6(2)})});
  for (int client = 0; client < 20; ++client) {
    const Bytes frame = harness.run(from(client).ack()).frame;
    const std::uint8_t chosen = frame[14 + 39];
    const Bytes header(frame.begin() + 14 + 40 + 8, frame.begin() + 14 + 40 + 8 + 24);
    EXPECT_EQ(header,
              (Bytes{0x05, 4,    0, 0, 0, 1, 0, 1, 0x20, 1, 0xd, 0xb8,
                     0,    0xbe, 0, 0, 0, 0, 0, 0, 0,    0, 0,   static_cast<std::uint8_t>(3 - chosen)}));
  }
}

// Of a TCP or UDP segment and its pseudo header, by RFC 1071; 0xffff if the checksum is right.
std::uint32_t segment_sum(const Bytes& frame, bool v6, std::uint8_t protocol) {
  const std::size_t transport = 14 + (v6 ? 40 : 20);
  std::uint32_t sum = protocol + static_cast<std::uint32_t>(frame.size() - transport);
  for (std::size_t i = v6 ? 22 : 26; i < frame.size(); i += 2)
    sum += static_cast<std::uint32_t>(frame[i] << 8) | (i + 1 < frame.size() ? frame[i + 1] : 0U);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

TEST(HopHeaders, AreCoveredByTheOuterChecksums) {
  for (const bool v6 : {false, true}) {
    Harness harness;
    ServiceDocument service = v6 ? web({backend_v6(1), backend_v6(2)}) : web({backend(1), backend(2)});
    service.forwarding.udp_checksum = true;
    harness.apply({service});
    Bytes in = from(1).ack().payload(33).build();
    const std::uint32_t inner = ~segment_sum(in, false, kProtoTcp) & 0xffff;  // the outer one rests on it
    in[50] = static_cast<std::uint8_t>(inner >> 8);
    in[51] = static_cast<std::uint8_t>(inner);
    const Bytes frame = harness.run({in}).front().frame;
    EXPECT_EQ(read_gue(frame).way.size(), 2U);
    EXPECT_EQ(segment_sum(frame, v6, kProtoUdp), 0xffffU);
    if (v6) continue;
    std::uint32_t sum = 0;
    for (std::size_t i = 14; i < 34; i += 2) sum += read16(frame, i);
    EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffU) << "outer IPv4 header";
    EXPECT_EQ(read16(frame, 16), frame.size() - 14);
  }
}

// ICMP errors and fragments.

Bytes icmp_error_about(int client) {
  // Destination unreachable, fragmentation needed, quoting what a backend sent in the VIP's name.
  Bytes quoted = packet()
                     .v4("203.0.113.10",
                         "198.51." + std::to_string(client / 250) + "." + std::to_string(client % 250 + 1))
                     .tcp(80, 1024)
                     .build();
  Bytes frame =
      packet().v4("198.51.100.254", "203.0.113.10").other(kProtoIcmp, 8 + quoted.size() - 14).build();
  std::copy(quoted.begin() + 14, quoted.end(), frame.begin() + 14 + 20 + 8);
  frame[34] = 3;
  frame[35] = 4;
  return frame;
}

TEST(HopHeaders, ErrorsAboutUnknownFlowsCarryTheHopsOfTheFlow) {
  Harness harness;
  harness.apply({web({backend(1), backend(2), backend(3)})});
  const Sent of_flow = read_gue(harness.run(from(7).ack()).frame);
  const Answer error = harness.run({icmp_error_about(7)}).front();
  ASSERT_EQ(error.outcome, Outcome::kForwarded);
  EXPECT_EQ(read_gue(error.frame).way, of_flow.way);
  EXPECT_EQ(harness.flows().stats().size, 0U);
  harness.run(from(7).syn());
  EXPECT_EQ(read_gue(harness.run({icmp_error_about(7)}).front().frame).way.size(), 1U);
}

TEST(HopHeaders, FirstFragmentsCarryHopsAndLaterOnesFollowToTheFirstBackend) {
  Harness harness;
  harness.apply({web({backend(1), backend(2), backend(3)})});
  const Bytes first = from(3).ack().payload(28).fragment(kIpv4MoreFragments).build();
  Bytes later = from(3).ack().payload(28).fragment(6).build();
  const Answer answer = harness.run({first}).front();
  const Sent sent = read_gue(answer.frame);
  EXPECT_EQ(sent.way.size(), 2U);
  const Answer next = harness.run({later}).front();
  ASSERT_EQ(next.outcome, Outcome::kForwarded);
  EXPECT_THAT(read_gue(next.frame).way, ElementsAre(sent.way.front()));
}

// Room and size.

TEST(HopHeaders, PacketThatDoesNotFitWithItsHopsIsAnsweredWithWhatIsLeft) {
  Harness harness;
  harness.mtu = 1500;
  harness.apply({web({backend(1), backend(2), backend(3)})});
  // 36 bytes of GUE over IPv4, 4 of one hop: 1460 fit.
  const auto sized = [](std::size_t bytes) {
    return from(1).ack().payload(bytes - 40).fragment(kIpv4DontFragment);
  };
  EXPECT_EQ(harness.run(sized(1460)).outcome, Outcome::kForwarded);
  const Answer answer = harness.run(sized(1461));
  ASSERT_EQ(answer.outcome, Outcome::kAnswered);
  EXPECT_EQ(read16(answer.frame, 14 + 20 + 6), 1460U);
  harness.run(from(2).syn());
  EXPECT_EQ(harness.run(from(2).ack().payload(1464 - 40).fragment(kIpv4DontFragment)).outcome,
            Outcome::kForwarded)
      << "a known flow has the room of the hops";
}

TEST(HopHeaders, PacketThatDoesNotFitIsCutWhereThePoolWantsIt) {
  Harness harness;
  harness.mtu = 1500;
  ServiceDocument service = web({backend(1), backend(2), backend(3)});
  service.forwarding.too_big = TooBig::kFragment;
  harness.apply({service});
  const Answer answer = harness.run(from(1).ack().payload(1461 - 40).fragment(kIpv4DontFragment));
  ASSERT_EQ(answer.outcome, Outcome::kForwarded);
  ASSERT_EQ(harness.extra.size(), 1U);
  const std::size_t sum = answer.frame.size() - 34 + harness.extra[0].frame.size() - 34;
  EXPECT_EQ(sum, 8U + 8 + 4 + 1461) << "UDP, GUE, one hop, the packet";
  EXPECT_EQ(answer.frame[14 + 20 + 8], 2) << "Hlen counts the hop";
}

TEST(HopHeaders, NothingIsWrittenBeyondTheRequiredHeadroom) {
  Harness harness;
  std::vector<BackendDocument> backends;
  for (int n = 1; n <= 6; ++n) backends.push_back(backend_v6(n));
  for (int round = 0; round < 6; ++round) {
    for (int n = 0; n < 6; ++n) backends[static_cast<std::size_t>(n)].weight = n == round ? 500 : 10;
    harness.apply({web(backends)});
  }
  std::size_t longest = 0;
  for (int client = 0; client < 200; ++client) {
    const Answer answer = harness.run({from(client).ack().build()}, kRequiredHeadroom).front();
    ASSERT_EQ(answer.outcome, Outcome::kForwarded);
    longest = std::max(longest, read_gue(answer.frame).overhead);
  }
  EXPECT_EQ(longest, 40U + 8 + 8 + 3 * 16);
  EXPECT_EQ(harness.run({from(1).ack().build()}, kRequiredHeadroom - 1).front().outcome,
            Outcome::kNoHeadroom);
}

}  // namespace
}  // namespace penstock::test
