#include "tests/unit/bpf/decap_cost.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "tests/unit/bpf/decap_fixture.h"
#include "tests/unit/bpf/kernel_flows.h"
#include "tests/unit/bpf/probe_packet.h"

namespace penstock {
namespace {

const std::string kGateway = "10.0.31.1", kHost = "10.0.31.2", kVip = "203.0.113.10";
const std::string kGateway6 = "fd00:31::1", kVip6 = "2001:db8:5::10";
const std::string kClient = "198.51.100.7", kClient6 = "2001:db8:c::7";
const std::vector<std::string> kNoHops, kHops = {"10.0.31.11", "10.0.31.12", "10.0.31.13"};
// Its last 14 bytes are the Ethernet header of the decapsulated frame, which comes to lie there: the next run
// of the same frame sees what this one saw.
const std::string kHost6 = "fd00:200:0:2:200:0:1:800";
constexpr std::uint8_t kEthernet[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
constexpr std::size_t kPadding = 4;  // words of private data in GUE, for the same reason

/// The same for IPv4, where that header lies in the options.
Bytes ipip_with_options(const Bytes& inner) {
  Bytes packet = ip_packet(kGateway, kHost, 4, {});
  packet[0] = 0x49;
  append(packet, {1, 1});
  packet.insert(packet.end(), std::begin(kEthernet), std::end(kEthernet));
  const std::size_t header = packet.size();
  append(packet, inner);
  packet[2] = static_cast<std::uint8_t>(packet.size() >> 8);
  packet[3] = static_cast<std::uint8_t>(packet.size());
  packet[10] = packet[11] = 0;
  const be16 sum = checksum(packet.data(), header);
  std::memcpy(packet.data() + 10, &sum, 2);
  return framed(packet);
}

class Measured : public DecapHost {
 public:
  explicit Measured(const CostPlan& plan) : plan_(plan) { set_up(); }

  std::vector<Cost> costs;

  void warm(const char* name, const Bytes& packet, decap_outcome outcome) {
    measure(name, outcome, [&](int program) {
      LIBBPF_OPTS(bpf_test_run_opts, options);
      options.data_in = packet.data();
      options.data_size_in = static_cast<std::uint32_t>(packet.size());
      options.repeat = 10 * plan_.runs;
      options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
      options.batch_size = 64;
      EXPECT_EQ(bpf_prog_test_run_opts(program, &options), 0) << strerror(errno);
    });
  }

  void alone(const char* name, decap_outcome outcome, const std::function<Bytes()>& packet) {
    measure(name, outcome, [&](int program) {
      for (int i = 0; i < plan_.runs; ++i) run_once(program, packet());
    });
  }
  void alone(const char* name, const Bytes& packet, decap_outcome outcome) {
    alone(name, outcome, [&] { return packet; });
  }

 private:
  void set_up() {
    open({kHost, kHost6});
    set_usual(kHost.c_str(), kHost6.c_str());
    set_up_loopback({kVip, kVip6, kClient, kClient6});
    statistics_ = Socket(bpf_enable_stats(BPF_STATS_RUN_TIME));
    ASSERT_GE(statistics_.fd(), 0) << strerror(errno);
    const bpf_insn transmit[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_TX},
                                 {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
    empty_ = Socket(bpf_prog_load(BPF_PROG_TYPE_XDP, "empty", "GPL", transmit, 2, nullptr));
    ASSERT_GE(empty_.fd(), 0);
  }

  static void run_once(int program, const Bytes& packet) {
    Bytes out(packet.size() + 256);
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = packet.data();
    options.data_size_in = static_cast<std::uint32_t>(packet.size());
    options.data_out = out.data();
    options.data_size_out = static_cast<std::uint32_t>(out.size());
    EXPECT_EQ(bpf_prog_test_run_opts(program, &options), 0);
  }

  static bpf_prog_info info(int program) {
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    EXPECT_EQ(bpf_obj_get_info_by_fd(program, &info, &size), 0);
    return info;
  }

  static double each_ns(int program, const std::function<void(int)>& batch) {
    const auto before = info(program);
    batch(program);
    const auto after = info(program);
    return static_cast<double>(after.run_time_ns - before.run_time_ns) /
           static_cast<double>(after.run_cnt - before.run_cnt);
  }

  void measure(const char* name, decap_outcome outcome, const std::function<void(int)>& batch) {
    Cost cost{name, {}, {}};
    const int program = bpf_program__fd(program_->progs.penstock_decap);
    auto before = outcomes();
    for (int i = 0; i < plan_.batches; ++i) {
      cost.floor_ns.push_back(each_ns(empty_.fd(), batch));
      cost.ours_ns.push_back(each_ns(program, batch));
    }
    auto after = outcomes();
    EXPECT_GT(after[outcome], before[outcome]) << name;
    after[outcome] = before[outcome];
    EXPECT_EQ(after, before) << name << ": not all runs did the same";
    costs.push_back(std::move(cost));
  }

  CostPlan plan_;
  Socket statistics_;
  Socket empty_;
};

void measure_packets(Measured& m, const Bytes& known) {
  const Bytes unknown = tcp_packet(kClient, 40002, kVip, 80), udp = udp_packet(kClient, 41000, kVip, 7);
  const Bytes syn = tcp_packet(kClient, 40003, kVip, 80, {kTcpSyn});
  const auto gue = [](const Bytes& inner, const std::vector<std::string>& hops, std::size_t padding = 0) {
    return gue_frame(kGateway, kHost, inner, hops, 0, padding);
  };
  m.warm("gue.no_hops.warm", gue(known, kNoHops, kPadding), DECAP_DECAPSULATED);
  m.warm("gue6.no_hops.warm", gue_frame(kGateway6, kHost6, known, kNoHops, 0, kPadding), DECAP_DECAPSULATED);
  m.warm("ipip.options.warm", ipip_with_options(known), DECAP_DECAPSULATED);
  m.warm("ipip6.warm", framed(ip_packet(kGateway6, kHost6, 4, known)), DECAP_DECAPSULATED);
  m.warm("gue.hops.known.warm", gue(known, kHops, kPadding), DECAP_DECAPSULATED);
  m.warm("gue.hops.syn.warm", gue(syn, kHops, kPadding), DECAP_DECAPSULATED);
  m.alone("gue.no_hops.alone", gue(known, kNoHops), DECAP_DECAPSULATED);
  m.alone("ipip.alone", framed(ip_packet(kGateway, kHost, 4, known)), DECAP_DECAPSULATED);
  m.alone("gue.hops.known.alone", gue(known, kHops), DECAP_DECAPSULATED);
  m.alone("gue.hops.passed_on.alone", gue(unknown, kHops), DECAP_PASSED_ON);
  m.alone("gue.udp.alone", gue(udp, kNoHops), DECAP_DECAPSULATED);
  m.remember_udp_flows();
  m.alone("gue.udp.remembered.alone", gue(udp, kNoHops), DECAP_DECAPSULATED);
  m.alone("gue.hops.udp_seen.alone", gue(udp, kHops), DECAP_DECAPSULATED);
}

std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

void measure_probes(Measured& m) {
  const siphash_key key = probe_key_of(1);
  const abi_u32 first = 0;
  const probe_key value{key, 1, 0};
  const probe_host_entry host{monotonic_ns(), {}};
  const probe_service_entry load{monotonic_ns(), {}};
  const abi_service_key service{key_of(kVip.c_str()), htons(80), 0, 6, 0, {}};
  const auto& maps = m.program_->maps;
  EXPECT_EQ(bpf_map_update_elem(m.fd(maps.probe_keys), &first, &value, BPF_ANY), 0);
  EXPECT_EQ(bpf_map_update_elem(m.fd(maps.probe_host_loads), &first, &host, BPF_ANY), 0);
  EXPECT_EQ(bpf_map_update_elem(m.fd(maps.probe_service_loads), &service, &load, BPF_ANY), 0);
  // Every question is another one, or it would be a replay.
  const auto asking = [&](std::size_t services, std::uint8_t version, std::uint64_t asker) {
    return [=] {
      Question q{.nonce = asker << PENSTOCK_PROBE_NONCE_COUNT_BITS,
                 .services = std::vector<AskedService>(services, {kVip}),
                 .version = version};
      if (version > 1) q.room = 48 * services + 40, q.sections = 3;
      return probe_frame(kGateway, kHost, probe_message(key, q));
    };
  };
  m.alone("probe.one_service.alone", DECAP_ANSWERED_PROBE, asking(1, 2, 1));
  m.alone("probe.eight_services.alone", DECAP_ANSWERED_PROBE, asking(8, 2, 2));
  m.alone("probe.version1.alone", DECAP_ANSWERED_PROBE, asking(1, 1, 3));
  Bytes forged = asking(1, 2, 4)();
  forged[14 + 20 + 12 + 8] ^= 1;  // the nonce
  m.alone("probe.forged.alone", forged, DECAP_DROPPED_PROBE_MAC);
}

}  // namespace

double Cost::net_ns() const {
  std::vector<double> net;
  for (std::size_t i = 0; i < ours_ns.size(); ++i) net.push_back(ours_ns[i] - floor_ns[i]);
  const auto middle = net.begin() + static_cast<std::ptrdiff_t>(net.size() / 2);
  std::nth_element(net.begin(), middle, net.end());
  return *middle;
}

std::vector<Cost> measure_decap(const CostPlan& plan) {
  Measured measured(plan);
  if (measured.program_ == nullptr) return {};
  const Socket listener = listening(kVip, 80);
  const Connection open(listener, kClient, 40001, kVip, 80);
  measure_packets(measured, tcp_packet(kClient, 40001, kVip, 80));
  measure_probes(measured);
  return measured.costs;
}

}  // namespace penstock
