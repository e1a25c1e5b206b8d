// load_model_bench [--json FILE] [--quick]: one node report to the load model, beside a covariance per
// dimension.
#include <benchmark/benchmark.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "controlplane/load/load_model.h"
#include "controlplane/load/node_estimate.h"
#include "perf/micro/load_model/allocation_count.h"
#include "perf/micro/report/benchmark_run.h"

namespace penstock::perf {
namespace {

using namespace load;

constexpr int kVariety = 64;  // reports of each node, given again and again with later times

/// Nodes with their placements, and reports of varied traffic with noise, in which every dimension is
/// measured.
class Fleet {
 public:
  Fleet(std::size_t nodes, std::size_t placements) {
    std::mt19937 random(7);
    std::uniform_real_distribution<> around(-1, 1);
    for (std::size_t n = 0; n < nodes; ++n) {
      const NodeIndex node = model_.add_node();
      std::vector<PlacementIndex> on_node;
      for (std::size_t p = 0; p < placements; ++p) {
        on_node.push_back(model_.add_placement(static_cast<ServiceIndex>(p), node));
      }
      for (int i = 0; i < kVariety; ++i) reports_.push_back(report(node, on_node, random, around));
    }
    for (std::size_t i = 0; i < 4 * reports_.size(); ++i) learn();
  }

  void learn() {
    NodeReport& report = reports_[next_];
    report.time += kVariety * 0.1;
    benchmark::DoNotOptimize(model_.learn(report));
    // Node after node, so that 1,000 nodes come from memory; and within a node in the order of their times.
    next_ += kVariety;
    if (next_ >= reports_.size()) next_ = (next_ + 1) % kVariety;
  }

  [[nodiscard]] std::uint64_t learned() const { return model_.count(ReportOutcome::kLearned); }
  [[nodiscard]] const std::vector<NodeReport>& reports() const { return reports_; }

 private:
  NodeReport report(NodeIndex node, const std::vector<PlacementIndex>& placements, std::mt19937& random,
                    std::uniform_real_distribution<>& around) {
    NodeReport report;
    report.node = node;
    report.time = 0.1 * static_cast<double>(reports_.size() % kVariety);
    report.span = 0.1;
    report.utilization.fill(0.1);
    for (const PlacementIndex placement : placements) {
      const double flows = 1000 * (1 + 0.4 * around(random));
      for (std::size_t k = 0; k < kDimensions; ++k) {
        report.utilization[k] += flows * 0.0001 + 0.005 * (1 + around(random));
      }
      report.placements.push_back({placement,
                                   {flows, 0.2 * flows * (1 + 0.05 * around(random)), 2e4 * flows},
                                   0.002 * (1 + 0.1 * around(random)),
                                   kAbsent});
    }
    return report;
  }

  LoadModel model_;
  std::vector<NodeReport> reports_;
  std::size_t next_ = 0;
};

std::string case_of(std::size_t nodes, std::size_t placements) {
  return std::to_string(nodes) + "_nodes." + std::to_string(placements) + "_placements";
}

void register_learn(std::size_t nodes, std::size_t placements) {
  benchmark::RegisterBenchmark(case_of(nodes, placements).c_str(), [=](benchmark::State& state) {
    Fleet fleet(nodes, placements);
    const std::uint64_t learned = fleet.learned();
    const std::uint64_t allocated = allocation_count();
    for (auto _ : state) fleet.learn();
    const auto reports = static_cast<std::uint64_t>(state.iterations());
    if (fleet.learned() - learned != reports) state.SkipWithError("the model refused reports");
    state.counters["allocations"] =
        static_cast<double>(allocation_count() - allocated) / static_cast<double>(reports);
  });
}

/// Without the shared regressors: eight filters, each of one dimension.
void register_apart(std::size_t placements) {
  benchmark::RegisterBenchmark("covariance_per_dimension", [=](benchmark::State& state) {
    const Fleet fleet(1, placements);
    std::vector<NodeEstimate> estimates(kDimensions, NodeEstimate(ModelSettings{}));
    for (NodeEstimate& estimate : estimates) {
      for (std::size_t p = 0; p < placements; ++p) estimate.add(UnitCosts::Zero(), false);
    }
    std::vector<Traffic> traffic(placements);
    std::size_t next = 0;
    for (auto _ : state) {
      const NodeReport& report = fleet.reports()[next++ % kVariety];
      for (std::size_t p = 0; p < placements; ++p) traffic[p] = report.placements[p].traffic;
      for (std::size_t k = 0; k < kDimensions; ++k) {
        PerDimension one;
        one.fill(kAbsent);
        one[k] = report.utilization[k];
        estimates[k].learn(traffic, one);
      }
    }
  });
}

int bench(const BenchOptions& options) {
  const std::vector<std::array<std::size_t, 2>> cases{{1, 1}, {1, 4}, {1, 8}, {1000, 4}};
  for (const auto& [nodes, placements] : cases) register_learn(nodes, placements);
  register_apart(4);
  const auto results = run_benchmarks({.repetitions = options.quick ? 3 : 11, .min_seconds = 0.05});
  Figures figures("load_model");
  for (const auto& [nodes, placements] : cases) {
    const BenchmarkResult& result = results.at(case_of(nodes, placements));
    figures.add("load_model.learn." + case_of(nodes, placements), result.real_ns.scaled(1e-3), "us",
                placements == 4 ? std::optional(at_most(2)) : std::nullopt);
    figures.add("load_model.allocations." + case_of(nodes, placements),
                result.counters.at("allocations").median(), "per report", at_most(0));
  }
  const double apart = results.at("covariance_per_dimension").real_ns.median();
  figures.add("load_model.shared_covariance.gain", apart / results.at(case_of(1, 4)).real_ns.median(), "x");
  return figures.finish(options);
}

}  // namespace
}  // namespace penstock::perf

int main(int argc, char** argv) {
  return penstock::perf::bench(penstock::perf::bench_options_or_exit(argc, argv));
}
