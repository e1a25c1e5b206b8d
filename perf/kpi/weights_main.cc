// weights_bench [--json FILE] [--quick]: what the parts of the weight loop cost: a report taken by the model,
// a step of the law, a solution of all shares and what it is proven to be off the optimum by at most.
#include <benchmark/benchmark.h>

#include <ctime>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/load/law.h"
#include "controlplane/load/load_model.h"
#include "controlplane/load/solver.h"
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

struct Size {
  std::size_t nodes, services, nodes_each;  // a service sits on so many nodes
  [[nodiscard]] std::string name() const {
    return "nodes-" + std::to_string(nodes) + ".services-" + std::to_string(services) + ".placements-" +
           std::to_string(services * nodes_each);
  }
};

/// Unequal nodes with background in all eight dimensions, half full; every second service has a latency
/// objective, every third pays for money and every fifth for energy. No two dimensions are alike.
load::SolverInput fleet(const Size& size) {
  std::mt19937_64 random(3);
  const auto uniform = [&random](double low, double high) {
    return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
  };
  load::SolverInput in;
  std::vector<double> speed;
  std::vector<load::NodeIndex> order;
  for (load::NodeIndex n = 0; n < size.nodes; ++n) {
    auto& node = in.nodes.emplace_back();
    for (auto& background : node.background) background = uniform(0, 0.2);
    node.latency = {.base = 0.001, .queue = uniform(0.0005, 0.003), .confidence = 1};
    node.price_per_hour = uniform(0.1, 1), node.price_per_load_hour = uniform(0.1, 1);
    node.idle_watts = 100, node.busy_watts = uniform(100, 300);
    speed.push_back(uniform(0.5, 2));
    order.push_back(n);
  }
  for (std::size_t s = 0; s < size.services; ++s) {
    load::SolverService service;
    service.demand = 1000;
    service.first = static_cast<std::uint32_t>(in.placements.size());
    service.count = static_cast<std::uint32_t>(size.nodes_each);
    service.latency_objective = s % 2 ? 0.004 : 0;
    service.objective = {.balance = 1, .latency = 0.5, .money = s % 3 ? 0 : 0.3, .energy = s % 5 ? 0 : 0.3};
    for (std::size_t i = 0; i < size.nodes_each; ++i)
      std::swap(order[i], order[i + random() % (size.nodes - i)]);
    load::PerDimension mix;
    for (auto& part : mix) part = uniform(0.1, 1);
    const double share = 0.5 * static_cast<double>(size.nodes) / static_cast<double>(size.services);
    for (std::size_t i = 0; i < size.nodes_each; ++i) {
      auto& placement = in.placements.emplace_back();
      placement.node = order[i];
      placement.upper = 0.2;
      for (std::size_t k = 0; k < load::kDimensions; ++k)
        placement.per_flow_rate[k] = share / service.demand * mix[k] * uniform(0.8, 1.2) / speed[order[i]];
    }
    in.services.push_back(service);
  }
  return in;
}

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// In time of the processor: a call is long enough to be put aside for others in the middle.
void solve(benchmark::State& state, const Size& size) {
  const load::SolverInput in = fleet(size);
  load::Solver solver;
  double gap = 0;
  for (auto _ : state) {
    const double start = processor_seconds();
    gap = solver.solve(in).gap();
    state.SetIterationTime(processor_seconds() - start);
  }
  state.counters["gap"] = gap;
}

std::vector<Size> sizes(bool quick) {
  std::vector<Size> list{{1000, 20, 75}, {1000, 20, 1000}};
  if (!quick) list.insert(list.end(), {{10000, 100, 200}, {10000, 100, 1000}});
  return list;
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
  for (const Size& size : sizes(options.quick)) {
    benchmark::RegisterBenchmark(("solver/" + size.name()).c_str(), [size](benchmark::State& s) {
      solve(s, size);
    })->UseManualTime();
  }
  const auto times = perf::run_benchmarks({.repetitions = options.quick ? 3 : 9, .min_seconds = 0.05});
  perf::Figures figures("weights");
  for (const Size& size : sizes(options.quick)) {
    const auto& result = times.at("solver/" + size.name());
    figures.add("weights.solver.ms." + size.name(), result.real_ns.scaled(1e-6), "ms",
                perf::at_most(size.nodes > 1000 ? 100 : 5));
    figures.add("weights.solver.gap." + size.name(), result.counters.at("gap").scaled(100), "%",
                perf::at_most(0.1));
  }
  for (const auto& [name, result] : times) {
    if (name.starts_with("solver/")) continue;
    const bool model = name.starts_with("model/");
    const std::string count = name.substr(name.find('/') + 1);
    // The target is for a node of one service; the covariance grows with the square of their number.
    const auto target = name == "model/1" ? std::optional(perf::at_most(2)) : std::nullopt;
    figures.add((model ? "weights.model.report.services-" : "weights.law.step.backends-") + count,
                result.real_ns.scaled(1e-3), "us", target);
  }
  return figures.finish(options);
}
