// decap_bench [--json FILE] [--quick]: nanoseconds that a packet spends in the backend's XDP program, beside
// an empty one. Needs root.
#include <cstdio>

#include "perf/micro/decap/decap_figures.h"

int main(int argc, char** argv) {
  using namespace penstock::perf;
  const BenchOptions options = bench_options_or_exit(argc, argv);
  Figures figures("decap");
  if (const auto done = add_decap_figures(figures, options.quick); !done) {
    std::fprintf(stderr, "decap_bench: %s\n", done.error().text().c_str());
    return 1;
  }
  return figures.finish(options);
}
