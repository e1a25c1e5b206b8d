// Configurations swapped under traffic in the real binary: every packet leaves once, each flow's packets in
// the order in which they came, and each flow by the backend that it had.
//
// The traffic is numbered. It comes through a named pipe, which net_pcap reads like a file, so that it begins
// when the first configuration runs and ends when the last one does; what leaves is read from a file.
#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <map>
#include <random>

#include "tests/unit/dataplane/process/dataplane_process.h"
#include "tests/unit/dataplane/process/pcap_file.h"

namespace penstock {
namespace {

constexpr std::uint32_t kFlows = 500;
constexpr int kBackends = 8;
constexpr int kSwaps = 300;

/// Packet number `sequence` of a flow, which begins with a SYN: only flows that this gateway saw begin are
/// its own to keep.
Frame numbered(std::uint32_t flow, std::uint32_t sequence, const std::string& destination) {
  Frame frame = tcp_syn({{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, "198.51.100.7", destination,
                        static_cast<std::uint16_t>(10'000 + flow), 80);
  auto tcp = read_at<TcpHeader>(frame, 34);
  tcp.flags = sequence == 0 ? kTcpSyn : kTcpAck;
  tcp.sequence = be32(sequence);
  std::memcpy(frame.data() + 34, &tcp, sizeof tcp);
  return frame;
}

/// Writes packets into the pipe until told to stop, random flows in turn. Those before begin() are for
/// nobody: a worker that waits for the pipe would hold up the first configuration.
class Traffic {
 public:
  Traffic(std::string pipe, std::uint64_t seed) : pipe_(std::move(pipe)), random_(seed) {
    EXPECT_EQ(mkfifo(pipe_.c_str(), 0600), 0);
    thread_ = std::thread([this] { write_all(); });
  }
  ~Traffic() { end(); }
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  void begin() { begun_ = true; }
  void end() {
    ended_ = true;
    // Without a reader ever the thread would still wait for one.
    close(open(pipe_.c_str(), O_RDONLY | O_NONBLOCK));
    if (thread_.joinable()) thread_.join();
  }
  /// After end(): packets to the VIP, by flow.
  [[nodiscard]] const std::map<std::uint32_t, std::uint32_t>& sent() const { return sent_; }
  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t total = 0;
    for (const auto& [flow, count] : sent_) total += count;
    return total;
  }

 private:
  void write_all() {
    // Opening waits for the reader. A reader that dies ends the test by its own checks, not by SIGPIPE.
    signal(SIGPIPE, SIG_IGN);
    std::ofstream out(pipe_, std::ios::binary);
    const PcapHeader header;
    out.write(reinterpret_cast<const char*>(&header), sizeof header);
    while (!ended_ && out) {
      const bool to_vip = begun_;
      for (int i = 0; i < 64; ++i) write_one(out, to_vip);
      out.flush();
      std::this_thread::sleep_for(std::chrono::microseconds(100));  // bounds the files, not the outcome
    }
  }
  void write_one(std::ofstream& out, bool to_vip) {
    const auto flow = static_cast<std::uint32_t>(random_() % kFlows);
    const Frame frame =
        to_vip ? numbered(flow, sent_[flow]++, "203.0.113.10") : numbered(flow, 0, "192.0.2.77");
    const auto size = static_cast<std::uint32_t>(frame.size());
    const PcapRecord record{0, 0, size, size};
    out.write(reinterpret_cast<const char*>(&record), sizeof record);
    out.write(reinterpret_cast<const char*>(frame.data()), static_cast<std::streamsize>(size));
  }

  const std::string pipe_;
  std::mt19937_64 random_;
  std::map<std::uint32_t, std::uint32_t> sent_;
  std::atomic<bool> begun_{false};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

std::string backend_address(int backend) { return "10.9.0." + std::to_string(1 + backend); }

proto::DataplaneConfig eight_backends() {
  proto::DataplaneConfig config = one_service(1, backend_address(0));
  for (int i = 1; i < kBackends; ++i) {
    auto& backend = *config.mutable_services(0)->add_backends();
    backend.set_id("be" + std::to_string(1 + i));
    backend.set_address(backend_address(i));
    backend.set_weight(1);
  }
  return config;
}

/// Weights and drains of the service under traffic, and another service that comes and goes.
void change(proto::DataplaneConfig& config, std::mt19937_64& random) {
  auto& backend = *config.mutable_services(0)->mutable_backends(static_cast<int>(random() % kBackends));
  switch (random() % 3) {
    case 0:
      backend.set_weight(1 + static_cast<std::uint32_t>(random() % 100));
      break;
    case 1:
      backend.set_drain(!backend.drain());
      break;
    default:
      if (config.services_size() == 2) {
        config.mutable_services()->RemoveLast();
      } else {
        auto& other = *config.add_services();
        other = config.services(0);
        other.set_id("other");
        other.set_port(81);
      }
  }
}

proto::ApplyConfigResponse update_one_weight(DataplaneClient& client, proto::DataplaneConfig& config,
                                             std::uint32_t weight) {
  auto& backend = *config.mutable_services(0)->mutable_backends(0);
  backend.set_weight(weight);
  proto::UpdateWeightsRequest request;
  request.set_epoch(config.epoch());
  request.set_base_generation(config.generation());
  request.set_version(1);
  auto& service = *request.add_services();
  service.set_service("web");
  auto& entry = *service.add_backends();
  entry.set_backend(backend.id());
  entry.set_weight(weight);
  proto::ApplyConfigResponse response;
  grpc::ClientContext context;
  EXPECT_TRUE(client.stub().UpdateWeights(&context, request, &response).ok());
  return response;
}

struct Left {
  std::map<std::uint32_t, std::uint32_t> counts;  // by flow
  std::uint64_t misordered = 0;
  std::uint64_t moved = 0;
};

Left read_what_left(const std::string& path) {
  Left left;
  std::map<std::uint32_t, Ipv4Addr> backends;
  for (const Frame& frame : read_pcap(path)) {
    const GueFrame gue = read_gue(frame);
    EXPECT_TRUE(gue.valid);
    const std::uint32_t flow = gue.tcp.source_port.host() - 10'000U;
    left.misordered += gue.tcp.sequence.host() != left.counts[flow]++;
    const auto [backend, first] = backends.emplace(flow, gue.outer.destination);
    left.moved += backend->second != gue.outer.destination;
  }
  return left;
}

TEST(ConfigurationSwap, LosesReordersAndMovesNoPacketOfAnyFlow) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  TemporaryDirectory directory;
  const std::string in = directory.file("in.pcap");
  const std::string out = directory.file("out.pcap");
  const std::string socket = directory.file("dataplane.sock");
  Traffic traffic(in, seed);
  DataplaneProcess process({"--port", "net_pcap0,rx_pcap=" + in + ",tx_pcap=" + out, "--no-huge", "--socket",
                            socket, "--flows", "10000", "--idle", "sleep:50", "--probe-interval-ms", "0",
                            "--static-next-hop", "net_pcap0,mac=02:00:00:00:00:99,source_v4=192.0.2.1"},
                           directory.file("log"));
  DataplaneClient client(socket);
  ASSERT_TRUE(client.connected()) << process.log();
  proto::DataplaneConfig config = eight_backends();
  ASSERT_TRUE(client.apply(config).accepted());
  traffic.begin();
  ASSERT_TRUE(eventually([&] { return outcome(client.stats(), "forwarded") >= 10 * kFlows; }))
      << process.log();

  const std::uint64_t before = outcome(client.stats(), "forwarded");
  for (int swap = 0; swap < kSwaps; ++swap) {
    proto::ApplyConfigResponse response;
    if (swap % 2 == 0) {
      config.set_generation(config.generation() + 1);
      change(config, random);
      response = client.apply(config);
    } else {
      response = update_one_weight(client, config, 1 + static_cast<std::uint32_t>(random() % 100));
    }
    ASSERT_TRUE(response.accepted()) << response.ShortDebugString();
  }
  EXPECT_GT(outcome(client.stats(), "forwarded"), before) << "the swaps were to meet traffic";
  traffic.end();
  EXPECT_TRUE(eventually([&] { return outcome(client.stats(), "forwarded") >= traffic.total(); }))
      << traffic.total() << " packets sent\n"
      << client.stats().ShortDebugString();
  EXPECT_EQ(process.terminate(), 0) << process.log();

  const Left left = read_what_left(out);
  EXPECT_EQ(left.counts, traffic.sent());
  EXPECT_EQ(left.misordered, 0U);
  EXPECT_EQ(left.moved, 0U);
}

}  // namespace
}  // namespace penstock
