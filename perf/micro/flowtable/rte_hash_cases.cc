#include "perf/micro/flowtable/rte_hash_cases.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <random>
#include <vector>

#include "perf/micro/flowtable/huge_memory.h"

namespace penstock::perf {
namespace {

struct alignas(16) Key {  // a 5-tuple padded to the size that rte_hash compares fastest
  std::uint32_t source;
  std::uint32_t destination;
  std::uint16_t source_port;
  std::uint16_t destination_port;
  std::uint32_t protocol;
};
static_assert(sizeof(Key) == 16);

Key key_of(std::uint64_t i) {
  return {static_cast<std::uint32_t>(i), 0xcb00'710a, static_cast<std::uint16_t>(i >> 32), 80, 6};
}

struct FreeHash {
  void operator()(rte_hash* h) const { rte_hash_free(h); }
};
using Hash = std::unique_ptr<rte_hash, FreeHash>;

Hash make_hash(const std::string& name, std::size_t flows) {
  rte_hash_parameters parameters{};
  parameters.name = name.c_str();
  // The same design load as ours; rte_hash rounds up to a power of two.
  parameters.entries = static_cast<std::uint32_t>(std::max<std::size_t>(flows * 20 / 17, 64));
  parameters.key_len = sizeof(Key);
  Hash hash(rte_hash_create(&parameters));
  if (!hash) {
    std::fprintf(stderr, "flowtable_bench: rte_hash of %zu flows: %s\n", flows, rte_strerror(rte_errno));
    std::exit(1);
  }
  return hash;
}

void add(rte_hash* h, std::uint64_t flow) {
  const Key key = key_of(flow);
  const auto sig = static_cast<hash_sig_t>(digest_of(flow));
  if (rte_hash_add_key_with_hash_data(h, &key, sig, reinterpret_cast<void*>(flow % 1000)) < 0) {
    std::fprintf(stderr, "flowtable_bench: rte_hash is full\n");
    std::exit(1);
  }
}

std::size_t allocated() {
  rte_malloc_socket_stats stats{};
  rte_malloc_get_socket_stats(0, &stats);
  return stats.heap_allocsz_bytes;
}

struct Packet {
  Key key;
  hash_sig_t sig;
};

struct Traffic {
  explicit Traffic(const FlowCount& count)
      : hash(make_hash(std::string("find_") + count.name, count.flows)),
        memory(std::max(count.flows, kBurst) * sizeof(Packet)),
        order(memory.as<Packet>().first(std::max(count.flows, kBurst) / kBurst * kBurst)) {
    for (std::uint64_t i = 0; i < count.flows; ++i) add(hash.get(), i);
    for (std::uint64_t i = 0; i < order.size(); ++i) {
      order[i] = {key_of(i % count.flows), static_cast<hash_sig_t>(digest_of(i % count.flows))};
    }
    std::shuffle(order.begin(), order.end(), std::mt19937_64(7));
  }
  Hash hash;
  HugeMemory memory;
  std::span<Packet> order;
};

std::uint64_t look_up(rte_hash* h, std::span<const Packet, kBurst> packets) {
  std::array<const void*, kBurst> keys;
  std::array<hash_sig_t, kBurst> sigs;
  std::array<void*, kBurst> data;
  for (std::size_t i = 0; i < kBurst; ++i) {
    keys[i] = &packets[i].key;
    sigs[i] = packets[i].sig;
  }
  std::uint64_t hits = 0;
  rte_hash_lookup_with_hash_bulk_data(h, keys.data(), sigs.data(), kBurst, &hits, data.data());
  benchmark::DoNotOptimize(data);
  return hits;
}

void find_bursts(benchmark::State& state, Traffic& traffic) {
  std::size_t next = 0;
  std::uint64_t all = 0xffff'ffff;
  for (auto _ : state) {
    all &= look_up(traffic.hash.get(), std::span<const Packet, kBurst>(&traffic.order[next], kBurst));
    next = next + kBurst == traffic.order.size() ? 0 : next + kBurst;
  }
  count_packets(state);
  if (all != 0xffff'ffff) state.SkipWithError("rte_hash lost a flow");
}

}  // namespace

Status start_eal() {
  std::vector<std::string> words = {
      "flowtable_bench", "--in-memory", "--no-pci", "--no-telemetry", "-l", "0", "--log-level=error"};
  std::ifstream pool("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  long free_pages = 0;
  if (!(pool >> free_pages) || free_pages < 512) {
    std::fprintf(stderr, "fewer than 512 hugepages free: rte_hash runs on small pages\n");
    words.insert(words.end(), {"--no-huge", "-m", "2048"});
  }
  std::vector<char*> arguments;
  for (std::string& w : words) arguments.push_back(w.data());
  if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0) {
    return unavailable(std::string("EAL does not start: ") + rte_strerror(rte_errno));
  }
  return Ok{};
}

double register_rte_hash_find_case(const FlowCount& count) {
  const std::size_t before = allocated();
  auto traffic = std::make_shared<Traffic>(count);
  const std::size_t after = allocated();
  benchmark::RegisterBenchmark((std::string("rte_hash.find.") + count.name).c_str(),
                               [traffic](benchmark::State& s) { find_bursts(s, *traffic); });
  return static_cast<double>(after - before) / static_cast<double>(count.flows);
}

void register_rte_hash_new_flow_case() {
  constexpr std::uint64_t kLiving = 500'000;
  struct State {
    Hash hash = make_hash("new_room", 1'000'000);
    std::uint64_t next = 0;
  };
  auto shared = std::make_shared<State>();
  while (shared->next < kLiving) add(shared->hash.get(), shared->next++);
  benchmark::RegisterBenchmark("rte_hash.new.room", [shared](benchmark::State& state) {
    rte_hash* h = shared->hash.get();
    std::array<Packet, kBurst> packets;
    for (auto _ : state) {
      const std::uint64_t first = shared->next;
      for (std::uint64_t i = 0; i < kBurst; ++i) {
        packets[i] = {key_of(first + i), static_cast<hash_sig_t>(digest_of(first + i))};
      }
      benchmark::DoNotOptimize(look_up(h, packets));
      for (std::uint64_t i = 0; i < kBurst; ++i) {
        add(h, first + i);
        const Key old = key_of(first + i - kLiving);
        rte_hash_del_key_with_hash(h, &old, static_cast<hash_sig_t>(digest_of(first + i - kLiving)));
      }
      shared->next += kBurst;
    }
    count_packets(state);
  });
}

}  // namespace penstock::perf
