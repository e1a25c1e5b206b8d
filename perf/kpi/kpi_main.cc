// kpi_bench [--json FILE] [--quick]: what weights from load are worth. Plots lie beside the JSON file.
#include <cstdio>
#include <filesystem>
#include <optional>

#include "perf/kpi/experiments.h"

int main(int argc, char** argv) {
  using namespace penstock;
  const perf::BenchOptions options = perf::bench_options_or_exit(argc, argv);
  const auto inputs = kpi::read_inputs(kpi::inputs_folder());
  if (!inputs) {
    std::fprintf(stderr, "kpi_bench: %s\n", inputs.error().text().c_str());
    return 1;
  }
  perf::Figures figures("kpi");
  std::string plots;
  if (!options.json_path.empty())
    plots = std::filesystem::path(options.json_path).replace_extension().string();
  kpi::Bench bench(figures);
  bench.quick = options.quick;
  bench.sets = {{"synthetic", nullptr}};
  bench.plots = plots;
  if (inputs->has_value()) {
    bench.sets.push_back({"real", &**inputs});
  } else {
    std::fprintf(stderr, "kpi_bench: no %s: synthetic inputs only (PENSTOCK_DATA names another folder)\n",
                 kpi::inputs_folder().c_str());
  }
  for (const auto measure :
       {kpi::measure_spread, kpi::measure_placement, kpi::measure_tail, kpi::measure_sustained,
        kpi::measure_settling, kpi::measure_cost, kpi::measure_determinism}) {
    measure(bench);
  }
  figures.add("kpi.moved-flows", static_cast<double>(bench.moved), "flows", perf::at_most(0));
  figures.add("kpi.simulated-flows", static_cast<double>(bench.flows), "flows");
  return figures.finish(options);
}
