// pipeline_bench [--json FILE] [--quick]: one worker's packet path in memory, 64-byte TCP packets.
#include <cstdio>

#include "perf/micro/pipeline/cases.h"

using namespace penstock;
using namespace penstock::perf;

namespace {

struct FlowCount {
  const char* name;
  std::size_t flows;
  double target_ns;
};
constexpr FlowCount kFlowCounts[] = {
    {"1", 1, 20}, {"16k", 16'384, 25}, {"1M", 1'000'000, 40}, {"10M", 10'000'000, 55}};

struct Shape {
  const char* name;  // encapsulation, and inner and outer family
  WorldShape shape;
};
const Shape kOthers[] = {
    {"gue.v4", {.encap = Encap::kGue}},
    {"ipip.v6", {.encap = Encap::kIpip, .vip_v6 = true, .backend_v6 = true}},
    {"gue.v6", {.encap = Encap::kGue, .vip_v6 = true, .backend_v6 = true}},
};

void add_established(Figures& figures, const Plan& plan, bool quick) {
  double ipip_16k = 0;
  for (const FlowCount& count : kFlowCounts) {
    if (quick && count.flows > 1'000'000) continue;
    const Samples s = established(plan, {}, count.flows);
    if (count.flows == 16'384) ipip_16k = s.median();
    figures.add(std::string("pipeline.ipip.v4.established.") + count.name, s, "ns", at_most(count.target_ns));
  }
  for (const Shape& other : kOthers) {
    const Samples s = established(plan, other.shape, 16'384);
    const std::string name = std::string("pipeline.") + other.name;
    figures.add(name + ".established.16k", s, "ns");
    // GUE over IPv6 is two steps away from IPIP over IPv4.
    const double allowed = std::string(other.name) == "gue.v6" ? 10 : 5;
    figures.add(name + ".over_ipip_v4.16k", s.median() - ipip_16k, "ns", at_most(allowed));
  }
  figures.add("pipeline.nat.v4.established.16k", established(plan, {.encap = Encap::kNat}, 16'384), "ns");
  figures.add("pipeline.nat.v6to4.established.16k",
              established(plan, {.encap = Encap::kNat, .vip_v6 = true}, 16'384), "ns");
  figures.add("pipeline.ipip.v4.established.1M.1000x100",
              established(plan, {.services = 1000, .backends_each = 100}, 1'000'000), "ns");
}

void add_new(Figures& figures, const Plan& plan) {
  figures.add("pipeline.ipip.v4.new.room", new_flows(plan, {}, false), "ns", at_most(90));
  figures.add("pipeline.ipip.v4.new.full", new_flows(plan, {}, true), "ns", at_most(120));
  figures.add("pipeline.gue.v6.new.full", new_flows(plan, kOthers[2].shape, true), "ns");
}

void add_middle(Figures& figures, const Plan& plan) {
  WorldShape shape{.encap = Encap::kGue};
  figures.add("pipeline.gue.v4.middle.unchanged", middle(plan, shape, 1'000'000), "ns", at_most(90));
  shape.weight_changes = 5;
  figures.add("pipeline.gue.v4.middle.changed", middle(plan, shape, 1'000'000), "ns", at_most(90));
  shape.vip_v6 = shape.backend_v6 = true;
  figures.add("pipeline.gue.v6.middle.changed", middle(plan, shape, 1'000'000), "ns");
}

void add_flood(Figures& figures, const Plan& plan) {
  const FloodResult result = flood(plan, 1'000'000);
  figures.add("pipeline.flood.established_alone.1M", result.alone_ns, "ns");
  figures.add("pipeline.flood.established_flooded.1M", result.flooded_ns, "ns");
  figures.add("pipeline.flood.slowdown", result.flooded_ns.median() / result.alone_ns.median(), "x",
              at_most(1.2));
  figures.add("pipeline.flood.lost_or_moved", static_cast<double>(result.lost_or_moved), "packets",
              at_most(0));
  figures.add("pipeline.burst.p99.1M", result.burst_p99_us, "us", at_most(10));
}

void add_load(Figures& figures, const Plan& plan) {
  const LoadResult result = under_load(plan, 1'000'000, 0.8);
  figures.add("pipeline.burst_p50.load80", result.burst_p50_us, "us");
  figures.add("pipeline.burst_p99.load80", result.burst_p99_us, "us", at_most(10));
  figures.add("pipeline.arrival_p99.load80", result.arrival_p99_us, "us");
}

}  // namespace

int main(int argc, char** argv) {
  const BenchOptions options = bench_options_or_exit(argc, argv);
  const Plan plan = options.quick ? Plan{.repetitions = 3, .packets = 300'000} : Plan{};
  const HugePageReservation pages((FlowTable::required_bytes(10'000'000) >> 21) + 64);
  if (!pages.granted()) std::fprintf(stderr, "no hugepages granted: figures include page walks\n");

  Figures figures("pipeline");
  figures.add("pipeline.harness", harness(plan, 1'000'000), "ns");
  figures.add("pipeline.floor", floor(plan), "ns");
  figures.add("pipeline.nonvip", not_vip(plan), "ns", at_most(10));
  figures.add("pipeline.stateless.16k", stateless(plan, 16'384), "ns");
  figures.add("pipeline.stateless.1M", stateless(plan, 1'000'000), "ns");
  add_established(figures, plan, options.quick);
  add_new(figures, plan);
  add_middle(figures, plan);
  add_flood(figures, plan);
  add_load(figures, plan);
  return figures.finish(options);
}
