// Packets in and out as an independent implementation (scapy) builds them.

#include <gtest/gtest.h>

#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {
namespace {

struct Vector {
  const char* what;
  const char* in;
  const char* out;
};

constexpr Vector kVectors[] = {
#include "tests/unit/dataplane/pipeline/vectors.inc"
};

struct RareVector {
  const char* what;
  const char* outcome;
  const char* in;
  const char* out;
};

constexpr RareVector kRareVectors[] = {
#include "tests/unit/dataplane/pipeline/rare_vectors.inc"
};

Bytes from_hex(const std::string& hex) {
  Bytes out;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return out;
}

// The services of make_vectors.py, one backend each.
std::vector<ServiceDocument> services() {
  std::vector<ServiceDocument> out;
  for (const std::uint8_t protocol : {kProtoTcp, kProtoUdp}) {
    for (const bool v6 : {false, true}) {
      for (const std::uint16_t port : {80, 81, 82, 83}) {
        const Encap encap = port % 2 == 0 ? Encap::kGue : Encap::kIpip;
        const std::string id =
            std::string(v6 ? "six-" : "four-") + std::to_string(protocol) + "-" + std::to_string(port);
        out.push_back(service(id, v6 ? "2001:db8:beef::10" : "203.0.113.10", protocol, port, encap,
                              {{"be1", ip(port < 82 ? "10.0.1.1" : "2001:db8:1::1")}}));
      }
    }
  }
  return out;
}

// Takes the entropy out of a frame: the UDP source port of GUE, the IPv6 flow label. Returns it.
std::pair<std::uint32_t, std::uint32_t> strip_entropy(Bytes& frame) {
  const bool v6 = frame.at(12) == 0x86;
  const std::size_t transport = v6 ? 54 : 34;
  std::uint32_t label = 0;
  std::uint32_t port = 0;
  if (v6) {
    label = (frame.at(15) & 0xfU) << 16 | frame.at(16) << 8 | frame.at(17);
    frame[15] &= 0xf0;
    frame[16] = frame[17] = 0;
  }
  if (frame.at(v6 ? 20 : 23) == kProtoUdp) {
    port = static_cast<std::uint32_t>(frame.at(transport) << 8 | frame.at(transport + 1));
    frame[transport] = frame[transport + 1] = 0;
  }
  return {label, port};
}

class Vectors : public testing::TestWithParam<Vector> {};

TEST_P(Vectors, LeaveAsScapyBuildsThem) {
  Harness harness;
  harness.apply(services());
  const Answer answer = harness.run({from_hex(GetParam().in)}).front();
  ASSERT_EQ(outcome_metric(answer.outcome), "forwarded") << GetParam().what;
  Bytes frame = answer.frame;
  const auto [label, port] = strip_entropy(frame);
  EXPECT_EQ(testing::PrintToString(frame), testing::PrintToString(from_hex(GetParam().out)))
      << GetParam().what;
  if (port != 0) {
    EXPECT_GE(port, 49152U);
  }
  EXPECT_EQ(answer.port, 3);
}

INSTANTIATE_TEST_SUITE_P(Scapy, Vectors, testing::ValuesIn(kVectors),
                         [](const auto& at) { return "case" + std::to_string(at.index); });

TEST(RareVectors, LeaveAsScapyBuildsThem) {
  for (const RareVector& v : kRareVectors) {
    Harness harness;
    harness.apply(services());
    const Answer answer = harness.run({from_hex(v.in)}).front();
    ASSERT_EQ(outcome_metric(answer.outcome), v.outcome) << v.what;
    Bytes frame = answer.frame;
    const bool answered = answer.outcome == Outcome::kAnswered;
    if (!answered) strip_entropy(frame);
    EXPECT_EQ(testing::PrintToString(frame), testing::PrintToString(from_hex(v.out))) << v.what;
    EXPECT_EQ(answer.port, answered ? Harness::kIngressPort : 3) << v.what;
    EXPECT_EQ(harness.sum_of_outcomes(), 1U);
  }
}

TEST(Entropy, SourcePortAndFlowLabelSpreadFlowsAndStayWithinOne) {
  Harness harness;
  harness.apply(services());
  std::set<std::uint32_t> ports;
  std::set<std::uint32_t> labels;
  for (std::uint16_t client = 1; client <= 100; ++client) {
    const auto one = packet().v4("198.51.100.7", "203.0.113.10").udp(client, 82);
    Bytes first = harness.run(one).frame;
    Bytes second = harness.run(one).frame;
    const auto entropy = strip_entropy(first);
    EXPECT_EQ(entropy, strip_entropy(second));
    labels.insert(entropy.first);
    ports.insert(entropy.second);
    EXPECT_GE(entropy.second, 49152U);
  }
  EXPECT_GT(ports.size(), 90U);
  EXPECT_GT(labels.size(), 90U);
}

}  // namespace
}  // namespace penstock::test
