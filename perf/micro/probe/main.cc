// probe_bench [--json FILE] [--quick]: what probing 1,000 backends at 20 Hz costs.
#include <cstdio>

#include "perf/micro/probe/probe_figures.h"

int main(int argc, char** argv) {
  using namespace penstock::perf;
  const BenchOptions options = bench_options_or_exit(argc, argv);
  Figures figures("probe");
  if (const auto done = add_probe_figures(figures, options.quick); !done) {
    std::fprintf(stderr, "probe_bench: %s\n", done.error().text().c_str());
    return 1;
  }
  return figures.finish(options);
}
