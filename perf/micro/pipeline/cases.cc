#include "perf/micro/pipeline/cases.h"

#include <x86intrin.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "dataplane/pipeline/parse.h"
#include "dataplane/pipeline/stages.h"

namespace penstock::perf {

namespace {

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

constexpr Nanoseconds kBurstTime(32 * 50);  // as the pipeline's clock sees it: 20 million packets a second

template <class OneBurst>
Samples measure(const Plan& plan, OneBurst&& one_burst) {
  std::vector<double> samples;
  const std::size_t bursts = std::max<std::size_t>(1, plan.packets / kMaxBurst);
  for (int r = 0; r <= plan.repetitions; ++r) {
    const double start = cpu_seconds();
    for (std::size_t b = 0; b < bursts; ++b) one_burst();
    const double ns = (cpu_seconds() - start) * 1e9 / static_cast<double>(bursts * kMaxBurst);
    if (r > 0) samples.push_back(ns);  // the first one warms up
  }
  return Samples(std::move(samples));
}

// Walks over the flows in bursts, again and again.
class Walk {
 public:
  explicit Walk(std::size_t flows) : order_(shuffled_flows(flows)) {}
  std::span<const std::uint32_t> next() noexcept { return next(kMaxBurst); }
  /// At most `most` flows.
  std::span<const std::uint32_t> next(std::size_t most) noexcept {
    const std::span out = std::span(order_).subspan(at_, std::min(most, order_.size() - at_));
    at_ = at_ + out.size() == order_.size() ? 0 : at_ + out.size();
    return out;
  }
  [[nodiscard]] std::size_t bursts() const { return order_.size() / kMaxBurst; }

 private:
  std::vector<std::uint32_t> order_;
  std::size_t at_ = 0;
};

void forward(World& world) noexcept {
  world.now = world.now + kBurstTime;
  world.pipeline->run(*world.snapshot, world.burst, world.now);
  world.pipeline->account(world.burst);
}

PacketPool::Aim aim_of(const WorldShape& shape, std::uint8_t tcp_flags = kTcpAck) {
  return {.v6 = shape.vip_v6, .services = shape.services, .to_vip = true, .tcp_flags = tcp_flags};
}

// Opens every flow of the walk: SYN, then ACK.
void establish(World& world, Walk& walk, const WorldShape& shape) {
  PacketPool syn(aim_of(shape, kTcpSyn));
  PacketPool ack(aim_of(shape));
  for (std::size_t b = 0; b < walk.bursts(); ++b) {
    const auto flows = walk.next();
    syn.fill(world.burst, flows);
    forward(world);
    ack.fill(world.burst, flows);
    forward(world);
  }
}

void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "pipeline_bench: %s\n", what);
  std::exit(1);
}

std::uint64_t forwarded(const World& world) {
  return world.counters.outcomes[static_cast<std::size_t>(Outcome::kForwarded)].read();
}

std::uint64_t new_flow_count(const World& world) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kMaxBackendIndexes; ++i) sum += world.counters.backend(i).new_flows.read();
  return sum;
}

double tsc_per_ns() {
  timespec a{};
  timespec b{};
  clock_gettime(CLOCK_MONOTONIC, &a);
  const std::uint64_t from = __rdtsc();
  do clock_gettime(CLOCK_MONOTONIC, &b);
  while ((b.tv_sec - a.tv_sec) * 1'000'000'000 + b.tv_nsec - a.tv_nsec < 20'000'000);
  return static_cast<double>(__rdtsc() - from) / 20e6;
}

double quantile(std::vector<double>& values, double q) {
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

// Keeps the compiler from dropping stores into the burst.
void keep(const Burst& burst) { asm volatile("" : : "r"(&burst) : "memory"); }

}  // namespace

Samples harness(const Plan& plan, std::size_t flows) {
  Burst burst;
  PacketPool pool({});
  Walk walk(flows);
  return measure(plan, [&] {
    pool.fill(burst, walk.next());
    keep(burst);
  });
}

Samples floor(const Plan& plan) {
  Burst burst;
  PacketPool pool({});
  Walk walk(16'384);
  return measure(plan, [&] {
    pool.fill(burst, walk.next());
    for (std::uint32_t n = 0; n < burst.count; ++n) {
      static constexpr std::uint8_t kMacs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
      PacketView& p = burst.packets[n];
      Headers headers;
      if (!parse_plain(p, headers)) continue;
      p.ip_length = headers.ip_length;
      p.hash = headers.ports_raw;
      std::memcpy(p.data, kMacs, sizeof kMacs);
    }
    keep(burst);
  });
}

Samples stateless(const Plan& plan, std::size_t flows) {
  World world({});
  PacketPool pool({});
  Walk walk(flows);
  RareState rare;
  return measure(plan, [&] {
    pool.fill(world.burst, walk.next());
    Burst& b = world.burst;
    classify(*world.snapshot, *world.flows, b);
    for (std::uint32_t n = 0; n < b.live_count; ++n) {
      const PacketView& p = b.packets[b.live[n]];
      __builtin_prefetch(world.snapshot->service(p.service).slot(p.hash));
    }
    for (std::uint32_t n = 0; n < b.live_count; ++n) {
      PacketView& p = b.packets[b.live[n]];
      const ServiceRecord& service = world.snapshot->service(p.service);
      p.backend = service.backends[*service.slot(p.hash)];
    }
    encap(*world.snapshot, rare, b, Nanoseconds(0));
    world.pipeline->account(b);
  });
}

Samples not_vip(const Plan& plan) {
  World world({});
  PacketPool pool({.to_vip = false});
  Walk walk(1'000'000);
  const Samples out = measure(plan, [&] {
    pool.fill(world.burst, walk.next());
    forward(world);
  });
  demand(forwarded(world) == 0, "a packet to no VIP was forwarded");
  return out;
}

Samples established(const Plan& plan, WorldShape shape, std::size_t flows) {
  shape.flow_capacity = std::max<std::size_t>(flows, 1024);
  World world(shape);
  Walk walk(flows);
  establish(world, walk, shape);
  PacketPool pool(aim_of(shape));
  const std::uint64_t new_before = new_flow_count(world);
  const Samples out = measure(plan, [&] {
    pool.fill(world.burst, walk.next());
    forward(world);
  });
  demand(forwarded(world) == world.counters.received.read(), "a packet of an established flow was dropped");
  demand(new_flow_count(world) == new_before, "an established flow was forgotten");
  return out;
}

Samples new_flows(const Plan& plan, WorldShape shape, bool full) {
  shape.flow_capacity = 1'000'000;
  World world(shape);
  PacketPool pool(aim_of(shape, kTcpSyn));
  std::uint32_t flow = 0;
  std::array<std::uint32_t, kMaxBurst> flows{};
  const auto one_burst = [&] {
    for (std::uint32_t& f : flows) f = flow++ & 0xff'ffff;
    pool.fill(world.burst, flows);
    forward(world);
  };
  if (full) {
    while (world.flows->stats().evicted < 2'000'000) one_burst();
    return measure(plan, one_burst);
  }
  // With room: from empty to 60 % of the design load, then cleared, which is not timed.
  std::vector<double> samples;
  for (int r = 0; r <= plan.repetitions; ++r) {
    world.clear_flows();
    Plan once = plan;
    once.repetitions = 1;
    once.packets = 300'000;  // measure() runs it twice: to warm up, and timed
    samples.push_back(measure(once, one_burst).median());
  }
  return Samples(std::move(samples));
}

Samples middle(const Plan& plan, WorldShape shape, std::size_t flows) {
  World world(shape);
  Walk walk(flows);
  PacketPool pool(aim_of(shape));
  const Samples out = measure(plan, [&] {
    pool.fill(world.burst, walk.next());
    forward(world);
  });
  demand(world.counters.second_chance.read() == world.counters.received.read(), "a packet left without hops");
  demand(world.flows->stats().size == 0, "a flow in its middle was entered");
  return out;
}

FloodResult flood(const Plan& plan, std::size_t flows) {
  WorldShape shape;
  shape.flow_capacity = flows * 5 / 4;
  World world(shape);
  Walk walk(flows);
  establish(world, walk, shape);
  PacketPool pool(aim_of(shape));
  PacketPool syns(aim_of(shape, kTcpSyn));
  std::uint32_t attacker = 0x80'0000;
  std::array<std::uint32_t, kMaxBurst> attack{};
  std::vector<double> cycles;
  const double per_ns = tsc_per_ns();
  std::uint64_t lost = 0;
  const auto run = [&](bool flooded) {
    std::vector<double> medians;
    for (int r = 0; r <= plan.repetitions; ++r) {
      cycles.clear();
      for (std::size_t b = 0; b < plan.packets / kMaxBurst; ++b) {
        pool.fill(world.burst, walk.next());
        const std::uint64_t from = __rdtsc();
        forward(world);
        cycles.push_back(static_cast<double>(__rdtsc() - from));
        for (const PacketView& p : world.burst.packets)
          lost += p.new_flow || p.outcome != Outcome::kForwarded;
        if (!flooded) continue;
        for (std::uint32_t& f : attack) f = 0x80'0000 | (attacker++ & 0x7f'ffff);
        syns.fill(world.burst, attack);
        forward(world);
      }
      std::ranges::sort(cycles);
      if (r > 0) medians.push_back(cycles[cycles.size() / 2] / per_ns / kMaxBurst);
    }
    return Samples(std::move(medians));
  };
  FloodResult out;
  out.alone_ns = run(false);
  out.burst_p99_us = cycles[cycles.size() * 99 / 100] / per_ns / 1000;
  out.flooded_ns = run(true);
  out.lost_or_moved = lost;
  return out;
}

LoadResult under_load(const Plan& plan, std::size_t flows, double load) {
  WorldShape shape;
  shape.flow_capacity = flows * 5 / 4;
  World world(shape);
  Walk walk(flows);
  establish(world, walk, shape);
  PacketPool pool(aim_of(shape));
  const auto back_to_back = [&](std::size_t packets) {
    const std::uint64_t from = __rdtsc();
    for (std::size_t n = 0; n < packets; n += kMaxBurst) {
      pool.fill(world.burst, walk.next());
      forward(world);
    }
    return static_cast<double>(__rdtsc() - from) / static_cast<double>(packets);
  };
  std::vector<double> capacity;
  for (int r = 0; r < plan.repetitions; ++r) capacity.push_back(back_to_back(plan.packets));
  const double interval = quantile(capacity, 0.5) / load;  // TSC cycles from one arrival to the next

  const double per_us = 1000 * tsc_per_ns();
  std::vector<double> in_pipeline, from_arrival, p50, p99, sojourn;
  for (int r = 0; r <= plan.repetitions; ++r) {
    in_pipeline.clear();
    from_arrival.clear();
    const std::uint64_t start = __rdtsc();
    for (std::size_t taken = 0; taken < plan.packets;) {
      const std::uint64_t polled = __rdtsc();
      const auto arrived = static_cast<std::size_t>(static_cast<double>(polled - start) / interval);
      if (arrived <= taken) continue;
      pool.fill(world.burst, walk.next(std::min(arrived - taken, kMaxBurst)));
      const std::uint64_t from = __rdtsc();
      forward(world);
      const std::uint64_t done = __rdtsc();
      in_pipeline.push_back(static_cast<double>(done - from) / per_us);
      const double oldest = static_cast<double>(taken + 1) * interval;
      from_arrival.push_back((static_cast<double>(done - start) - oldest) / per_us);
      taken += world.burst.count;
    }
    if (r == 0) continue;
    p50.push_back(quantile(in_pipeline, 0.5));
    p99.push_back(quantile(in_pipeline, 0.99));
    sojourn.push_back(quantile(from_arrival, 0.99));
  }
  return {Samples(std::move(p50)), Samples(std::move(p99)), Samples(std::move(sojourn))};
}

}  // namespace penstock::perf
