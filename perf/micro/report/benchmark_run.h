// Google Benchmark does the timing, its results become Samples.
//
//   benchmark::RegisterBenchmark("build/1000", [](benchmark::State& s) { for (auto _ : s) ...; });
//   auto times = perf::run_benchmarks({.repetitions = 9});
//   figures.add("maglev.build.1000", times.at("build/1000").real_ns, "ns");
//
// Main thread only. A benchmark that reports an error (SkipWithError) is left out of the answer and its text
// goes to stderr.
#pragma once

#include <map>
#include <string>

#include "perf/micro/report/figures.h"

namespace penstock::perf {

struct RunPlan {
  int repetitions = 9;
  double min_seconds = 0.05;  // per repetition
};

struct BenchmarkResult {
  Samples real_ns;                          // per iteration
  std::map<std::string, Samples> counters;  // user counters, as Google Benchmark finishes them
};

/// Runs every registered benchmark, in the order of registration. The key is the name it was registered by.
[[nodiscard]] std::map<std::string, BenchmarkResult> run_benchmarks(const RunPlan& plan);

}  // namespace penstock::perf
