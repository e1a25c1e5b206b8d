// The real binary on AF_XDP over veth, in namespaces of its own: what the kernel keeps, what is steered, how
// the kernel's routes and neighbours are followed, and what a killed predecessor leaves.
#include <algorithm>

#include "penstock/abi/own_ports.h"
#include "penstock/base/derived_key.h"
#include "tests/unit/dataplane/probe/fake_responder.h"
#include "tests/unit/dataplane/process/dataplane_process.h"
#include "tests/unit/dataplane/process/two_hosts.h"

namespace penstock {
namespace {

constexpr const char* kVip = "203.0.113.10";

class AfXdpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for network namespaces and XDP";
    ASSERT_TRUE(hosts_.up()) << "cannot make network namespaces";
    gateway_mac_ = mac_of_interface("gw0");
    wire_ = std::make_unique<PeerWire>(hosts_);
  }
  std::unique_ptr<DataplaneProcess> start(const std::string& log = "log",
                                          const std::vector<std::string>& more = {}) {
    std::vector<std::string> flags{
        "--port",  "net_af_xdp0,iface=gw0", "--no-huge", "--socket", socket_, "--flows", "10000", "--idle",
        "sleep:50"};
    flags.insert(flags.end(), more.begin(), more.end());
    return std::make_unique<DataplaneProcess>(flags, directory_.file(log));
  }
  /// Sends SYNs until one comes back encapsulated to `destination`.
  std::optional<GueFrame> syn_arrives_at(const MacAddr& destination, double seconds = 10,
                                         const Frame& tag = {}) {
    std::optional<GueFrame> seen;
    eventually(
        [&] {
          Frame syn = tcp_syn(wire_->mac, gateway_mac_, "10.77.0.2", kVip, ++port_, 80);
          syn.insert(syn.begin() + 12, tag.begin(), tag.end());
          wire_->send(syn);
          const auto frame = wire_->receive(
              [&](const Frame& f) {
                const GueFrame gue = read_gue(f);
                return gue.valid && gue.ethernet.destination == destination;
              },
              0.05);
          if (frame) seen = read_gue(*frame);
          return seen.has_value();
        },
        seconds);
    return seen;
  }
  bool program_attached() const { return shell("ip link show dev gw0 | grep -q xdp"); }

  TemporaryDirectory directory_;
  TwoHosts hosts_;
  const std::string socket_ = directory_.file("dataplane.sock");
  MacAddr gateway_mac_;
  std::unique_ptr<PeerWire> wire_;
  std::uint16_t port_ = 20'000;
};

TEST_F(AfXdpTest, VipIsEncapsulatedTowardsTheBackendWhileTheKernelKeepsTheRest) {
  auto process = start();
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << process->log();
  ASSERT_TRUE(client.apply(one_service(1, "10.77.0.2")).accepted());

  const auto gue = syn_arrives_at(wire_->mac);
  ASSERT_TRUE(gue) << process->log() << client.stats().DebugString();
  EXPECT_EQ(gue->ethernet.source, gateway_mac_);
  EXPECT_EQ(gue->outer.source, v4("10.77.0.1")) << "the source address that the kernel would choose";
  EXPECT_EQ(gue->outer.destination, v4("10.77.0.2"));
  EXPECT_EQ(gue->inner.destination, v4(kVip));
  EXPECT_EQ(gue->tcp.destination_port, be16(80));
  EXPECT_TRUE(hosts_.on_peer("ping -c 1 -W 3 10.77.0.1")) << "the gateway's own address is the kernel's";
  EXPECT_TRUE(hosts_.on_peer("ping -c 1 -W 3 fd77::1"));

  const auto stats = client.stats();
  EXPECT_EQ(stats.received_packets(), sum_of_outcomes(stats));
  EXPECT_GT(stats.ports(0).steered(), 0U);
  EXPECT_GT(stats.ports(0).passed(), 0U);
  EXPECT_EQ(outcome(stats, "not_vip"), 0U) << "nothing but VIP traffic reaches the workers";
  EXPECT_EQ(process->terminate(), 0);
  EXPECT_FALSE(program_attached());
}

constexpr std::size_t kDatagramAt = 14 + 20 + 8;

bool is_probe(const Frame& f) {
  return f.size() > kDatagramAt + sizeof(gue_header) && f[12] == 8 && f[13] == 0 && f[23] == kProtoUdp &&
         read_at<UdpHeader>(f, 34).destination_port == be16(PENSTOCK_GUE_PORT) &&
         f[kDatagramAt + 1] == PENSTOCK_GUE_CONTROL_PROBE;
}

/// A backend's answer to the frame of a probe.
Frame answer_to(const Frame& probe, const FakeResponder& host) {
  const auto datagram = std::span(probe).subspan(kDatagramAt);
  Frame answer(probe.begin(), probe.begin() + kDatagramAt);
  std::swap_ranges(answer.begin(), answer.begin() + 6, answer.begin() + 6);
  std::swap_ranges(answer.begin() + 26, answer.begin() + 30, answer.begin() + 30);
  std::swap_ranges(answer.begin() + 34, answer.begin() + 36, answer.begin() + 36);
  answer[40] = answer[41] = 0;  // no UDP checksum
  const auto reply = host.answer(datagram);
  EXPECT_TRUE(reply) << "the question is authentic";
  if (reply) answer.insert(answer.end(), reply->begin(), reply->end());
  return answer;
}

TEST_F(AfXdpTest, ProbesLeaveByTheWorkersAndAnswersComeBackToThemAndNotToTheKernel) {
  auto process = start();
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << process->log();
  const proto::DataplaneConfig config = one_service(1, "10.77.0.2");
  ASSERT_TRUE(client.apply(config).accepted());
  const std::string& secret = config.hash_key();
  const DerivedKey derived =
      derive_key({reinterpret_cast<const std::uint8_t*>(secret.data()), secret.size()}, kProbeKeyPurpose);
  FakeResponder host;
  host.keys.resize(1);
  std::memcpy(&host.keys[0], derived.data(), sizeof host.keys[0]);
  const auto answer_one = [&] {
    const auto probe = wire_->receive(is_probe, 0.1);
    if (!probe) return false;
    EXPECT_EQ(read_at<EthernetHeader>(*probe, 0).source, gateway_mac_);
    EXPECT_EQ(read_at<Ipv4Header>(*probe, 14).source, v4("10.77.0.1"));
    EXPECT_EQ(read_at<UdpHeader>(*probe, 34).source_port, be16(PENSTOCK_OWN_PROBE_FIRST_PORT));
    wire_->send(answer_to(*probe, host));
    return true;
  };
  EXPECT_TRUE(eventually([&] { return answer_one() && client.stats().probes().answered() >= 5; }))
      << process->log() << client.stats().DebugString();
  const auto stats = client.stats();
  EXPECT_EQ(stats.services(0).backends(0).liveness(), proto::LIVENESS_UP);
  EXPECT_GE(outcome(stats, "own_traffic"), 5U);
  EXPECT_EQ(outcome(stats, "not_vip"), 0U);
  EXPECT_EQ(stats.received_packets(), sum_of_outcomes(stats));
  EXPECT_TRUE(eventually([&] {
    return client.stats().services(0).backends(0).liveness() == proto::LIVENESS_DOWN;
  })) << "silent now";
  EXPECT_GE(client.stats().probes().lost(), 3U);
  EXPECT_EQ(process->terminate(), 0);
}

TEST_F(AfXdpTest, VipThatIsNoLongerConfiguredGoesBackToTheKernel) {
  auto process = start();
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << process->log();
  ASSERT_TRUE(client.apply(one_service(1, "10.77.0.2")).accepted());
  ASSERT_TRUE(syn_arrives_at(wire_->mac)) << process->log();
  proto::DataplaneConfig empty = one_service(2, "10.77.0.2");
  empty.clear_services();
  ASSERT_TRUE(client.apply(empty).accepted());
  const std::uint64_t steered = client.stats().ports(0).steered();
  const std::uint64_t passed = client.stats().ports(0).passed();
  wire_->send(tcp_syn(wire_->mac, gateway_mac_, "10.77.0.2", kVip, 1, 80));
  EXPECT_TRUE(eventually([&] { return client.stats().ports(0).passed() > passed; }));
  EXPECT_EQ(client.stats().ports(0).steered(), steered);
}

TEST_F(AfXdpTest, KernelRoutesAndNeighboursAreFollowed) {
  const MacAddr first{{2, 0x77, 0, 0, 0, 3}};
  const MacAddr second{{2, 0x77, 0, 0, 0, 4}};
  const MacAddr moved{{2, 0x77, 0, 0, 0, 5}};
  ASSERT_TRUE(shell("ip neigh add 10.77.0.3 lladdr 02:77:00:00:00:03 dev gw0 nud permanent"));
  ASSERT_TRUE(shell("ip neigh add 10.77.0.4 lladdr 02:77:00:00:00:04 dev gw0 nud permanent"));
  auto process = start();
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << process->log();
  ASSERT_TRUE(client.apply(one_service(1, "198.18.0.5")).accepted());
  const auto next_hop = [&] { return client.stats().services(0).backends(0).next_hop(); };
  EXPECT_EQ(next_hop(), "") << "no route yet";
  wire_->send(tcp_syn(wire_->mac, gateway_mac_, "10.77.0.2", kVip, 1, 80));
  EXPECT_TRUE(eventually([&] { return outcome(client.stats(), "dropped_no_next_hop") == 1; }));

  ASSERT_TRUE(shell("ip route add 198.18.0.0/24 via 10.77.0.3"));
  EXPECT_TRUE(syn_arrives_at(first)) << process->log();
  ASSERT_TRUE(shell("ip route add 198.18.0.5/32 via 10.77.0.4"));
  const auto asked = std::chrono::steady_clock::now();
  EXPECT_TRUE(eventually([&] { return next_hop() == second.text(); })) << "the longer prefix wins";
  const auto took = std::chrono::steady_clock::now() - asked;
  std::printf("route change to new next hop: %.1f ms\n",
              std::chrono::duration<double, std::milli>(took).count());
  EXPECT_LT(took, std::chrono::milliseconds(500));
  EXPECT_TRUE(syn_arrives_at(second)) << process->log();
  ASSERT_TRUE(shell("ip neigh replace 10.77.0.4 lladdr 02:77:00:00:00:05 dev gw0 nud permanent"));
  EXPECT_TRUE(syn_arrives_at(moved)) << process->log();
  ASSERT_TRUE(shell("ip route del 198.18.0.5/32"));
  EXPECT_TRUE(syn_arrives_at(first)) << "back to the shorter one";
  EXPECT_EQ(process->terminate(), 0);
}

TEST_F(AfXdpTest, InterfaceWithANewMacGoesOnWithoutAGap) {
  auto process = start();
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << process->log();
  ASSERT_TRUE(client.apply(one_service(1, "10.77.0.2")).accepted());
  ASSERT_TRUE(syn_arrives_at(wire_->mac)) << process->log();
  ASSERT_TRUE(shell("ip link set dev gw0 address 02:77:aa:00:00:01"));
  gateway_mac_ = MacAddr{{2, 0x77, 0xaa, 0, 0, 1}};
  const auto gue = syn_arrives_at(wire_->mac);
  ASSERT_TRUE(gue) << process->log();
  EXPECT_EQ(gue->ethernet.source, gateway_mac_);
}

TEST_F(AfXdpTest, FrameForAnotherMacIsNotForwarded) {
  auto process = start();
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << process->log();
  ASSERT_TRUE(client.apply(one_service(1, "10.77.0.2")).accepted());
  ASSERT_TRUE(syn_arrives_at(wire_->mac)) << process->log();
  const std::uint64_t steered = client.stats().ports(0).steered();
  const std::uint64_t passed = client.stats().ports(0).passed();
  wire_->send(tcp_syn(wire_->mac, MacAddr{{2, 9, 9, 9, 9, 9}}, "10.77.0.2", kVip, 1, 80));
  EXPECT_TRUE(eventually([&] { return client.stats().ports(0).passed() > passed; }));
  EXPECT_EQ(client.stats().ports(0).steered(), steered);
}

TEST_F(AfXdpTest, SuccessorOfAKilledDataplaneStartsAndForwards) {
  auto first = start();
  {
    DataplaneClient client(socket_);
    ASSERT_TRUE(client.connected()) << first->log();
    ASSERT_TRUE(client.apply(one_service(1, "10.77.0.2")).accepted());
  }
  first->signal(SIGKILL);
  EXPECT_EQ(first->wait(), -SIGKILL);
  EXPECT_TRUE(program_attached()) << "the kernel keeps a killed process's program";
  EXPECT_TRUE(hosts_.on_peer("ping -c 1 -W 3 10.77.0.1")) << "which keeps passing what is the kernel's";

  auto second = start("second");
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << second->log();
  ASSERT_TRUE(client.apply(one_service(1, "10.77.0.2")).accepted());
  EXPECT_TRUE(syn_arrives_at(wire_->mac)) << second->log();
  EXPECT_EQ(second->terminate(), 0);
  EXPECT_FALSE(program_attached());
}

TEST_F(AfXdpTest, FlowsOfAKilledDataplaneGoOnInTheNextOne) {
  char folder[] = "/dev/shm/penstock-test-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::vector<std::string> kept{"--flow-dir", folder};
  ASSERT_TRUE(shell("ip neigh add 10.77.0.3 lladdr 02:77:00:00:00:03 dev gw0 nud permanent"));
  auto first = start("log", kept);
  {
    DataplaneClient client(socket_);
    ASSERT_TRUE(client.connected()) << first->log();
    ASSERT_TRUE(client.apply(one_service(1, "10.77.0.2")).accepted());
    ASSERT_TRUE(syn_arrives_at(wire_->mac)) << first->log();
  }
  first->signal(SIGKILL);
  first->wait();

  auto second = start("second", kept);
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << second->log();
  proto::DataplaneConfig config = one_service(2, "10.77.0.2");
  auto& other = *config.mutable_services(0)->add_backends();
  other.set_id("be2");
  other.set_address("10.77.0.3");
  other.set_weight(1000);
  ASSERT_TRUE(client.apply(config).accepted());
  EXPECT_EQ(client.stats().lcores(0).flow_table(), "taken over") << second->log();
  // The flow of the last SYN; nearly every new one would go to be2.
  Frame ack = tcp_syn(wire_->mac, gateway_mac_, "10.77.0.2", kVip, port_, 80);
  ack[34 + offsetof(TcpHeader, flags)] = kTcpAck;
  std::optional<GueFrame> seen;
  EXPECT_TRUE(eventually([&] {
    wire_->send(ack);
    const auto frame = wire_->receive([](const Frame& f) { return read_gue(f).valid; }, 0.05);
    if (frame) seen = read_gue(*frame);
    return seen.has_value();
  })) << second->log();
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->outer.destination, v4("10.77.0.2"));
  EXPECT_EQ(client.stats().services(0).backends(0).new_flows(), 0U);
  std::error_code error;
  std::filesystem::remove_all(folder, error);
}

TEST_F(AfXdpTest, SecondDataplaneOnTheInterfaceIsRefusedAndTheFirstGoesOn) {
  auto first = start();
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << first->log();
  ASSERT_TRUE(client.apply(one_service(1, "10.77.0.2")).accepted());
  DataplaneProcess second(
      {"--port", "net_af_xdp0,iface=gw0", "--no-huge", "--socket", socket_ + "2", "--flows", "10000"},
      directory_.file("second"));
  EXPECT_EQ(second.wait(), 75);
  EXPECT_NE(second.log().find("another penstock-dataplane is using interface 'gw0'"), std::string::npos)
      << second.log();
  EXPECT_TRUE(program_attached());
  EXPECT_TRUE(syn_arrives_at(wire_->mac)) << first->log();
}

TEST_F(AfXdpTest, TaggedFramesOfAVipAreTakenOnlyByAPortWithAVlanRule) {
  const Frame tag{0x81, 0x00, 0x00, 0x64};
  auto plain = start();
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << plain->log();
  ASSERT_TRUE(client.apply(one_service(1, "10.77.0.2")).accepted());
  ASSERT_TRUE(syn_arrives_at(wire_->mac)) << plain->log();
  EXPECT_FALSE(syn_arrives_at(wire_->mac, 1, tag)) << "the tag's sub-interface is the kernel's";
  ASSERT_EQ(plain->terminate(), 0);

  auto tagged = start("tagged", {"--port-vlan", "net_af_xdp0=strip"});
  DataplaneClient second(socket_);
  ASSERT_TRUE(second.connected()) << tagged->log();
  ASSERT_TRUE(second.apply(one_service(1, "10.77.0.2")).accepted());
  EXPECT_TRUE(syn_arrives_at(wire_->mac, 10, tag)) << tagged->log();
  EXPECT_EQ(tagged->terminate(), 0);
}

TEST_F(AfXdpTest, MissingInterfaceIsRefused) {
  DataplaneProcess process({"--port", "net_af_xdp0,iface=nope0", "--no-huge", "--socket", socket_},
                           directory_.file("log"));
  EXPECT_EQ(process.wait(), 69);
  EXPECT_NE(process.log().find("there is no network interface 'nope0'"), std::string::npos) << process.log();
}

}  // namespace
}  // namespace penstock
