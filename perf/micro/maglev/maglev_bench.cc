// maglev_bench [--json FILE] [--quick]: build time, balance and disruption of our Maglev tables beside the
// usual turn-skipping construction, in one run.
#include <benchmark/benchmark.h>

#include <cmath>
#include <string>

#include "perf/micro/maglev/scenarios.h"
#include "perf/micro/maglev/turn_skipping.h"
#include "perf/micro/report/benchmark_run.h"

namespace penstock::perf {
namespace {

constexpr std::uint64_t kSeed = 77;

struct Shape {
  std::size_t backends;
  std::uint32_t size;
  [[nodiscard]] std::string name() const { return std::to_string(backends) + "." + std::to_string(size); }
};

std::shared_ptr<const MaglevBase> base_of(const std::vector<MaglevBackend>& fleet, std::uint32_t size) {
  return MaglevBase::build(fleet, size, kSeed).value();
}

std::vector<MaglevBackend> cut(std::vector<MaglevBackend> fleet, std::size_t every, double by) {
  for (std::size_t i = 0; i < fleet.size(); i += every) {
    fleet[i].weight = static_cast<std::uint32_t>(fleet[i].weight * (1 - by));
  }
  return fleet;
}

Owners owners_of(const MaglevTable& table) { return {table.owners().begin(), table.owners().end()}; }

Construction ours(const std::vector<MaglevBackend>& fleet, std::uint32_t size) {
  return [base = base_of(fleet, size)](std::span<const MaglevBackend> backends) {
    return owners_of(MaglevTable::build(*base, backends).value());
  };
}

Construction classic(std::uint32_t size) {
  return
      [size](std::span<const MaglevBackend> backends) { return turn_skipping_maglev(backends, size, kSeed); };
}

// The other way to use the same parts: the weights of now are the base weights. Costs a build from scratch.
Construction rebuilt(std::uint32_t size) {
  return [size](std::span<const MaglevBackend> backends) {
    std::vector<MaglevBackend> rebased(backends.begin(), backends.end());
    for (MaglevBackend& backend : rebased) backend.base_weight = backend.weight;
    return owners_of(build_maglev(rebased, size, kSeed).value());
  };
}

void register_builds(const Shape& shape, bool weighted) {
  const std::string name = shape.name() + (weighted ? ".weighted" : "");
  const auto fleet = make_fleet(shape.backends, weighted);
  const auto size = shape.size;
  const auto measure = [](const std::string& what, auto build) {
    benchmark::RegisterBenchmark(what.c_str(), [build](benchmark::State& state) {
      for (auto _ : state) benchmark::DoNotOptimize(build());
    })->Unit(benchmark::kMillisecond);
  };
  measure("scratch." + name, [=] { return build_maglev(fleet, size, kSeed).value(); });
  measure("classic." + name, [=] { return turn_skipping_maglev(fleet, size, kSeed); });
  const auto base = base_of(fleet, size);
  const auto few = cut(fleet, 10, 0.1);
  measure("change." + name, [=] { return MaglevTable::build(*base, few).value(); });
  auto all = fleet;
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i].weight += static_cast<std::uint32_t>(i * 7919 % 100'000);
  measure("change_all." + name, [=] { return MaglevTable::build(*base, all).value(); });
  auto far = fleet;
  for (std::size_t i = 0; i < far.size(); ++i)
    far[i].weight = static_cast<std::uint32_t>(far[i].weight *
                                               std::exp2(static_cast<double>(i * 7919 % 4001) / 1000 - 2));
  measure("change_far." + name, [=] { return MaglevTable::build(*base, far).value(); });
}

void add_build_figures(Figures& figures, const std::map<std::string, BenchmarkResult>& times,
                       const Shape& shape, bool weighted) {
  const std::string name = shape.name() + (weighted ? ".weighted" : "");
  const bool small = shape.backends == 1000 && shape.size == 65'537;
  const bool large = shape.backends == 1000 && shape.size == 655'373;
  const auto target = [&](double for_small, double for_large) -> std::optional<Target> {
    if (small) return at_most(for_small);
    if (large) return at_most(for_large);
    return {};
  };
  const auto add = [&](const std::string& figure, const std::string& run, std::optional<Target> bound) {
    figures.add("maglev.build." + figure + "." + name, times.at(run + "." + name).real_ns.scaled(1e-6), "ms",
                bound);
  };
  add("scratch", "scratch", target(1.2, 15));
  add("classic", "classic", {});
  add("change", "change", target(0.3, 3));
  add("change_all", "change_all", target(0.3, 3));
  add("change_far", "change_far", target(0.3, 3));
}

void add_balance(Figures& figures, const Shape& shape, bool weighted) {
  const auto fleet = make_fleet(shape.backends, weighted);
  const std::string name = shape.name() + (weighted ? ".weighted" : "");
  const auto bound = shape.size >= 1000 * shape.backends ? std::optional(at_most(0.005)) : std::nullopt;
  figures.add("maglev.balance." + name, worst_share_error(fleet, ours(fleet, shape.size)(fleet)), "share",
              bound);
  figures.add("maglev.balance.classic." + name, worst_share_error(fleet, classic(shape.size)(fleet)),
              "share");
}

void add_change(Figures& figures, const std::string& name, const std::vector<MaglevBackend>& before,
                const std::vector<MaglevBackend>& after, std::uint32_t size, std::optional<Target> bound) {
  for (const bool rival : {false, true}) {
    const Construction make = rival ? classic(size) : ours(before, size);
    const Moves result = moves(make(before), make(after), before.size());
    figures.add("maglev.disruption." + name + (rival ? ".classic" : ""), result.ratio(), "x ideal",
                rival ? std::nullopt : bound);
  }
}

// The last backend leaves the list, so that the base table changes too. Indices of the others stay.
void add_removal(Figures& figures, const std::vector<MaglevBackend>& fleet, std::uint32_t size,
                 const char* name) {
  std::vector<MaglevBackend> rest = fleet;
  rest.pop_back();
  figures.add(std::string("maglev.disruption.") + name,
              moves(ours(fleet, size)(fleet), ours(rest, size)(rest), fleet.size()).ratio(), "x ideal",
              at_most(1.1));
  figures.add(std::string("maglev.disruption.") + name + ".classic",
              moves(classic(size)(fleet), classic(size)(rest), fleet.size()).ratio(), "x ideal");
}

void add_walks(Figures& figures, const Shape& shape, bool quick) {
  const auto fleet = make_fleet(shape.backends, false);
  const int steps = quick ? 20 : 1000;
  const int rival_steps = quick ? 5 : 50;  // its ratio does not depend on how far the walk has come
  const Construction make = ours(fleet, shape.size);
  const std::string name = "maglev.disruption.";
  const std::string at = "." + shape.name();
  figures.add(name + "walk5" + at, random_walk(fleet, make, steps, 0.05).ratio(), "x ideal", at_most(1.2));
  figures.add(name + "walk5.floor" + at, random_walk_floor(fleet, quick ? 5 : 20, 0.05).ratio(), "x ideal");
  figures.add(name + "walk5.classic" + at, random_walk(fleet, classic(shape.size), rival_steps, 0.05).ratio(),
              "x ideal");
  figures.add(name + "walk5.rebuilt" + at, random_walk(fleet, rebuilt(shape.size), rival_steps, 0.05).ratio(),
              "x ideal");
  figures.add(name + "noise5" + at, noise_around_base(fleet, make, quick ? 10 : 100, 0.05).ratio(), "x ideal",
              at_most(1.2));
  figures.add(name + "noise_fine" + at, noise_around_base(fleet, make, quick ? 10 : 100, 0.001).ratio(),
              "x ideal");
}

int bench(const BenchOptions& options) {
  std::vector<Shape> shapes = {{10, 10'007}, {100, 100'003}, {1000, 65'537}, {1000, 655'373}};
  if (options.quick) shapes = {{10, 10'007}, {1000, 65'537}};
  for (const Shape& shape : shapes) {
    for (const bool weighted : {false, true}) register_builds(shape, weighted);
  }
  const auto times = run_benchmarks({.repetitions = options.quick ? 3 : 11, .min_seconds = 0.02});

  Figures figures("maglev");
  for (const Shape& shape : shapes) {
    for (const bool weighted : {false, true}) {
      add_build_figures(figures, times, shape, weighted);
      add_balance(figures, shape, weighted);
    }
  }
  const auto ten = make_fleet(10, false), hundred = make_fleet(100, false),
             thousand = make_fleet(1000, false);
  add_change(figures, "cut10", thousand, cut(thousand, 10, 0.1), 65'537, at_most(1.1));
  add_change(figures, "cut1", ten, cut(ten, 10, 0.01), 10'007, at_most(1.1));
  add_change(figures, "drain", hundred, cut(hundred, 100, 1), 65'537, at_most(1.1));
  add_removal(figures, hundred, 65'537, "remove");
  add_removal(figures, hundred, 655'373, "remove_of_100_large");
  add_removal(figures, ten, 10'007, "remove_of_10");
  for (const Shape& shape : shapes) add_walks(figures, shape, options.quick);
  return figures.finish(options);
}

}  // namespace
}  // namespace penstock::perf

int main(int argc, char** argv) {
  return penstock::perf::bench(penstock::perf::bench_options_or_exit(argc, argv));
}
