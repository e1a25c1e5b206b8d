// Two real dataplanes that replicate flows over the loopback interface.
#include <arpa/inet.h>
#include <sys/socket.h>

#include "tests/unit/dataplane/process/dataplane_process.h"
#include "tests/unit/dataplane/process/pcap_file.h"

namespace penstock {
namespace {

const MacAddr kClientMac{{2, 0, 0, 0, 0, 1}};
const MacAddr kGatewayMac{{2, 0, 0, 0, 0, 0x99}};
constexpr std::uint16_t kFlows = 50;

/// A UDP and TCP port that nobody has now.
std::string free_address() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof any;
  bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any);
  getsockname(fd, reinterpret_cast<sockaddr*>(&any), &size);
  close(fd);
  return "127.0.0.1:" + std::to_string(ntohs(any.sin_port));
}

class SyncProcessTest : public ::testing::Test {
 protected:
  std::unique_ptr<DataplaneProcess> start(const std::string& name, const std::string& device,
                                          const std::string& address) const {
    const std::string port = device.substr(0, device.find(','));
    return std::make_unique<DataplaneProcess>(
        std::vector<std::string>{"--port", device, "--no-huge", "--socket", directory_.file(name + ".sock"),
                                 "--flows", "300000", "--idle", "sleep:50", "--sync-address", address,
                                 "--static-next-hop", port + ",mac=02:00:00:00:00:98,source_v4=192.0.2.1"},
        directory_.file(name + ".log"));
  }
  static proto::DataplaneConfig configuration() {
    auto config = one_service(1, "10.9.9.9");
    config.mutable_services(0)->set_encap(proto::IPIP);  // no second chance: all flows are replicated
    return config;
  }
  static proto::SetPeersResponse meet(DataplaneClient& client, const std::string& address) {
    proto::SetPeersRequest request;
    auto& peer = *request.add_peers();
    peer.set_gateway("gw");
    peer.set_address(address);
    proto::SetPeersResponse response;
    grpc::ClientContext context;
    const auto status = client.stub().SetPeers(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  static bool is_ready(DataplaneClient& client) { return client.stats().sync().state() == proto::SYNC_READY; }
  /// SYN and ACK of every flow, over and over.
  [[nodiscard]] std::string traffic() const {
    std::vector<Frame> frames;
    for (std::uint16_t i = 0; i < kFlows; ++i) {
      for (const std::uint8_t flags : {kTcpSyn, kTcpAck}) {
        const auto port = static_cast<std::uint16_t>(40'000 + i);
        frames.push_back(tcp_syn(kClientMac, kGatewayMac, "198.51.100.7", "203.0.113.10", port, 80));
        frames.back()[34 + offsetof(TcpHeader, flags)] = flags;
      }
    }
    const std::string file = directory_.file("in.pcap");
    write_pcap(file, frames);
    return "net_pcap0,rx_pcap=" + file + ",tx_pcap=/dev/null,infinite_rx=1";
  }

  TemporaryDirectory directory_;
};

TEST_F(SyncProcessTest, FlowsOfAKilledDataplaneLiveOnAtItsPeerAndComeBackWithItsSuccessor) {
  const std::string first = free_address(), second = free_address();
  auto one = start("one", traffic(), first);
  auto two = start("two", "net_null0,no-rx=1", second);
  DataplaneClient to_one(directory_.file("one.sock")), to_two(directory_.file("two.sock"));
  ASSERT_TRUE(to_one.connected()) << one->log();
  ASSERT_TRUE(to_two.connected()) << two->log();
  EXPECT_EQ(to_one.stats().sync().state(), proto::SYNC_OFF);
  ASSERT_TRUE(to_one.apply(configuration()).accepted());
  ASSERT_TRUE(to_two.apply(configuration()).accepted());
  ASSERT_TRUE(meet(to_one, second).accepted());
  ASSERT_TRUE(meet(to_two, first).accepted());
  ASSERT_TRUE(eventually([&] { return is_ready(to_one) && is_ready(to_two); })) << one->log();
  ASSERT_TRUE(eventually([&] { return to_two.stats().sync().foreign_flows() == kFlows; }))
      << to_two.stats().sync().ShortDebugString();
  EXPECT_TRUE(eventually([&] { return to_one.stats().sync().replicated_flows() == kFlows; }));

  one->signal(SIGKILL);
  one->wait();
  ASSERT_TRUE(eventually([&] { return to_two.stats().sync().peers(0).silent_ms() > 1500; }));
  EXPECT_EQ(to_two.stats().sync().foreign_flows(), kFlows);

  one = start("one", "net_null0,no-rx=1", first);
  DataplaneClient to_successor(directory_.file("one.sock"));
  ASSERT_TRUE(to_successor.connected()) << one->log();
  ASSERT_TRUE(to_successor.apply(configuration()).accepted());
  ASSERT_TRUE(meet(to_successor, second).accepted());
  ASSERT_TRUE(eventually([&] { return is_ready(to_successor); })) << one->log();
  EXPECT_TRUE(eventually([&] { return to_successor.stats().sync().foreign_flows() == kFlows; }))
      << one->log();
  EXPECT_EQ(to_two.stats().sync().foreign_flows(), kFlows) << "the empty successor ended nothing";
}

TEST_F(SyncProcessTest, PeersThatCannotBeAreRefusedNamingTheirField) {
  const std::string address = free_address();
  auto one = start("one", "net_null0,no-rx=1", address);
  DataplaneClient client(directory_.file("one.sock"));
  ASSERT_TRUE(client.connected()) << one->log();
  const auto refused = meet(client, address);
  EXPECT_FALSE(refused.accepted());
  ASSERT_EQ(refused.refusals_size(), 1);
  EXPECT_EQ(refused.refusals(0).field(), "peers[0].address");
}

TEST_F(SyncProcessTest, TablesTooSmallForReplicationAreRefused) {
  DataplaneProcess small({"--port", "net_null0", "--no-huge", "--socket", directory_.file("small.sock"),
                          "--flows", "10000", "--sync-address", free_address()},
                         directory_.file("small.log"));
  EXPECT_EQ(small.wait(), 64);
  EXPECT_NE(small.log().find("flows"), std::string::npos) << small.log();
}

}  // namespace
}  // namespace penstock
