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

struct Mode {
  std::uint16_t port;
  Encap encap;
  bool outer_v6;
  bool checksum = false;
  bool key = false;
};

// SERVICES of make_vectors.py.
constexpr Mode kModes[] = {
    {80, Encap::kGue, false},
    {81, Encap::kIpip, false},
    {82, Encap::kGue, true},
    {83, Encap::kIpip, true},
    {84, Encap::kGre, false},
    {85, Encap::kGre, true},
    {86, Encap::kGre, false, false, true},
    {87, Encap::kGre, true, false, true},
    {88, Encap::kVxlan, false},
    {89, Encap::kVxlan, true},
    {90, Encap::kGue, false, true},
    {91, Encap::kGue, true, true},
    {92, Encap::kVxlan, false, true},
    {93, Encap::kVxlan, true, true},
};

ServiceDocument service_of(const Mode& mode, bool v6, std::uint8_t protocol) {
  const std::string id =
      std::string(v6 ? "six-" : "four-") + std::to_string(protocol) + "-" + std::to_string(mode.port);
  ServiceDocument out = service(id, v6 ? "2001:db8:beef::10" : "203.0.113.10", protocol, mode.port,
                                mode.encap, {{"be1", ip(mode.outer_v6 ? "2001:db8:1::1" : "10.0.1.1")}});
  out.forwarding.udp_checksum = mode.checksum;
  if (mode.key) out.forwarding.gre_key = 0xdeadbeef;
  if (mode.encap == Encap::kVxlan) {
    out.forwarding.vxlan_vni = 0xabcdef;
    out.backends[0].mac = {{2, 0, 0, 0, 0, 0xc0}};
  }
  return out;
}

// The services of make_vectors.py, one backend each.
std::vector<ServiceDocument> services() {
  std::vector<ServiceDocument> out;
  for (const std::uint8_t protocol : {kProtoTcp, kProtoUdp}) {
    for (const bool v6 : {false, true}) {
      for (const Mode& mode : kModes) out.push_back(service_of(mode, v6, protocol));
      out.push_back(service_of({94, Encap::kL2dsr, v6}, v6, protocol));
    }
  }
  return out;
}

// What an outer UDP checksum would be if the source port were 0; one that is not computed stays so.
void take_port_out(std::uint8_t* checksum_field, std::uint16_t port) {
  be16 before;
  std::memcpy(&before, checksum_field, sizeof before);
  if (before == be16()) return;
  const be16 after = checksum_update(before, be16(port), be16(0));
  const be16 never_zero = after == be16() ? be16(0xffff) : after;
  std::memcpy(checksum_field, &never_zero, sizeof never_zero);
}

// Takes the entropy out of a frame: the outer UDP source port, the IPv6 flow label. Returns it.
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
    take_port_out(frame.data() + transport + 6, static_cast<std::uint16_t>(port));
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
  const bool is_outer = std::strstr(GetParam().what, "l2dsr") == nullptr;
  const auto [label, port] = is_outer ? strip_entropy(frame) : std::pair<std::uint32_t, std::uint32_t>{};
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
