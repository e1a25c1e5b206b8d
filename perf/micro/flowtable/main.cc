// flowtable_bench [--json FILE] [--quick]: the flow table beside rte_hash, its portable twin and bare memory.
#include <cstdio>

#include "perf/micro/flowtable/flow_cases.h"
#include "perf/micro/flowtable/huge_memory.h"
#include "perf/micro/flowtable/rte_hash_cases.h"
#include "perf/micro/report/benchmark_run.h"
#include "perf/micro/report/figures.h"

namespace {

using namespace penstock;
using namespace penstock::perf;

using Results = std::map<std::string, BenchmarkResult>;

const Samples& per_packet(const Results& results, const std::string& name) {
  return results.at(name).counters.at("ns");
}

void add_ratio(Figures& figures, const Results& results, const std::string& name, const std::string& slower,
               const std::string& faster, std::optional<Target> target = {}) {
  figures.add("flowtable.ratio." + name,
              per_packet(results, slower).median() / per_packet(results, faster).median(), "x", target);
}

void add_memory(Figures& figures, double rte_hash_bytes_per_flow) {
  constexpr std::size_t kFlows = 10'000'000;
  const auto bytes = static_cast<double>(FlowTable::required_bytes(kFlows));
  figures.add("flowtable.bytes_per_flow", bytes / kFlows, "B", at_most(16));
  figures.add("flowtable.mebibytes.10M", bytes / (1 << 20), "MiB", at_most(192));
  figures.add("flowtable.rte_hash.bytes_per_flow", rte_hash_bytes_per_flow, "B");
  figures.add("flowtable.load_at_first_refusal", load_at_first_refusal(1'000'000), "", at_least(0.85));
}

}  // namespace

int main(int argc, char** argv) {
  const BenchOptions options = bench_options_or_exit(argc, argv);
  const std::span<const FlowCount> counts = std::span(kFlowCounts).first(options.quick ? 3 : 4);

  std::size_t bytes = new_flow_case_bytes();
  // rte_hash takes up to 100 bytes a flow, and its keys wait in an array of 32 bytes each.
  for (const FlowCount& c : counts) bytes += find_case_bytes(c) + c.flows * 140;
  const HugePageReservation pages((bytes >> 21) + 300);
  if (!pages.granted()) std::fprintf(stderr, "no hugepages granted: figures include page walks\n");
  if (auto started = start_eal(); !started) {
    std::fprintf(stderr, "flowtable_bench: %s\n", started.error().text().c_str());
    return 1;
  }

  double rte_hash_bytes = 0;
  for (const FlowCount& c : counts) {
    register_find_cases(c);
    rte_hash_bytes = register_rte_hash_find_case(c);
  }
  register_new_flow_cases();
  register_rte_hash_new_flow_case();
  const Results results = run_benchmarks(options.quick ? RunPlan{.repetitions = 3, .min_seconds = 0.05}
                                                       : RunPlan{.repetitions = 9, .min_seconds = 0.2});

  Figures figures("flowtable");
  for (const FlowCount& c : counts) {
    const std::string n = c.name;
    add_ratio(figures, results, "rte_hash_to_ours.find." + n, "rte_hash.find." + n, "find." + n, at_least(1));
    add_ratio(figures, results, "portable_to_simd.find." + n, "portable.find." + n, "find." + n);
    add_ratio(figures, results, "ours_to_floor.find." + n, "find." + n, "floor." + n);
  }
  add_ratio(figures, results, "rte_hash_to_ours.new.room", "rte_hash.new.room", "new.room", at_least(1));
  add_ratio(figures, results, "flooded.find.1M", "find.1M.flooded", "find.1M", at_most(1.2));
  for (const FlowCount& c : counts) {
    const std::string n = c.name;
    figures.add("flowtable.find." + n, per_packet(results, "find." + n), "ns", at_most(c.target_ns));
    for (const char* rival : {"portable.find.", "rte_hash.find.", "floor."}) {
      figures.add("flowtable." + (rival + n), per_packet(results, rival + n), "ns");
    }
  }
  for (const char* name : {"find.1M.flooded", "new.room", "new.full", "rte_hash.new.room"}) {
    figures.add(std::string("flowtable.") + name, per_packet(results, name), "ns");
  }
  figures.add("flowtable.new.full.evicted", results.at("new.full").counters.at("evicted"), "per packet");
  figures.add("flowtable.new.room.load", results.at("new.room").counters.at("load"), "");
  add_memory(figures, rte_hash_bytes);
  return figures.finish(options);
}
