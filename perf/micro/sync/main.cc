// sync_bench [--json FILE] [--quick]
#include "perf/micro/sync/cases.h"

int main(int argc, char** argv) {
  using namespace penstock::perf;
  const BenchOptions options = bench_options_or_exit(argc, argv);
  Figures figures("sync");
  measure_worker_cost(figures, options.quick);
  measure_recovery(figures, options.quick);
  measure_known_after(figures, options.quick);
  measure_snapshot(figures, options.quick);
  return figures.finish(options);
}
