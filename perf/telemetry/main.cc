// telemetry_bench [--json FILE] [--quick]
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "penstock/base/exit_code.h"
#include "perf/micro/decap/decap_figures.h"
#include "perf/micro/probe/probe_figures.h"
#include "perf/telemetry/cases.h"

int main(int argc, char** argv) {
  using namespace penstock;
  using namespace penstock::perf;
  const BenchOptions options = bench_options_or_exit(argc, argv);
  if (geteuid() != 0) {
    std::fprintf(stderr, "telemetry_bench: needs root: it loads BPF programs and makes network namespaces\n");
    return kExitNoPermission;
  }
  Figures figures("telemetry");
  const auto failed = [](const Status& done) {
    if (!done) std::fprintf(stderr, "telemetry_bench: %s\n", done.error().text().c_str());
    return !done;
  };
  for (const auto part : {add_decap_figures, add_probe_figures, measure_agent}) {
    Status done = Ok{};
    // A thread each: some end in a network namespace of their own.
    std::thread([&] { done = part(figures, options.quick); }).join();
    if (failed(done)) return kExitUnavailable;
  }
  // The telemetry looks at the process's network namespace, which is the main thread's.
  for (const auto part : {measure_hooks, measure_sampling}) {
    if (failed(part(figures, options.quick))) return kExitUnavailable;
  }
  return figures.finish(options);
}
