#include "perf/micro/decap/decap_figures.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/bpf/decap_cost.h"

namespace penstock::perf {
namespace {

const std::map<std::string, double> kTargets = {{"gue.no_hops.warm", 60},        {"gue6.no_hops.warm", 60},
                                                {"ipip.options.warm", 60},       {"ipip6.warm", 60},
                                                {"gue.hops.known.warm", 150},    {"gue.hops.syn.warm", 150},
                                                {"probe.one_service.alone", 400}};

}  // namespace

Status add_decap_figures(Figures& figures, bool quick) {
  const auto costs = measure_decap(quick ? CostPlan{7, 1000} : CostPlan{31, 2000});
  if (costs.empty() || ::testing::UnitTest::GetInstance()->Failed())
    return internal_error("the decapsulation program was not measured");
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
  return Ok{};
}

}  // namespace penstock::perf
