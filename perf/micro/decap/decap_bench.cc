// decap_bench [--json FILE] [--quick]: nanoseconds that a packet spends in the backend's XDP program, beside
// an empty one. Needs root.
#include <gtest/gtest.h>

#include <map>

#include "perf/micro/report/figures.h"
#include "tests/unit/bpf/decap_cost.h"

namespace penstock::perf {
namespace {

const std::map<std::string, double> kTargets = {{"gue.no_hops.warm", 60},        {"gue6.no_hops.warm", 60},
                                                {"ipip.options.warm", 60},       {"ipip6.warm", 60},
                                                {"gue.hops.known.warm", 150},    {"gue.hops.syn.warm", 150},
                                                {"probe.one_service.alone", 400}};

int run(int argc, char** argv) {
  const BenchOptions options = bench_options_or_exit(argc, argv);
  const auto costs = measure_decap(options.quick ? CostPlan{7, 1000} : CostPlan{31, 2000});
  if (costs.empty() || ::testing::UnitTest::GetInstance()->Failed()) return 1;
  Figures figures("decap");
  for (const Cost& cost : costs) {
    std::vector<double> net;
    for (std::size_t i = 0; i < cost.ours_ns.size(); ++i) net.push_back(cost.ours_ns[i] - cost.floor_ns[i]);
    const auto target = kTargets.find(cost.name);
    figures.add("decap." + cost.name, Samples(std::move(net)), "ns",
                target == kTargets.end() ? std::nullopt : std::optional(at_most(target->second)));
  }
  for (const bool warm : {true, false}) {
    const Cost& any = warm ? costs.front() : costs.back();
    figures.add(warm ? "decap.floor.warm" : "decap.floor.alone", Samples(any.floor_ns), "ns");
  }
  return figures.finish(options);
}

}  // namespace
}  // namespace penstock::perf

int main(int argc, char** argv) { return penstock::perf::run(argc, argv); }
