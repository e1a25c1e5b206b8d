// telemetry_bench [--json FILE] [--quick]
#include <unistd.h>

#include <cstdio>

#include "penstock/base/exit_code.h"
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
  for (const auto part : {measure_hooks, measure_sampling}) {
    if (auto done = part(figures, options.quick); !done) {
      std::fprintf(stderr, "telemetry_bench: %s\n", done.error().text().c_str());
      return kExitUnavailable;
    }
  }
  return figures.finish(options);
}
