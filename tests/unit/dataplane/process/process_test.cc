// The real binary on memory-backed ports, without hugepages or root's network: configuration by gRPC, packets
// through pcap files, refusals as a user meets them.
#include <sched.h>

#include <chrono>

#include "tests/unit/dataplane/process/dataplane_process.h"
#include "tests/unit/dataplane/process/pcap_file.h"

namespace penstock {
namespace {

const MacAddr kClientMac{{2, 0, 0, 0, 0, 1}};
const MacAddr kBackendMac{{2, 0, 0, 0, 0, 0x99}};
const std::string kNextHop = "mac=02:00:00:00:00:99,source_v4=192.0.2.1";

class DataplaneProcessTest : public ::testing::Test {
 protected:
  std::vector<std::string> arguments(const std::string& port, std::vector<std::string> more = {}) const {
    std::vector<std::string> out{"--port",  port,    "--no-huge", "--socket", socket_,
                                 "--flows", "10000", "--idle",    "sleep:50"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  std::unique_ptr<DataplaneProcess> start(const std::vector<std::string>& arguments) const {
    return std::make_unique<DataplaneProcess>(arguments, directory_.file("log"));
  }

  TemporaryDirectory directory_;
  const std::string socket_ = directory_.file("dataplane.sock");
};

TEST_F(DataplaneProcessTest, PacketsFromAFileLeaveEncapsulatedAndEveryOneIsCounted) {
  // infinite_rx replays the file, so that the packets are there whenever the configuration arrives.
  const std::string in = directory_.file("in.pcap");
  const std::string out = directory_.file("out.pcap");
  write_pcap(in, {tcp_syn(kClientMac, kBackendMac, "198.51.100.7", "203.0.113.10", 40001, 80),
                  tcp_syn(kClientMac, kBackendMac, "198.51.100.7", "203.0.113.10", 40002, 81),
                  tcp_syn(kClientMac, kBackendMac, "198.51.100.7", "192.0.2.77", 40003, 80), Frame(14, 0)});
  auto process = start(arguments("net_pcap0,rx_pcap=" + in + ",tx_pcap=" + out + ",infinite_rx=1",
                                 {"--static-next-hop", "net_pcap0," + kNextHop, "--probe-interval-ms", "0"}));
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << process->log();
  const auto applied = client.apply(one_service(1, "10.9.9.9"));
  ASSERT_TRUE(applied.accepted()) << applied.ShortDebugString();
  ASSERT_TRUE(eventually([&] { return outcome(client.stats(), "forwarded") >= 10; })) << process->log();

  const auto stats = client.stats();
  EXPECT_EQ(stats.received_packets(), sum_of_outcomes(stats));
  EXPECT_GT(outcome(stats, "dropped_no_service"), 0U);
  EXPECT_GT(outcome(stats, "not_vip"), 0U);
  ASSERT_EQ(stats.services_size(), 1);
  EXPECT_EQ(stats.services(0).backends(0).new_flows(), 1U);
  EXPECT_EQ(stats.services(0).backends(0).next_hop(), "02:00:00:00:00:99");
  EXPECT_EQ(stats.lcores(0).flows(), 1U);

  const auto flows = client.flows();
  ASSERT_EQ(flows.size(), 1U);
  EXPECT_EQ(flows[0].service(), "web");
  EXPECT_EQ(flows[0].backend(), "be1");
  EXPECT_EQ(flows[0].state(), "syn");
  EXPECT_TRUE(client.flows("other").empty());

  EXPECT_EQ(process->terminate(), 0) << process->log();
  const auto frames = read_pcap(out);
  ASSERT_GE(frames.size(), 10U);
  for (const Frame& frame : frames) {
    const GueFrame gue = read_gue(frame);
    ASSERT_TRUE(gue.valid);
    ASSERT_EQ(gue.ethernet.destination, kBackendMac);
    ASSERT_EQ(gue.outer.source, v4("192.0.2.1"));
    ASSERT_EQ(gue.outer.destination, v4("10.9.9.9"));
    ASSERT_EQ(gue.inner.destination, v4("203.0.113.10"));
    ASSERT_EQ(gue.tcp.source_port, be16(40001));
  }
}

TEST_F(DataplaneProcessTest, HeartbeatBeatsWhileWorkersRunAndEndsWhenTheProcessIsToldToStop) {
  auto process = start(arguments("net_null0"));
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << process->log();
  proto::HeartbeatRequest request;
  request.set_interval_ms(10);
  grpc::ClientContext context;
  auto beats = client.stub().Heartbeat(&context, request);
  proto::Beat beat;
  for (std::uint64_t expected = 1; expected <= 5; ++expected) {
    ASSERT_TRUE(beats->Read(&beat));
    EXPECT_EQ(beat.sequence(), expected);
    EXPECT_LE(beat.oldest_progress_us(), 50'000U);
  }
  process->signal(SIGTERM);
  while (beats->Read(&beat)) {
  }
  EXPECT_TRUE(beats->Finish().ok()) << "ended by the server in good order, not by a broken connection";
  EXPECT_EQ(process->wait(), 0);
}

TEST_F(DataplaneProcessTest, HeartbeatIntervalOutOfRangeIsRefused) {
  auto process = start(arguments("net_null0"));
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << process->log();
  for (const std::uint32_t interval : {0U, 9U, 1001U}) {
    proto::HeartbeatRequest request;
    request.set_interval_ms(interval);
    grpc::ClientContext context;
    auto beats = client.stub().Heartbeat(&context, request);
    proto::Beat beat;
    EXPECT_FALSE(beats->Read(&beat));
    const auto status = beats->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message(), "interval_ms: must be 10-1000");
  }
}

TEST_F(DataplaneProcessTest, SocketIsForTheOwnerOnlyAndNothingIsLeftBehind) {
  auto process = start(arguments("net_null0"));
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << process->log();
  struct stat info {};
  ASSERT_EQ(stat(socket_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(process->terminate(), 0);
  EXPECT_NE(access(socket_.c_str(), F_OK), 0);
  EXPECT_NE(access((socket_ + ".lock").c_str(), F_OK), 0);
}

TEST_F(DataplaneProcessTest, SecondDataplaneOnTheSameSocketIsRefusedAndTheFirstGoesOn) {
  auto first = start(arguments("net_null0"));
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << first->log();
  DataplaneProcess second(arguments("net_null0"), directory_.file("second.log"));
  EXPECT_EQ(second.wait(), 75);
  EXPECT_NE(second.log().find("another penstock-dataplane is listening on " + socket_), std::string::npos)
      << second.log();
  const std::uint64_t before = client.stats().received_packets();
  EXPECT_TRUE(eventually([&] { return client.stats().received_packets() > before; }));
  EXPECT_EQ(first->terminate(), 0);
}

TEST_F(DataplaneProcessTest, NothingButItsWorkerMayRunOnAWorkersCpuWhenThereAreOthers) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "needs two CPUs";
  auto process = start(arguments("net_null0", {"--lcores", "1"}));
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << process->log();
  int on_its_cpu = 0;
  int others = 0;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(process->pid()) + "/task")) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    // A thread may end meanwhile.
    if (sched_getaffinity(std::stoi(task.path().filename()), sizeof cpus, &cpus) != 0) continue;
    ++(CPU_ISSET(1, &cpus) ? on_its_cpu : others);
  }
  EXPECT_EQ(on_its_cpu, 1);
  EXPECT_GT(others, 3);
  EXPECT_EQ(process->terminate(), 0);
}

TEST_F(DataplaneProcessTest, StartsAgainAfterBeingKilled) {
  auto first = start(arguments("net_null0"));
  {
    DataplaneClient client(socket_);
    ASSERT_TRUE(client.connected()) << first->log();
  }
  first->signal(SIGKILL);
  EXPECT_EQ(first->wait(), -SIGKILL);
  auto second = start(arguments("net_null0"));
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << second->log();
  EXPECT_EQ(client.stats().generation(), 0U);
  EXPECT_EQ(second->terminate(), 0);
}

struct BadStart {
  const char* what;
  std::vector<std::string> arguments;
  int exit_code;
  const char* sentence;
};

TEST_F(DataplaneProcessTest, BadCommandLinesAndDevicesAreRefusedWithASentence) {
  const std::vector<BadStart> cases{
      {"no port", {}, 64, "--port is required"},
      {"no device", {"--port", "eth0"}, 64, "'eth0' is no device"},
      {"unknown flag", {"--port", "net_null0", "--frobnicate"}, 64, "--frobnicate"},
      {"unknown driver", {"--port", "net_bogus0", "--no-huge"}, 78, "port net_bogus0: refused"},
      {"wrong argument", {"--port", "net_null0,bogus=1", "--no-huge"}, 78, "port net_null0: refused"},
      {"missing pcap",
       {"--port", "net_pcap0,rx_pcap=/nonexistent.pcap", "--no-huge"},
       78,
       "/nonexistent.pcap"},
      {"no such CPU", {"--port", "net_null0", "--no-huge", "--lcores", "1023"}, 78, "lcores: CPU 1023"},
      {"more lcores than queues",
       {"--port", "net_pcap0,iface=lo", "--no-huge", "--lcores", "0,1"},
       78,
       "port net_pcap0 has 1 queue(s)"},
      {"no interrupts", {"--port", "net_null0", "--no-huge", "--idle", "interrupt"}, 78, "no RX interrupts"},
      {"too little memory", {"--port", "net_null0", "--no-huge", "--memory-mb", "8"}, 69, "--memory-mb"},
      {"too few buffers", {"--port", "net_null0", "--no-huge", "--buffers", "64"}, 64, "--buffers"},
      {"too few hugepages", {"--port", "net_null0", "--memory-mb", "1000000"}, 69, "not enough hugepages"},
      {"bad EAL argument", {"--port", "net_null0", "--no-huge", "--eal", "--bogus"}, 78, "eal:"},
      {"sync address without a port",
       {"--port", "net_null0", "--sync-address", "192.0.2.1"},
       64,
       "--sync-address"},
      {"sync group", {"--port", "net_null0", "--sync-group", "40+4"}, 64, "--sync-group"},
      {"no such file", {"--config", "/nonexistent.yaml"}, 78, "/nonexistent.yaml"},
  };
  for (const BadStart& bad : cases) {
    SCOPED_TRACE(bad.what);
    auto arguments = bad.arguments;
    arguments.insert(arguments.end(), {"--socket", socket_});
    auto process = start(arguments);
    EXPECT_EQ(process->wait(), bad.exit_code) << process->log();
    EXPECT_NE(process->log().find(bad.sentence), std::string::npos) << process->log();
    EXPECT_NE(access(socket_.c_str(), F_OK), 0);
    EXPECT_NE(access((socket_ + ".lock").c_str(), F_OK), 0);
  }
}

TEST_F(DataplaneProcessTest, BadFilesAreRefusedWithFileLineAndKey) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"port: net_null0\nfrobnicate: 1\n", "line 2: frobnicate: unknown key"},
      {"port: net_null0\nidle: spin\nidle: pause\n", "line 3: idle: given twice"},
      {"port: net_null0\nflows: many\n", "line 2: "},
      {"port: net_null0\nidle: sleep\n", "line 2: "},
      {"port: net_null0\nlcores: {a: 1}\n", "line 2: lcores: expected a single value"},
      {"port: [net_null0, net_null0]\n", "port: 'net_null0' is given twice"},
      {"port: net_null0\nstatic_next_hop: net_tap0,mac=02:00:00:00:00:01,source_v4=192.0.2.1\n",
       "there is no port 'net_tap0'"},
      {"port: [net_null0\n", "not valid YAML"},
  };
  const std::string file = directory_.file("dataplane.yaml");
  for (const auto& [text, sentence] : cases) {
    SCOPED_TRACE(text);
    std::ofstream(file) << text;
    auto process = start({"--config", file, "--socket", socket_});
    EXPECT_EQ(process->wait(), 78);
    EXPECT_NE(process->log().find(file), std::string::npos) << process->log();
    EXPECT_NE(process->log().find(sentence), std::string::npos) << process->log();
  }
}

TEST_F(DataplaneProcessTest, AFileSaysTheSameAsTheFlags) {
  const std::string file = directory_.file("dataplane.yaml");
  std::ofstream(file) << "port: [\"net_null0,size=64\", \"net_null1,size=64\"]\nno_huge: true\nflows: "
                         "10000\nidle: \"sleep:50\"\nsocket: "
                      << socket_ << "\nstatic_next_hop:\n  - net_null1," << kNextHop << "\n";
  auto process = start({"--config", file});
  DataplaneClient client(socket_);
  ASSERT_TRUE(client.connected()) << process->log();
  const auto stats = client.stats();
  ASSERT_EQ(stats.ports_size(), 2);
  EXPECT_EQ(stats.ports(1).name(), "net_null1");
  EXPECT_EQ(process->terminate(), 0);
}

}  // namespace
}  // namespace penstock
