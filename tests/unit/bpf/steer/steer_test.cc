// bpf/steer.bpf.c in the running kernel, by BPF_PROG_TEST_RUN: which frames it hands to the dataplane, which
// it leaves to the kernel, and that it counts each once.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "penstock/abi/own_ports.h"
#include "penstock/abi/steer.h"
#include "penstock/net/addr.h"
#include "penstock/net/headers.h"
#include "steer.skel.h"

namespace penstock {
namespace {

using Frame = std::vector<std::uint8_t>;

const MacAddr kOwnMac{{2, 0, 0, 0, 0, 1}};
const MacAddr kOtherMac{{2, 0, 0, 0, 0, 2}};
const MacAddr kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

Frame ethernet(const MacAddr& to, std::uint16_t type, std::size_t payload = 0) {
  const EthernetHeader header{to, kOtherMac, be16(type)};
  Frame frame(sizeof header + payload);
  std::memcpy(frame.data(), &header, sizeof header);
  return frame;
}

Frame ipv4(const MacAddr& to, const std::string& destination, std::uint8_t protocol = kProtoTcp,
           std::uint16_t fragment = 0) {
  Frame frame = ethernet(to, kEtherTypeIpv4, sizeof(Ipv4Header) + 20);
  Ipv4Header ip{};
  ip.version_ihl = 0x45;
  ip.total_length = be16(40);
  ip.fragment = be16(fragment);
  ip.ttl = 64;
  ip.protocol = protocol;
  ip.destination = IpAddr::parse(destination).value().v4();
  std::memcpy(frame.data() + 14, &ip, sizeof ip);
  return frame;
}

Frame ipv6(const MacAddr& to, const std::string& destination, std::uint8_t next_header = kProtoTcp) {
  Frame frame = ethernet(to, kEtherTypeIpv6, sizeof(Ipv6Header) + 20);
  Ipv6Header ip{};
  ip.version_class_label = be32(6U << 28);
  ip.payload_length = be16(20);
  ip.next_header = next_header;
  ip.hop_limit = 64;
  ip.destination = IpAddr::parse(destination).value().v6();
  std::memcpy(frame.data() + 14, &ip, sizeof ip);
  return frame;
}

Frame tagged(std::uint16_t type, const Frame& frame) {
  Frame out = frame;
  const be16 tag[2] = {be16(type), be16(100)};
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(tag);
  out.insert(out.begin() + 12, bytes, bytes + sizeof tag);
  return out;
}

Frame cut(Frame frame, std::size_t size) {
  frame.resize(size);
  return frame;
}

class SteerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to load BPF";
    program_.reset(steer_bpf__open_and_load());
    ASSERT_TRUE(program_);
    set_mac(kOwnMac);
    add_vip("203.0.113.10", 128);
    add_vip("2001:db8::10", 128);
  }
  ~SteerTest() override {
    if (socket_ >= 0) close(socket_);
  }

  void set_mac(const MacAddr& mac, abi_u8 vlan_tags = 0) {
    steer_interface value{};
    value.vlan_tags = vlan_tags;
    std::memcpy(value.mac, mac.bytes.data(), 6);
    const __u32 zero = 0;
    ASSERT_EQ(bpf_map_update_elem(bpf_map__fd(program_->maps.steer_interface), &zero, &value, BPF_ANY), 0);
  }
  void add_vip(const std::string& text, std::uint32_t prefix_length) {
    const IpAddr vip = IpAddr::parse(text).value();
    steer_vip_key key{};
    key.prefix_length = prefix_length;
    if (vip.is_v4()) key.address.bytes[10] = key.address.bytes[11] = 0xff;
    std::memcpy(key.address.bytes + (vip.is_v4() ? 12 : 0), vip.data(), vip.size());
    const __u32 value = 1;
    ASSERT_EQ(bpf_map_update_elem(bpf_map__fd(program_->maps.steer_vips), &key, &value, BPF_ANY), 0);
  }
  void add_own(const std::string& text) {
    const IpAddr own = IpAddr::parse(text).value();
    abi_address key{};
    if (own.is_v4()) key.bytes[10] = key.bytes[11] = 0xff;
    std::memcpy(key.bytes + (own.is_v4() ? 12 : 0), own.data(), own.size());
    const __u32 value = 1;
    ASSERT_EQ(bpf_map_update_elem(bpf_map__fd(program_->maps.steer_own), &key, &value, BPF_ANY), 0);
  }
  /// Puts a socket on queue 0, where BPF_PROG_TEST_RUN's packets arrive.
  void open_socket() {
    socket_ = socket(AF_XDP, SOCK_RAW, 0);
    ASSERT_GE(socket_, 0);
    const __u32 queue = 0;
    ASSERT_EQ(bpf_map_update_elem(bpf_map__fd(program_->maps.xsks_map), &queue, &socket_, BPF_ANY), 0);
  }
  int run(Frame frame) {
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = frame.data();
    options.data_size_in = static_cast<__u32>(frame.size());
    options.repeat = 1;
    EXPECT_EQ(bpf_prog_test_run_opts(bpf_program__fd(program_->progs.penstock_steer), &options), 0);
    return static_cast<int>(options.retval);
  }
  std::uint64_t count(__u32 counter) const {
    std::vector<std::uint64_t> values(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    bpf_map_lookup_elem(bpf_map__fd(program_->maps.steer_counters), &counter, values.data());
    std::uint64_t sum = 0;
    for (const std::uint64_t value : values) sum += value;
    return sum;
  }

  struct Destroy {
    void operator()(steer_bpf* program) const { steer_bpf__destroy(program); }
  };
  std::unique_ptr<steer_bpf, Destroy> program_;
  int socket_ = -1;
};

struct SteerCase {
  const char* what;
  Frame frame;
  int action;
};

TEST_F(SteerTest, OnlyFramesForAVipLeaveTheKernel) {
  open_socket();
  const std::vector<SteerCase> cases{
      {"TCP to the IPv4 VIP", ipv4(kOwnMac, "203.0.113.10"), XDP_REDIRECT},
      {"UDP to the IPv4 VIP", ipv4(kOwnMac, "203.0.113.10", kProtoUdp), XDP_REDIRECT},
      {"ICMP to the IPv4 VIP", ipv4(kOwnMac, "203.0.113.10", kProtoIcmp), XDP_REDIRECT},
      {"later fragment to the VIP", ipv4(kOwnMac, "203.0.113.10", kProtoTcp, 185), XDP_REDIRECT},
      {"TCP to the IPv6 VIP", ipv6(kOwnMac, "2001:db8::10"), XDP_REDIRECT},
      {"ICMPv6 to the IPv6 VIP", ipv6(kOwnMac, "2001:db8::10", kProtoIcmpv6), XDP_REDIRECT},
      {"the address next to the VIP", ipv4(kOwnMac, "203.0.113.11"), XDP_PASS},
      {"BGP to the interface", ipv4(kOwnMac, "10.0.0.1"), XDP_PASS},
      {"IPv6 beside the VIP", ipv6(kOwnMac, "2001:db8::11"), XDP_PASS},
      {"IPv6 to the mapped form of the IPv4 VIP", ipv6(kOwnMac, "::ffff:203.0.113.10"), XDP_PASS},
      {"neighbour solicitation", ipv6(kOwnMac, "ff02::1:ff00:10", kProtoIcmpv6), XDP_PASS},
      {"ARP", ethernet(kBroadcast, kEtherTypeArp, 28), XDP_PASS},
      {"to the VIP, but another host's frame", ipv4(kOtherMac, "203.0.113.10"), XDP_PASS},
      {"to the VIP by broadcast", ipv4(kBroadcast, "203.0.113.10"), XDP_PASS},
      {"802.1Q", tagged(kEtherTypeVlan, ipv4(kOwnMac, "203.0.113.10")), XDP_PASS},
      {"802.1ad", tagged(kEtherTypeQinq, ipv4(kOwnMac, "203.0.113.10")), XDP_PASS},
      {"IPv4 cut one byte before its destination ends", cut(ipv4(kOwnMac, "203.0.113.10"), 33), XDP_PASS},
      {"IPv4 cut right behind its header", cut(ipv4(kOwnMac, "203.0.113.10"), 34), XDP_REDIRECT},
      {"IPv6 cut one byte before its destination ends", cut(ipv6(kOwnMac, "2001:db8::10"), 53), XDP_PASS},
      {"nothing but Ethernet", ethernet(kOwnMac, kEtherTypeIpv4), XDP_PASS},
      {"LLDP", ethernet(kOwnMac, 0x88cc, 46), XDP_PASS},
  };
  std::uint64_t redirected = 0;
  for (const SteerCase& c : cases) {
    EXPECT_EQ(run(c.frame), c.action) << c.what;
    redirected += c.action == XDP_REDIRECT;
  }
  EXPECT_EQ(count(PENSTOCK_STEER_REDIRECTED), redirected);
  EXPECT_EQ(count(PENSTOCK_STEER_PASSED), cases.size() - redirected);
  EXPECT_EQ(count(PENSTOCK_STEER_NO_SOCKET), 0U);
}

Frame with_ports(Frame frame, std::uint16_t source, std::uint16_t destination) {
  const be16 ports[2] = {be16(source), be16(destination)};
  const std::size_t at = frame[12] == 0x86 ? 54 : 34;
  std::memcpy(frame.data() + at, ports, sizeof ports);
  return frame;
}

TEST_F(SteerTest, AnswersToTheDataplaneItselfLeaveTheKernelAtItsPortsOnly) {
  open_socket();
  add_own("192.0.2.1");
  add_own("2001:db8:ff::1");
  const Frame options = [] {
    Frame frame = with_ports(ipv4(kOwnMac, "192.0.2.1", kProtoUdp), 6080, 61000);
    frame[14] = 0x46;
    return frame;
  }();
  const auto own = [](std::uint8_t protocol, std::uint16_t port) {
    return with_ports(ipv4(kOwnMac, "192.0.2.1", protocol), 6080, port);
  };
  const auto own6 = [](std::uint8_t protocol, std::uint16_t port) {
    return with_ports(ipv6(kOwnMac, "2001:db8:ff::1", protocol), 6080, port);
  };
  for (const SteerCase& c : std::vector<SteerCase>{
           {"the first port, UDP", own(kProtoUdp, PENSTOCK_OWN_FIRST_PORT), XDP_REDIRECT},
           {"the last port, TCP", own(kProtoTcp, PENSTOCK_OWN_LAST_PORT), XDP_REDIRECT},
           {"IPv6, UDP", own6(kProtoUdp, 61000), XDP_REDIRECT},
           {"IPv6, TCP", own6(kProtoTcp, 62000), XDP_REDIRECT},
           {"the port before", own(kProtoUdp, PENSTOCK_OWN_FIRST_PORT - 1), XDP_PASS},
           {"the port behind", own6(kProtoTcp, PENSTOCK_OWN_LAST_PORT + 1), XDP_PASS},
           {"BGP", own(kProtoTcp, 179), XDP_PASS},
           {"from such a port", with_ports(ipv4(kOwnMac, "192.0.2.1", kProtoUdp), 61000, 53), XDP_PASS},
           {"SCTP", own(132, 61000), XDP_PASS},
           {"another address", with_ports(ipv4(kOwnMac, "192.0.2.2", kProtoUdp), 6080, 61000), XDP_PASS},
           {"another host's frame", with_ports(ipv4(kOtherMac, "192.0.2.1", kProtoUdp), 6080, 61000), XDP_PASS},
           {"a first fragment", with_ports(ipv4(kOwnMac, "192.0.2.1", kProtoUdp, 0x2000), 6080, 61000), XDP_PASS},
           {"a later fragment", with_ports(ipv4(kOwnMac, "192.0.2.1", kProtoUdp, 5), 6080, 61000), XDP_PASS},
           {"with options", options, XDP_PASS},
           {"cut in its ports", cut(own(kProtoUdp, 61000), 37), XDP_PASS},
           {"cut behind its ports", cut(own(kProtoUdp, 61000), 38), XDP_REDIRECT},
           {"IPv6, cut in its ports", cut(own6(kProtoUdp, 61000), 57), XDP_PASS},
           {"a VIP all the same", ipv4(kOwnMac, "203.0.113.10"), XDP_REDIRECT},
       }) {
    EXPECT_EQ(run(c.frame), c.action) << c.what;
  }
}

TEST_F(SteerTest, PrefixSteersEveryAddressInIt) {
  open_socket();
  add_vip("198.51.100.0", 96 + 24);
  EXPECT_EQ(run(ipv4(kOwnMac, "198.51.100.255")), XDP_REDIRECT);
  EXPECT_EQ(run(ipv4(kOwnMac, "198.51.101.0")), XDP_PASS);
}

TEST_F(SteerTest, TaggedFramesAreSteeredWithAsManyTagsAsTheDataplaneAsksFor) {
  open_socket();
  const Frame plain = ipv6(kOwnMac, "2001:db8::10");
  const Frame one = tagged(kEtherTypeVlan, ipv4(kOwnMac, "203.0.113.10"));
  const Frame two = tagged(kEtherTypeQinq, one);
  const Frame three = tagged(kEtherTypeVlan, two);
  for (abi_u8 tags = 0; tags <= PENSTOCK_STEER_MAX_VLAN_TAGS; ++tags) {
    set_mac(kOwnMac, tags);
    EXPECT_EQ(run(plain), XDP_REDIRECT) << int{tags};
    EXPECT_EQ(run(one), tags >= 1 ? XDP_REDIRECT : XDP_PASS) << int{tags};
    EXPECT_EQ(run(two), tags >= 2 ? XDP_REDIRECT : XDP_PASS) << int{tags};
    EXPECT_EQ(run(three), XDP_PASS) << int{tags};
    EXPECT_EQ(run(tagged(kEtherTypeVlan, ipv4(kOwnMac, "203.0.113.11"))), XDP_PASS) << int{tags};
    EXPECT_EQ(run(cut(one, 16)), XDP_PASS) << int{tags};
  }
}

TEST_F(SteerTest, WithoutASocketTheKernelGetsVipTrafficToo) {
  EXPECT_EQ(run(ipv4(kOwnMac, "203.0.113.10")), XDP_PASS);
  EXPECT_EQ(count(PENSTOCK_STEER_NO_SOCKET), 1U);
  EXPECT_EQ(count(PENSTOCK_STEER_REDIRECTED), 0U);
}

TEST_F(SteerTest, BeforeItKnowsItsMacEverythingIsTheKernels) {
  open_socket();
  set_mac(MacAddr{});
  EXPECT_EQ(run(ipv4(kOwnMac, "203.0.113.10")), XDP_PASS);
}

TEST_F(SteerTest, GarbageIsPassedAndCountedOnce) {
  open_socket();
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr int kFrames = 2000;
  for (int i = 0; i < kFrames; ++i) {
    Frame frame(14 + random() % 200);
    for (auto& byte : frame) byte = static_cast<std::uint8_t>(random());
    if (i % 2 == 0) std::memcpy(frame.data(), kOwnMac.bytes.data(), 6);
    if (i % 3 == 0) frame[12] = 0x08, frame[13] = 0x00;
    ASSERT_EQ(run(frame), XDP_PASS);
  }
  EXPECT_EQ(count(PENSTOCK_STEER_PASSED), static_cast<std::uint64_t>(kFrames));
}

}  // namespace
}  // namespace penstock
