// Drains with a deadline in the real binary: it counts the flows that are left, and ends them by itself.
#include <ctime>

#include "tests/unit/dataplane/process/dataplane_process.h"
#include "tests/unit/dataplane/process/pcap_file.h"

namespace penstock {
namespace {

constexpr std::size_t kFlows = 200;

/// A segment in the middle of each of kFlows connections, to be replayed without end.
std::vector<Frame> segments() {
  std::vector<Frame> frames;
  for (std::size_t i = 0; i < kFlows; ++i) {
    Frame frame = tcp_syn({{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, "198.51.100.7", "203.0.113.10",
                          static_cast<std::uint16_t>(10'000 + i), 80);
    frame[34 + offsetof(TcpHeader, flags)] = kTcpAck;
    frames.push_back(std::move(frame));
  }
  return frames;
}

proto::DataplaneConfig two_backends(std::uint64_t generation) {
  proto::DataplaneConfig config = one_service(generation, "10.9.9.1");
  auto& other = *config.mutable_services(0)->add_backends();
  other.set_id("be2");
  other.set_address("10.9.9.2");
  other.set_weight(1);
  return config;
}

TEST(DrainProcess, CountsWhatIsLeftAndResetsItWhenTheDeadlineHasCome) {
  const TemporaryDirectory directory;
  const std::string socket = directory.file("dataplane.sock");
  write_pcap(directory.file("in.pcap"), segments());
  DataplaneProcess process({"--port",
                            "net_pcap0,rx_pcap=" + directory.file("in.pcap") +
                                ",tx_pcap=" + directory.file("out.pcap") + ",infinite_rx=1",
                            "--static-next-hop", "net_pcap0,mac=02:00:00:00:00:99,source_v4=192.0.2.1",
                            "--no-huge", "--socket", socket, "--flows", "10000", "--idle", "sleep:50"},
                           directory.file("log"));
  DataplaneClient client(socket);
  ASSERT_TRUE(client.connected()) << process.log();
  proto::DataplaneConfig config = two_backends(1);
  config.mutable_services(0)->set_encap(proto::IPIP);  // without second chance every flow is entered
  ASSERT_TRUE(client.apply(config).accepted());
  const auto flows_of = [&](int backend) { return client.stats().services(0).backends(backend).flows(); };
  ASSERT_TRUE(eventually([&] { return flows_of(0) + flows_of(1) == kFlows; })) << process.log();
  EXPECT_GT(flows_of(0), 0U);
  EXPECT_EQ(outcome(client.stats(), "answered_reset"), 0U);

  const std::uint64_t drained = flows_of(0);
  config.set_generation(2);
  auto& first = *config.mutable_services(0)->mutable_backends(0);
  first.set_drain(true);
  first.set_reset_after_unix_seconds(static_cast<std::uint64_t>(std::time(nullptr)) + 2);
  ASSERT_TRUE(client.apply(config).accepted());
  EXPECT_TRUE(eventually([&] { return outcome(client.stats(), "answered_reset") == drained; }))
      << outcome(client.stats(), "answered_reset") << " of " << drained << "\n"
      << process.log();
  EXPECT_TRUE(eventually([&] { return flows_of(0) == 0; }));
  EXPECT_EQ(process.terminate(), 0);

  std::uint64_t resets = 0;
  for (const Frame& frame : read_pcap(directory.file("out.pcap"))) {
    const auto ip = read_at<Ipv4Header>(frame, 14);
    if (ip.protocol != kProtoTcp) continue;
    ++resets;
    EXPECT_EQ(ip.source, v4("203.0.113.10"));
    EXPECT_EQ(ip.destination, v4("198.51.100.7"));
    EXPECT_EQ(read_at<TcpHeader>(frame, 34).flags, kTcpRst);
  }
  EXPECT_EQ(resets, drained);
}

}  // namespace
}  // namespace penstock
