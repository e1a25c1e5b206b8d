// weights_bench [--json FILE] [--quick]: what the parts of the weight loop cost: a report taken by the model,
// a step of the law.
#include <benchmark/benchmark.h>

#include <vector>

#include "controlplane/load/law.h"
#include "controlplane/load/load_model.h"
#include "perf/micro/report/benchmark_run.h"
#include "perf/micro/report/figures.h"

namespace {

using namespace penstock;

/// Reports whose traffic varies, so that each one teaches.
void learn_reports(benchmark::State& state, std::uint32_t services) {
  load::LoadModel model;
  load::NodeReport report;
  report.node = model.add_node();
  report.span = 0.1;
  for (load::ServiceIndex s = 0; s < services; ++s) {
    load::PlacementReport carried;
    carried.placement = model.add_placement(s, report.node);
    report.placements.push_back(carried);
  }
  std::uint64_t random = 1;
  for (auto _ : state) {
    report.time += report.span;
    double work = 0;
    for (auto& carried : report.placements) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      const double flows = 500 + 500 * static_cast<double>(random >> 40) / (1 << 24);
      carried.traffic = {.new_flows = flows, .active_flows = flows / 50, .bytes = 2000 * flows};
      carried.latency_seconds = 0.01;
      work += flows;
    }
    for (std::size_t k = 0; k < load::kDimensions; ++k) {
      report.utilization[k] = 0.05 + 0.1 * static_cast<double>(k) * work / (1000.0 * services);
    }
    benchmark::DoNotOptimize(model.learn(report));
  }
}

void step_law(benchmark::State& state, std::uint32_t placements) {
  load::WeightLaw law;
  std::vector<load::LawInput> inputs(placements);
  double now = 0;
  std::uint64_t random = 1;
  for (auto _ : state) {
    now += 0.1;
    for (auto& in : inputs) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      in.target = 1.0 / placements * (0.9 + 0.2 * static_cast<double>(random >> 40) / (1 << 24));
      in.measured_share = 1.0 / placements;
      in.confidence = 1;
      in.utilization = in.expected = 0.7;
      in.age = 0.05;
    }
    benchmark::DoNotOptimize(law.step(now, inputs, 0.01, 0.02).data());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const perf::BenchOptions options = perf::bench_options_or_exit(argc, argv);
  for (const std::uint32_t services : {1, 4, 20}) {
    benchmark::RegisterBenchmark(("model/" + std::to_string(services)).c_str(),
                                 [services](benchmark::State& s) { learn_reports(s, services); });
  }
  for (const std::uint32_t placements : {100, 1000}) {
    benchmark::RegisterBenchmark(("law/" + std::to_string(placements)).c_str(),
                                 [placements](benchmark::State& s) { step_law(s, placements); });
  }
  const auto times = perf::run_benchmarks({.repetitions = options.quick ? 3 : 9, .min_seconds = 0.05});
  perf::Figures figures("weights");
  for (const auto& [name, result] : times) {
    const bool model = name.starts_with("model/");
    const std::string count = name.substr(name.find('/') + 1);
    // The target is for a node of one service; the covariance grows with the square of their number.
    const auto target = name == "model/1" ? std::optional(perf::at_most(2)) : std::nullopt;
    figures.add((model ? "weights.model.report.services-" : "weights.law.step.backends-") + count,
                result.real_ns.scaled(1e-3), "us", target);
  }
  return figures.finish(options);
}
