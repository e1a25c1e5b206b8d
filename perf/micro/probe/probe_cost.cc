#include "perf/micro/probe/probe_cost.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/own/own_traffic.h"
#include "dataplane/pipeline/pipeline.h"
#include "dataplane/probe/health_judge.h"
#include "dataplane/probe/prober.h"
#include "penstock/abi/own_ports.h"
#include "penstock/base/clock.h"
#include "perf/micro/probe/responder.h"

namespace penstock::perf {
namespace {

constexpr std::size_t kHeadroom = 128;
constexpr std::size_t kBuffer = 2048;
constexpr siphash_key kKey{{1, 2}};

/// CPU time of the prober's thread; nothing when there is none.
std::optional<double> prober_seconds() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    if (name != "penstock-probe") continue;
    double ns = 0;
    if (std::ifstream(task.path() / "schedstat") >> ns) return ns / 1e9;
  }
  return std::nullopt;
}

double thread_seconds() {
  timespec ts{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return static_cast<double>(ts.tv_sec) + static_cast<double>(ts.tv_nsec) / 1e9;
}

/// What reading the clock twice adds to every measurement.
double clock_cost() {
  double least = std::numeric_limits<double>::max();
  for (int i = 0; i < 1000; ++i) {
    const double begin = thread_seconds();
    least = std::min(least, thread_seconds() - begin);
  }
  return least;
}

IpAddr backend(std::size_t n) {
  return Ipv4Addr{{10, 1, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)}};
}

ProbePlan plan_of(std::size_t backends) {
  ProbePlan plan;
  plan.key = kKey;
  plan.services.resize(1);
  plan.services[0].index = 0;
  for (std::size_t i = 0; i < backends; ++i) {
    const VipKey key{Ipv4Addr{{203, 0, 113, 10}}, 6, 80, 0, 0};
    plan.addresses.push_back({backend(i), {{static_cast<BackendIndex>(i), key}}});
    plan.services[0].backends.push_back({static_cast<BackendIndex>(i), false, true});
  }
  return plan;
}

std::shared_ptr<const NextHops> hops_of(std::size_t backends) {
  auto hops = std::make_shared<NextHops>();
  for (std::size_t i = 0; i < backends; ++i)
    (*hops)[backend(i)] = {{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, Ipv4Addr{{192, 0, 2, 1}}, 0, 1500};
  return hops;
}

/// A worker's part: what leaves is copied into buffers, what comes back goes through the pipeline.
class MemoryWorker {
 public:
  explicit MemoryWorker(OwnWorker& end)
      : end_(end),
        memory_(FlowTable::required_bytes(1024) + 4096),
        flows_(FlowTable::create(aligned(), 0, tick_of(monotonic_now())).value()),
        counters_(16, 16),
        pipeline_(flows_, counters_, rare_of(end)),
        buffers_(kMaxBurst * kBuffer) {}

  void look() {
    for (OutRing* ring : end_.out()) {
      while (ring->waiting() != 0) exchange(*ring);
    }
    const double begin = thread_seconds();
    end_.polled(monotonic_now(), true);
    spent_ += std::max(0.0, thread_seconds() - begin - clock_cost_);
  }
  [[nodiscard]] double spent() const { return spent_; }

 private:
  static RareSettings rare_of(OwnWorker& end) {
    RareSettings rare;
    rare.own = &end;
    return rare;
  }
  std::span<std::byte> aligned() {
    void* at = memory_.data();
    std::size_t room = memory_.size();
    std::align(4096, FlowTable::required_bytes(1024), at, room);
    return {static_cast<std::byte*>(at), FlowTable::required_bytes(1024)};
  }
  std::uint8_t* frame(std::size_t n) { return buffers_.data() + n * kBuffer + kHeadroom; }

  void exchange(OutRing& ring) {
    std::array<std::size_t, kMaxBurst> lengths{};
    double begin = thread_seconds();
    const Nanoseconds now = monotonic_now();
    const std::size_t count = std::min(ring.waiting(), kMaxBurst);
    for (std::size_t i = 0; i < count; ++i) {
      const OutFrame& out = ring.waiting_frame(i);
      lengths[i] = out.length;
      std::memcpy(frame(i), out.bytes.data(), out.length);
      ring.set_sent(i, now);
    }
    ring.done(count);
    spent_ += std::max(0.0, thread_seconds() - begin - clock_cost_);
    for (std::size_t i = 0; i < count; ++i) answer_probe(kKey, {frame(i), lengths[i]});
    begin = thread_seconds();
    for (std::size_t i = 0; i < count; ++i)
      burst_.packets[i].set(frame(i), static_cast<std::uint32_t>(lengths[i]), kHeadroom);
    burst_.count = static_cast<std::uint32_t>(count);
    pipeline_.run(snapshot_, burst_, monotonic_now());
    pipeline_.account(burst_);
    spent_ += std::max(0.0, thread_seconds() - begin - clock_cost_);
  }

  OwnWorker& end_;
  const double clock_cost_ = clock_cost();
  std::vector<std::byte> memory_;
  FlowTable flows_;
  LcoreCounters counters_;
  Pipeline pipeline_;
  Snapshot snapshot_;
  Burst burst_;
  std::vector<std::uint8_t> buffers_;
  double spent_ = 0;
};

void work(MemoryWorker& worker, double seconds) {
  const Nanoseconds end(monotonic_now().count() + static_cast<std::uint64_t>(seconds * 1e9));
  while (monotonic_now() < end) {
    worker.look();
    const timespec pause{0, 100'000};
    nanosleep(&pause, nullptr);
  }
}

}  // namespace

Result<ProbeCost> measure_probe_cost(std::size_t backends, Nanoseconds interval, double seconds) {
  OwnTraffic traffic(1);
  OwnChannel& channel = traffic.add({PENSTOCK_OWN_PROBE_FIRST_PORT, PENSTOCK_OWN_PROBE_LAST_PORT});
  MemoryWorker worker(traffic.worker(0));
  BackendStates states(backends, 1);
  HealthJudge judge(states);
  auto started = Prober::start(interval, judge, channel);
  if (!started) return started.error();
  Prober& prober = **started;
  prober.reach(hops_of(backends));
  prober.follow(plan_of(backends));
  work(worker, 0.5);
  const auto prober_before = prober_seconds();
  if (!prober_before) return unavailable("the kernel does not tell what the prober's thread has used");
  const double worker_before = worker.spent();
  const ProbeCounters before = prober.counters();
  const Nanoseconds begin = monotonic_now();
  work(worker, seconds);
  const double took = static_cast<double>((monotonic_now() - begin).count()) / 1e9;
  const ProbeCounters after = prober.counters();
  const auto sent = static_cast<double>(after.sent - before.sent);
  ProbeCost cost;
  cost.prober_percent = 100 * (*prober_seconds() - *prober_before) / took;
  cost.worker_percent = 100 * (worker.spent() - worker_before) / took;
  cost.questions_per_second = sent / took;
  cost.answered_percent = sent == 0 ? 0 : 100 * static_cast<double>(after.answered - before.answered) / sent;
  return cost;
}

}  // namespace penstock::perf
