#include "perf/micro/flowtable/flow_cases.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>

#include "perf/micro/flowtable/huge_memory.h"

namespace penstock::perf {
namespace {

constexpr IdleTicks kIdle = IdleTicks::from_seconds(10, 900, 30, 60);
// Ten million packets a second make this many bursts in a tick.
constexpr std::uint64_t kBurstsPerTick = 42'000;
constexpr std::size_t kNewFlowCapacity = 1'000'000;

template <class T>
T must(Result<T> made) {
  if (made) return std::move(*made);
  std::fprintf(stderr, "flowtable_bench: %s\n", made.error().text().c_str());
  std::exit(1);
}

/// A full house of established flows and the order in which their packets come. Random, and long enough that
/// every flow is visited once before any is visited again.
struct Traffic {
  explicit Traffic(std::size_t flows)
      : memory(FlowTable::required_bytes(flows)),
        order_memory(std::max(flows, kBurst) * sizeof(std::uint64_t)),
        table(must(FlowTable::create(memory.bytes(), 0, 1))),
        order(order_memory.as<std::uint64_t>().first(std::max(flows, kBurst) / kBurst * kBurst)) {
    for (std::size_t i = 0; i < flows; ++i) {
      table.insert(digest_of(i), static_cast<BackendIndex>(i % 1000), PacketKind::kSyn, kIdle);
      table.find_and_refresh(digest_of(i), PacketKind::kAck, kIdle);
    }
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = digest_of(i % flows);
    std::shuffle(order.begin(), order.end(), std::mt19937_64(7));
    // The twin works on the same memory, so both race over the same lines.
    portable = std::make_unique<PortableFlowTable>(must(PortableFlowTable::attach(memory.bytes(), 0, 1)));
  }

  HugeMemory memory;
  HugeMemory order_memory;
  FlowTable table;
  std::unique_ptr<PortableFlowTable> portable;
  std::span<std::uint64_t> order;
};

template <class Table>
void find_bursts(benchmark::State& state, Table& table, std::span<const std::uint64_t> order) {
  std::array<FlowLookup, kBurst> burst;
  std::size_t next = 0;
  std::uint64_t bursts = 0;
  std::size_t misses = 0;
  for (auto _ : state) {
    if (++bursts % kBurstsPerTick == 0) table.advance(table.now() + 1);
    for (std::size_t i = 0; i < kBurst; ++i) {
      burst[i] = {order[next + i], &kIdle, PacketKind::kAck, kNoBackend};
      table.prefetch(burst[i].digest);
    }
    table.find_bulk(burst);
    for (const FlowLookup& q : burst) misses += q.backend == kNoBackend ? 1 : 0;
    next = next + kBurst == order.size() ? 0 : next + kBurst;
  }
  count_packets(state);
  if (misses != 0) state.SkipWithError("an established flow was not found");
}

/// What remains when the table does nothing: one random cache line per packet, prefetched by the burst, and
/// read.
void touch_bursts(benchmark::State& state, std::span<const FlowBucket> lines,
                  std::span<const std::uint64_t> order) {
  const auto line_of = [&](std::uint64_t digest) -> const FlowBucket& {
    __extension__ using Wide = unsigned __int128;
    return lines[static_cast<std::size_t>(static_cast<Wide>(digest) * lines.size() >> 64)];
  };
  std::size_t next = 0;
  std::uint64_t sum = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBurst; ++i) __builtin_prefetch(&line_of(order[next + i]));
    for (std::size_t i = 0; i < kBurst; ++i) sum += line_of(order[next + i]).words[0];
    next = next + kBurst == order.size() ? 0 : next + kBurst;
  }
  benchmark::DoNotOptimize(sum);
  count_packets(state);
}

/// SYNs of flows never seen before, as the select stage handles them: look up a burst, enter what is missing.
class NewFlows {
 public:
  explicit NewFlows(std::uint64_t bursts_per_tick)
      : memory_(FlowTable::required_bytes(kNewFlowCapacity)),
        table_(must(FlowTable::create(memory_.bytes(), 0, 1))),
        bursts_per_tick_(bursts_per_tick) {}

  void burst() {
    if (bursts_per_tick_ != 0 && ++bursts_ % bursts_per_tick_ == 0) table_.advance(table_.now() + 1);
    for (FlowLookup& q : burst_) {
      q = {digest_of(next_++), &kIdle, PacketKind::kSyn, kNoBackend};
      table_.prefetch(q.digest);
    }
    table_.find_bulk(burst_);
    for (const FlowLookup& q : burst_) {
      if (q.backend == kNoBackend) table_.insert(q.digest, 7, PacketKind::kSyn, kIdle);
    }
  }
  FlowTable& table() { return table_; }

 private:
  HugeMemory memory_;
  FlowTable table_;
  std::uint64_t bursts_per_tick_;
  std::uint64_t bursts_ = 0;
  std::uint64_t next_ = std::uint64_t{1} << 40;
  std::array<FlowLookup, kBurst> burst_;
};

void bench_new_flows(const char* name, std::uint64_t bursts_per_tick, std::size_t warm_up_flows) {
  auto flows = std::make_shared<NewFlows>(bursts_per_tick);
  for (std::size_t i = 0; i < warm_up_flows / kBurst; ++i) flows->burst();
  benchmark::RegisterBenchmark(name, [flows](benchmark::State& state) {
    const FlowTableStats before = flows->table().stats();
    for (auto _ : state) flows->burst();
    count_packets(state);
    const FlowTableStats after = flows->table().stats();
    const double packets = static_cast<double>(state.iterations()) * kBurst;
    state.counters["evicted"] = static_cast<double>(after.evicted - before.evicted) / packets;
    state.counters["load"] =
        static_cast<double>(after.size) / static_cast<double>(flows->table().slot_count());
  });
}

}  // namespace

std::size_t find_case_bytes(const FlowCount& count) {
  return FlowTable::required_bytes(count.flows) + count.flows * sizeof(std::uint64_t);
}

std::size_t new_flow_case_bytes() {
  return 4 * FlowTable::required_bytes(kNewFlowCapacity) + kNewFlowCapacity * sizeof(std::uint64_t);
}

void register_find_cases(const FlowCount& count) {
  auto traffic = std::make_shared<Traffic>(count.flows);
  const std::string n = count.name;
  benchmark::RegisterBenchmark(("find." + n).c_str(), [traffic](benchmark::State& s) {
    find_bursts(s, traffic->table, traffic->order);
  });
  benchmark::RegisterBenchmark(("portable.find." + n).c_str(), [traffic](benchmark::State& s) {
    find_bursts(s, *traffic->portable, traffic->order);
  });
  benchmark::RegisterBenchmark(("floor." + n).c_str(), [traffic](benchmark::State& s) {
    const auto* lines = reinterpret_cast<const FlowBucket*>(traffic->memory.bytes().data() + kHeaderBytes);
    touch_bursts(s, {lines, traffic->table.bucket_count()}, traffic->order);
  });
}

void register_new_flow_cases() {
  // SYNs live some 83 ticks; this pace keeps half of the capacity alive. Most other slots hold expired flows.
  const std::uint64_t pace = kNewFlowCapacity / 2 / kIdle.of(IdleClass::kSyn) / kBurst;
  bench_new_flows("new.room", pace, 3 * kNewFlowCapacity);
  bench_new_flows("new.full", 0, 3 * kNewFlowCapacity);
  auto flooded = std::make_shared<Traffic>(kNewFlowCapacity);
  for (std::uint64_t i = 0; i < 4 * kNewFlowCapacity; ++i) {
    flooded->table.insert(digest_of((std::uint64_t{1} << 41) + i), 7, PacketKind::kSyn, kIdle);
  }
  benchmark::RegisterBenchmark(
      "find.1M.flooded", [flooded](benchmark::State& s) { find_bursts(s, flooded->table, flooded->order); });
}

double load_at_first_refusal(std::size_t slots) {
  const HugeMemory memory(kHeaderBytes + slots / kSlotsPerBucket * sizeof(FlowBucket));
  FlowTable table = must(FlowTable::create(memory.bytes(), 0, 1));
  for (std::uint64_t i = 0;; ++i) {
    const InsertResult r = table.insert(digest_of(i), 1, PacketKind::kSyn, kIdle);
    if (r != InsertResult::kInserted) return static_cast<double>(i) / static_cast<double>(table.slot_count());
    table.find_and_refresh(digest_of(i), PacketKind::kAck, kIdle);
  }
}

}  // namespace penstock::perf
