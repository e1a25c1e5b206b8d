// What a packet costs in bpf/decap.bpf.c, beside a program that only says XDP_TX. The kernel's own run-time
// statistics of each program are read, over single runs: a repeated one would see the packet that the run
// before left. Numbers are medians of batches, net of the empty program; the bounds are wide, because the
// machine is shared.
#include <algorithm>
#include <functional>
#include <iomanip>
#include <iostream>

#include "tests/unit/bpf/decap_fixture.h"
#include "tests/unit/bpf/kernel_flows.h"
#include "tests/unit/bpf/probe_packet.h"

namespace penstock {
namespace {

constexpr int kBatches = 15;
constexpr int kRuns = 2000;

class DecapCost : public DecapFixture {
 protected:
  void SetUp() override {
    DecapFixture::SetUp();
    if (IsSkipped()) return;
    set_up_loopback({"203.0.113.10", "2001:db8:5::10", "198.51.100.7", "2001:db8:c::7"});
    statistics_ = Socket(bpf_enable_stats(BPF_STATS_RUN_TIME));
    ASSERT_GE(statistics_.fd(), 0) << strerror(errno);
    const bpf_insn transmit[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_TX},
                                 {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
    empty_ = Socket(bpf_prog_load(BPF_PROG_TYPE_XDP, "empty", "GPL", transmit, 2, nullptr));
    ASSERT_GE(empty_.fd(), 0);
  }

  static double nanoseconds(int program, const std::function<void()>& batch) {
    std::vector<double> results;
    for (int i = 0; i < kBatches; ++i) {
      const auto before = info(program);
      batch();
      const auto after = info(program);
      results.push_back(static_cast<double>(after.run_time_ns - before.run_time_ns) /
                        static_cast<double>(after.run_cnt - before.run_cnt));
    }
    std::nth_element(results.begin(), results.begin() + kBatches / 2, results.end());
    return results[kBatches / 2];
  }

  static void run_alone(int program, const Bytes& packet) {
    Bytes out(packet.size() + 256);
    for (int i = 0; i < kRuns; ++i) {
      LIBBPF_OPTS(bpf_test_run_opts, options);
      options.data_in = packet.data();
      options.data_size_in = static_cast<std::uint32_t>(packet.size());
      options.data_out = out.data();
      options.data_size_out = static_cast<std::uint32_t>(out.size());
      ASSERT_EQ(bpf_prog_test_run_opts(program, &options), 0);
    }
  }

  static void run_warm(int program, const Bytes& packet) {
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = packet.data();
    options.data_size_in = static_cast<std::uint32_t>(packet.size());
    options.repeat = 10 * kRuns;
    options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    options.batch_size = 64;
    ASSERT_EQ(bpf_prog_test_run_opts(program, &options), 0) << strerror(errno);
  }

  static bpf_prog_info info(int program) {
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    EXPECT_EQ(bpf_obj_get_info_by_fd(program, &info, &size), 0);
    return info;
  }

  /// Net of a program that does nothing, raced in the same run.
  double measure(const char* what, const Bytes& packet, std::uint32_t action, bool warm = false) {
    EXPECT_EQ(run(packet).action, action) << what;
    const int program = bpf_program__fd(program_->progs.penstock_decap);
    const auto runs = warm ? run_warm : run_alone;
    const double nothing = nanoseconds(empty_.fd(), [&] { runs(empty_.fd(), packet); });
    const auto before = outcomes();
    const double ours = nanoseconds(program, [&] { runs(program, packet); });
    const auto after = outcomes();
    std::size_t moved = 0;
    for (std::size_t i = 0; i < after.size(); ++i) moved += after[i] != before[i];
    EXPECT_EQ(moved, 1u) << what << ": not all runs did the same";
    std::cout << std::setw(40) << std::left << what << (warm ? "warm  " : "alone ") << std::fixed
              << std::setprecision(0) << ours - nothing << " ns (empty program: " << nothing << ")\n";
    return ours - nothing;
  }

  Socket statistics_;
  Socket empty_;
};

TEST_F(DecapCost, IsSmall) {
  const std::string gateway = "10.0.31.1", host = "10.0.31.2", vip = "203.0.113.10", client = "198.51.100.7";
  const std::vector<std::string> hops = {"10.0.31.11", "10.0.31.12", "10.0.31.13"};
  const Socket listener = listening(vip, 80);
  const Connection open(listener, client, 40001, vip, 80);
  const Bytes known = tcp_packet(client, 40001, vip, 80);
  const Bytes unknown = tcp_packet(client, 40002, vip, 80);
  const Bytes syn = tcp_packet(client, 40003, vip, 80, {kTcpSyn});
  const std::vector<std::string> none;
  EXPECT_LT(measure("GUE without hops", gue_frame(gateway, host, known, none, 0, 4), XDP_PASS, true), 600);
  EXPECT_LT(
      measure("GUE with hops, socket known", gue_frame(gateway, host, known, hops, 0, 4), XDP_PASS, true),
      1500);
  measure("GUE with hops, SYN", gue_frame(gateway, host, syn, hops, 0, 4), XDP_PASS, true);
  measure("GUE without hops", gue_frame(gateway, host, known), XDP_PASS);
  measure("GUE with hops, socket known", gue_frame(gateway, host, known, hops), XDP_PASS);
  measure("GUE with hops, unknown, passed on", gue_frame(gateway, host, unknown, hops), XDP_TX);
  const Bytes udp = udp_packet(client, 41000, vip, 7);
  measure("GUE without hops, UDP", gue_frame(gateway, host, udp), XDP_PASS);
  remember_udp_flows();
  measure("GUE without hops, UDP remembered", gue_frame(gateway, host, udp), XDP_PASS);
  measure("GUE with hops, UDP flow seen", gue_frame(gateway, host, udp, hops), XDP_PASS);

  const siphash_key key = probe_key_of(1);
  const abi_u32 first = 0;
  const probe_key value{key, 1, 0};
  ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.probe_keys), &first, &value, BPF_ANY), 0);
  const auto probe = [&](std::size_t services) {
    return probe_frame(gateway, host, probe_message(key, 1, std::vector<AskedService>(services, {vip})));
  };
  EXPECT_LT(measure("probe answered, one service", probe(1), XDP_TX), 4000);
  measure("probe answered, eight services", probe(8), XDP_TX);
  Bytes forged = probe(1);
  forged.back() ^= 1;
  measure("forged probe", forged, XDP_DROP);
}

}  // namespace
}  // namespace penstock
