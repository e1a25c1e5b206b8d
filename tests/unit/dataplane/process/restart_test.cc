// The real binary, killed and started again on the flow tables that it left.
#include <map>

#include "dataplane/flow/flow_bucket.h"
#include "tests/unit/dataplane/process/dataplane_process.h"
#include "tests/unit/dataplane/process/pcap_file.h"

namespace penstock {
namespace {

constexpr std::size_t kFlows = 200;

/// Handshake packets of kFlows connections, to be replayed without end.
std::vector<Frame> connections(std::uint8_t first_flags) {
  std::vector<Frame> frames;
  for (const std::uint8_t flags : {first_flags, kTcpAck}) {
    for (std::size_t i = 0; i < kFlows; ++i) {
      Frame frame = tcp_syn({{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, "198.51.100.7", "203.0.113.10",
                            static_cast<std::uint16_t>(10'000 + i), 80);
      frame[34 + offsetof(TcpHeader, flags)] = flags;
      frames.push_back(std::move(frame));
    }
  }
  return frames;
}

/// Four backends; those named in `heavy` get nearly all new flows.
proto::DataplaneConfig weighted(std::uint64_t generation, std::uint32_t first, std::uint32_t others) {
  proto::DataplaneConfig config = one_service(generation, "10.9.9.1");
  auto& service = *config.mutable_services(0);
  service.mutable_backends(0)->set_weight(first);
  for (int i = 2; i <= 4; ++i) {
    auto& backend = *service.add_backends();
    backend.set_id("be" + std::to_string(i));
    backend.set_address("10.9.9." + std::to_string(i));
    backend.set_weight(others);
  }
  return config;
}

class RestartTest : public ::testing::Test {
 protected:
  RestartTest() {
    char name[] = "/dev/shm/penstock-test-XXXXXX";
    flow_dir_ = mkdtemp(name);
    write_pcap(syns_, connections(kTcpSyn));
    write_pcap(acks_, connections(kTcpAck));
  }
  ~RestartTest() override {
    std::error_code error;
    std::filesystem::remove_all(flow_dir_, error);
  }

  /// Starts a dataplane that is fed `capture`, and configures it.
  void start(const std::string& capture, const proto::DataplaneConfig& config,
             const std::vector<std::string>& more = {}) {
    std::vector<std::string> flags{"--port",
                                   "net_pcap0,rx_pcap=" + capture + ",infinite_rx=1",
                                   "--static-next-hop",
                                   "net_pcap0,mac=02:00:00:00:00:99,source_v4=192.0.2.1",
                                   "--no-huge",
                                   "--socket",
                                   socket_,
                                   "--flows",
                                   "10000",
                                   "--idle",
                                   "sleep:50",
                                   "--flow-dir",
                                   flow_dir_,
                                   "--instance",
                                   "gw"};
    flags.insert(flags.end(), more.begin(), more.end());
    process_ = std::make_unique<DataplaneProcess>(flags, directory_.file("log"));
    client_ = std::make_unique<DataplaneClient>(socket_);
    ASSERT_TRUE(client_->connected()) << process_->log();
    const auto applied = client_->apply(config);
    ASSERT_TRUE(applied.accepted()) << applied.ShortDebugString();
    ASSERT_TRUE(eventually([&] { return outcome(client_->stats(), "forwarded") >= 4 * kFlows; }));
  }
  /// Flow -> backend.
  std::map<std::uint64_t, std::string> placement() {
    std::map<std::uint64_t, std::string> out;
    for (const proto::Flow& flow : client_->flows()) out[flow.digest()] = flow.backend();
    return out;
  }
  std::uint64_t new_flows() {
    std::uint64_t sum = 0;
    const proto::DataplaneStats stats = client_->stats();
    for (const auto& backend : stats.services(0).backends()) sum += backend.new_flows();
    return sum;
  }
  std::string origin() { return client_->stats().lcores(0).flow_table(); }

  void every_flow_stays(int end_by) {
    start(syns_, weighted(1, 1, 1));
    EXPECT_EQ(origin(), "new");
    const auto before = placement();
    ASSERT_EQ(before.size(), kFlows);
    process_->signal(end_by);
    process_->wait();
    // Nearly every slot has another owner now.
    start(acks_, weighted(2, 1, 1000));
    EXPECT_EQ(origin(), "taken over") << process_->log();
    EXPECT_EQ(placement(), before);
    EXPECT_EQ(new_flows(), 0U);
  }

  TemporaryDirectory directory_;
  const std::string socket_ = directory_.file("dataplane.sock");
  const std::string syns_ = directory_.file("syns.pcap");
  const std::string acks_ = directory_.file("acks.pcap");
  std::string flow_dir_;
  std::unique_ptr<DataplaneProcess> process_;
  std::unique_ptr<DataplaneClient> client_;
};

TEST_F(RestartTest, EveryFlowStaysWithItsBackendWhenTheProcessIsKilledAndWeightsChange) {
  every_flow_stays(SIGKILL);
}

TEST_F(RestartTest, EveryFlowStaysWithItsBackendWhenTheProcessIsStoppedAndWeightsChange) {
  every_flow_stays(SIGTERM);
}

TEST_F(RestartTest, BackendsKeepTheirIndexesWhenOthersAreGoneOrNewAfterwards) {
  start(syns_, weighted(1, 1, 1));
  auto before = placement();
  process_->signal(SIGKILL);
  process_->wait();
  // be1 is gone, be5 is new and comes first: without the register it would get be1's index.
  proto::DataplaneConfig config = weighted(2, 1, 1);
  auto& first = *config.mutable_services(0)->mutable_backends(0);
  first.set_id("be5");
  first.set_address("10.9.9.5");
  start(acks_, config);
  ASSERT_EQ(origin(), "taken over");
  const auto after = placement();
  for (const auto& [digest, backend] : before) {
    if (backend == "be1") continue;
    const auto found = after.find(digest);
    ASSERT_NE(found, after.end());
    EXPECT_EQ(found->second, backend);
  }
}

TEST_F(RestartTest, ALayoutThatItDoesNotKnowIsRefusedWithTheSentence) {
  start(syns_, weighted(1, 1, 1));
  process_->signal(SIGKILL);
  process_->wait();
  {
    std::fstream file(flow_dir_ + "/gw.flows.0", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offsetof(FlowTableHeader, layout_version));
    const std::uint32_t later = kLayoutVersion + 1;
    file.write(reinterpret_cast<const char*>(&later), sizeof later);
  }
  start(syns_, weighted(2, 1, 1));
  const std::string sentence = "cannot take over the flow table: it has layout version " +
                               std::to_string(kLayoutVersion + 1) + ", this program writes " +
                               std::to_string(kLayoutVersion);
  EXPECT_EQ(origin(), sentence);
  EXPECT_NE(process_->log().find(sentence), std::string::npos) << process_->log();
  EXPECT_EQ(new_flows(), kFlows);
}

TEST_F(RestartTest, ForgetsTheFlowsWhenTold) {
  start(syns_, weighted(1, 1, 1));
  process_->signal(SIGKILL);
  process_->wait();
  start(syns_, weighted(2, 1, 1), {"--forget-flows"});
  EXPECT_EQ(origin(), "new");
  EXPECT_EQ(new_flows(), kFlows);
}

TEST_F(RestartTest, ASecondProcessCannotHaveTheSameTables) {
  start(syns_, weighted(1, 1, 1));
  DataplaneProcess second({"--port", "net_null0", "--no-huge", "--socket", directory_.file("other.sock"),
                           "--flow-dir", flow_dir_, "--instance", "gw"},
                          directory_.file("second.log"));
  EXPECT_EQ(second.wait(), 75);
  EXPECT_NE(second.log().find("flow_dir: another penstock-dataplane uses the flow tables"), std::string::npos)
      << second.log();
  EXPECT_EQ(process_->terminate(), 0);
}

TEST_F(RestartTest, AFolderThatIsNoMemoryIsRefused) {
  DataplaneProcess process(
      {"--port", "net_null0", "--no-huge", "--socket", socket_, "--flow-dir", "/proc/self/task"},
      directory_.file("log"));
  EXPECT_EQ(process.wait(), 78);
  EXPECT_NE(process.log().find("flow_dir: "), std::string::npos) << process.log();
}

}  // namespace
}  // namespace penstock
