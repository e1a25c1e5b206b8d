#include "perf/micro/report/benchmark_run.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <vector>

namespace penstock::perf {

namespace {

class Collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& context) override { return true; }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.error_occurred) {
        std::fprintf(stderr, "%s: %s\n", run.benchmark_name().c_str(), run.error_message.c_str());
        continue;
      }
      if (run.run_type != Run::RT_Iteration) continue;
      Raw& raw = raw_[run.run_name.function_name];
      raw.real_ns.push_back(run.real_accumulated_time / static_cast<double>(run.iterations) * 1e9);
      for (const auto& [name, counter] : run.counters) raw.counters[name].push_back(counter.value);
    }
  }

  [[nodiscard]] std::map<std::string, BenchmarkResult> results() const {
    std::map<std::string, BenchmarkResult> results;
    for (const auto& [name, raw] : raw_) {
      BenchmarkResult& result = results[name];
      result.real_ns = Samples(raw.real_ns);
      for (const auto& [counter, values] : raw.counters) result.counters[counter] = Samples(values);
    }
    return results;
  }

 private:
  struct Raw {
    std::vector<double> real_ns;
    std::map<std::string, std::vector<double>> counters;
  };
  std::map<std::string, Raw> raw_;
};

}  // namespace

std::map<std::string, BenchmarkResult> run_benchmarks(const RunPlan& plan) {
  // Repetitions interleave the benchmarks, so that a disturbance of the host hits all contenders alike.
  std::string repetitions = "--benchmark_repetitions=" + std::to_string(plan.repetitions);
  std::string min_time = "--benchmark_min_time=" + std::to_string(plan.min_seconds);
  std::string interleave = "--benchmark_enable_random_interleaving=true";
  std::string program = "perf";
  std::vector<char*> arguments = {program.data(), repetitions.data(), min_time.data(), interleave.data()};
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  return collector.results();
}

}  // namespace penstock::perf
