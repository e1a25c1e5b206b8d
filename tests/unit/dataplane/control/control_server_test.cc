// The control service over a real unix socket: real gRPC, compiler, publisher, flow table and counters.
#include "dataplane/control/control_server.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "dataplane/control/socket_lock.h"
#include "penstock/proto/dataplane.grpc.pb.h"
#include "tests/unit/dataplane/control/control_harness.h"

namespace penstock {
namespace {

class ControlServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/penstock-control-XXXXXX";
    directory_ = mkdtemp(name);
    socket_ = directory_ + "/dataplane.sock";
    auto started = ControlServer::start(socket_, harness_.applier, harness_.view());
    ASSERT_TRUE(started) << started.error().text();
    server_ = std::move(started).value();
    channel_ = grpc::CreateChannel("unix:" + socket_, grpc::InsecureChannelCredentials());
    stub_ = proto::Dataplane::NewStub(channel_);
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }
  proto::ApplyConfigResponse apply(const proto::DataplaneConfig& document) {
    proto::ApplyConfigRequest request;
    *request.mutable_config() = document;
    proto::ApplyConfigResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(stub_->ApplyConfig(&context, request, &response).ok());
    return response;
  }
  proto::DataplaneStats stats() {
    proto::DataplaneStats response;
    grpc::ClientContext context;
    EXPECT_TRUE(stub_->GetStats(&context, {}, &response).ok());
    return response;
  }
  std::vector<proto::Flow> flows(const std::string& service_id, std::uint32_t limit) {
    proto::DumpFlowsRequest request;
    request.set_service(service_id);
    request.set_limit(limit);
    grpc::ClientContext context;
    auto reader = stub_->DumpFlows(&context, request);
    std::vector<proto::Flow> out;
    for (proto::Flow flow; reader->Read(&flow);) out.push_back(flow);
    EXPECT_TRUE(reader->Finish().ok());
    return out;
  }

  std::string directory_;
  std::string socket_;
  ControlHarness harness_;
  std::unique_ptr<ControlServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<proto::Dataplane::Stub> stub_;
};

const proto::Service kWeb = service("web", "203.0.113.10", {"10.0.0.1", "10.0.0.2"});
const proto::Service kDns = service("dns", "203.0.113.11", {"10.0.0.3"});

TEST_F(ControlServerTest, AcceptedConfigurationRunsAndARefusedOneSaysWhatIsWrong) {
  const auto accepted = apply(config(1, 1, {kWeb}));
  EXPECT_TRUE(accepted.accepted());
  EXPECT_EQ(accepted.running_generation(), 1U);
  auto bad = config(1, 2, {kWeb});
  bad.mutable_services(0)->mutable_backends(1)->set_address("be2.example");
  const auto refused = apply(bad);
  EXPECT_FALSE(refused.accepted());
  EXPECT_EQ(refused.running_generation(), 1U);
  ASSERT_EQ(refused.refusals_size(), 1);
  EXPECT_EQ(refused.refusals(0).field(), "services[0].backends[1].address");
  EXPECT_EQ(stats().generation(), 1U);
}

TEST_F(ControlServerTest, StatsAddUpAndNameServicesBackendsAndPorts) {
  ASSERT_TRUE(apply(config(1, 1, {kWeb})).accepted());
  const auto& compiled = *harness_.publisher.current().services()[0];
  harness_.counters.outcomes[static_cast<std::size_t>(Outcome::kForwarded)].add(7);
  harness_.counters.outcomes[static_cast<std::size_t>(Outcome::kNotVip)].add(3);
  harness_.counters.service(compiled.index).outcomes[static_cast<std::size_t>(Outcome::kForwarded)].add(7);
  harness_.counters.backend(compiled.backends[1]).packets.add(7);
  harness_.counters.backend(compiled.backends[1]).bytes.add(700);
  harness_.counters.backend(compiled.backends[1]).new_flows.add(2);
  harness_.flows.insert(0x1111, compiled.backends[1], PacketKind::kSyn, IdleTicks::from_seconds(9, 9, 9, 9));
  harness_.census.count(harness_.flows);
  harness_.census.publish();
  const auto report = stats();
  EXPECT_EQ(report.received_packets(), 10U);
  EXPECT_EQ(report.outcomes_size(), static_cast<int>(kOutcomeCount));
  ASSERT_EQ(report.services_size(), 1);
  ASSERT_EQ(report.services(0).outcomes_size(), 1) << "outcomes that never occurred are left out of services";
  EXPECT_EQ(report.services(0).outcomes(0).outcome(), "forwarded");
  EXPECT_EQ(report.services(0).backends(1).backend(), "be2");
  EXPECT_EQ(report.services(0).backends(1).bytes(), 700U);
  EXPECT_EQ(report.services(0).backends(1).new_flows(), 2U);
  EXPECT_EQ(report.services(0).backends(1).flows(), 1U);
  EXPECT_EQ(report.services(0).backends(0).flows(), 0U);
  EXPECT_EQ(report.services(0).backends(1).next_hop(), "02:00:00:00:00:09");
  EXPECT_EQ(report.lcores(0).burst_sizes_size(), 33);
  EXPECT_EQ(report.ports(0).steered(), 6U);
}

// What the weight loop asks ten times a second.
TEST_F(ControlServerTest, StatsOfSomeServicesAreThoseAndNothingElse) {
  ASSERT_TRUE(apply(config(1, 1, {kWeb, kDns})).accepted());
  proto::UpdateWeightsRequest update;
  update.set_epoch(1);
  update.set_base_generation(1);
  update.set_version(3);
  auto& weights = *update.add_services();
  weights.set_service("dns");
  auto& weight = *weights.add_backends();
  weight.set_backend("be1");
  weight.set_weight(9);
  proto::ApplyConfigResponse updated;
  grpc::ClientContext update_context;
  ASSERT_TRUE(stub_->UpdateWeights(&update_context, update, &updated).ok());
  ASSERT_TRUE(updated.accepted());

  proto::GetStatsRequest request;
  request.add_services("dns");
  request.add_services("gone");
  proto::DataplaneStats report;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->GetStats(&context, request, &report).ok());
  EXPECT_EQ(report.generation(), 1U);
  EXPECT_EQ(report.weights_version(), 3U);
  EXPECT_GT(report.uptime_ns(), 0U);
  ASSERT_EQ(report.services_size(), 1);
  EXPECT_EQ(report.services(0).service(), "dns");
  EXPECT_EQ(report.services(0).backends(0).weight(), 9U);
  EXPECT_EQ(report.lcores_size() + report.ports_size() + report.outcomes_size(), 0);
}

TEST_F(ControlServerTest, DumpNamesTheFlowsOfAService) {
  ASSERT_TRUE(apply(config(1, 1, {kWeb, kDns})).accepted());
  const Snapshot& snapshot = harness_.publisher.current();
  for (const auto& compiled : snapshot.services()) {
    const std::uint64_t digest =
        compiled->document.id == "web" ? 0x1111'2222'3333'4444 : 0x9999'2222'3333'5555;
    harness_.flows.insert(digest, compiled->backends[0], PacketKind::kSyn,
                          snapshot.service(compiled->index).idle);
  }
  EXPECT_EQ(flows("", 0).size(), 2U);
  EXPECT_EQ(flows("", 1).size(), 1U);
  EXPECT_TRUE(flows("nope", 0).empty());
  const auto web = flows("web", 0);
  ASSERT_EQ(web.size(), 1U);
  EXPECT_EQ(web[0].backend(), "be1");
  EXPECT_EQ(web[0].state(), "syn");
  EXPECT_EQ(web[0].idle_seconds(), 0U);
}

TEST_F(ControlServerTest, HeartbeatPausesWhileAWorkerIsStuckAndGoesOnAfter) {
  proto::HeartbeatRequest request;
  request.set_interval_ms(10);
  grpc::ClientContext context;
  auto beats = stub_->Heartbeat(&context, request);
  proto::Beat beat;
  ASSERT_TRUE(beats->Read(&beat));
  harness_.progress_ns = 51'000'000;
  // What was under way may still arrive; then there is silence, in which a reader would wait.
  const auto stuck = std::chrono::steady_clock::now();
  std::thread recovery([&] {
    std::this_thread::sleep_until(stuck + std::chrono::milliseconds(300));
    harness_.progress_ns = 2'000;
  });
  std::uint64_t last_before = beat.sequence();
  std::chrono::steady_clock::duration longest{};
  for (auto previous = stuck; std::chrono::steady_clock::now() < stuck + std::chrono::milliseconds(600);) {
    ASSERT_TRUE(beats->Read(&beat));
    EXPECT_EQ(beat.sequence(), ++last_before);
    const auto now = std::chrono::steady_clock::now();
    longest = std::max(longest, now - previous);
    previous = now;
  }
  recovery.join();
  EXPECT_GE(longest, std::chrono::milliseconds(250));
  server_->stop_heartbeats();
  while (beats->Read(&beat)) {
  }
  EXPECT_TRUE(beats->Finish().ok());
}

TEST_F(ControlServerTest, ConfigurationOfTheLargestSizePassesTheWire) {
  std::vector<proto::Service> services;
  for (int s = 0; s < 20; ++s) {
    std::vector<std::string> backends;
    for (int b = 0; b < 5000; ++b) {
      backends.push_back("10." + std::to_string(s) + "." + std::to_string(b / 250) + "." +
                         std::to_string(b % 250 + 1));
    }
    services.push_back(service("s" + std::to_string(s), "203.0.113." + std::to_string(s + 1), backends));
    services.back().set_table_size(10'007);
  }
  EXPECT_TRUE(apply(config(1, 1, services)).accepted());
}

TEST(SocketLock, IsExclusiveUntilItEnds) {
  char name[] = "/tmp/penstock-lock-XXXXXX";
  const std::string directory = mkdtemp(name);
  const std::string socket = directory + "/below/dataplane.sock";
  {
    auto held = SocketLock::take(socket);
    ASSERT_TRUE(held) << held.error().text();
    auto second = SocketLock::take(socket);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  }
  EXPECT_TRUE(SocketLock::take(socket));
  EXPECT_NE(access((socket + ".lock").c_str(), F_OK), 0) << "nothing is left behind";
  std::filesystem::remove_all(directory);
}

TEST(SocketLock, PathLongerThanAUnixSocketIsRefused) {
  const auto refused = SocketLock::take("/tmp/" + std::string(200, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().field, "socket");
}

}  // namespace
}  // namespace penstock
