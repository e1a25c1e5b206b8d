#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <memory>
#include <thread>

#include "dataplane/sync/replication.h"
#include "penstock/base/clock.h"
#include "perf/micro/pipeline/world.h"
#include "perf/micro/sync/cases.h"

namespace penstock::perf {
namespace {

constexpr std::size_t kEstablished = 200'000;
constexpr std::uint32_t kNewPerSecond = 100'000;
constexpr std::uint8_t kSyn = 0x02, kAck = 0x10;
constexpr Nanoseconds kLife = Nanoseconds::from_seconds(3);

double cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

/// A worker that forwards as fast as it can, and 100,000 flows a second that begin and end.
class Worker {
 public:
  Worker()
      : world_({}),
        syn_({.tcp_flags = kSyn}),
        ack_({.tcp_flags = kAck}),
        walk_(shuffled_flows(kEstablished)) {
    for (std::size_t at = 0; at < walk_.size(); at += kMaxBurst) {
      const std::span flows = std::span(walk_).subspan(at, kMaxBurst);
      forward(syn_, flows);
      forward(ack_, flows);
    }
  }

  [[nodiscard]] const FlowTable& table() const { return *world_.flows; }
  [[nodiscard]] const Snapshot& snapshot() const { return *world_.snapshot; }

  /// CPU time a packet, in ns, over so long a time.
  double run(Nanoseconds span) {
    const Nanoseconds begin = monotonic_now();
    const double cpu = cpu_ns();
    std::uint64_t packets = 0, fresh = 0;
    for (Nanoseconds now = begin; now < begin + span; now = monotonic_now()) {
      world_.now = now;
      const std::uint64_t due = (now - begin).count() / 1000 * kNewPerSecond / 1'000'000;
      for (; fresh + kMaxBurst <= due; fresh += kMaxBurst) packets += renew_flows(now);
      for (int i = 0; i < 64; ++i) {
        forward(ack_, std::span(walk_).subspan(at_, kMaxBurst));
        at_ = at_ + kMaxBurst < walk_.size() ? at_ + kMaxBurst : 0;
        packets += kMaxBurst;
      }
    }
    return (cpu_ns() - cpu) / static_cast<double>(packets);
  }

 private:
  struct Opened {
    Nanoseconds at;
    std::array<std::uint64_t, kMaxBurst> digests;
  };

  void forward(PacketPool& pool, std::span<const std::uint32_t> flows) {
    pool.fill(world_.burst, flows);
    world_.pipeline->run(*world_.snapshot, world_.burst, world_.now);
    world_.pipeline->account(world_.burst);
  }
  std::uint64_t renew_flows(Nanoseconds now) {
    std::array<std::uint32_t, kMaxBurst> numbers;
    for (auto& number : numbers) number = kEstablished + next_++ % 10'000'000;
    forward(syn_, numbers);
    forward(ack_, numbers);
    auto& opened = opened_.emplace_back();
    opened.at = now;
    for (std::size_t i = 0; i < kMaxBurst; ++i) opened.digests[i] = world_.burst.packets[i].hash;
    for (; opened_.front().at + kLife <= now; opened_.pop_front()) {
      for (const auto digest : opened_.front().digests) world_.flows->erase(digest);
    }
    return 2 * kMaxBurst;
  }

  World world_;
  PacketPool syn_, ack_;
  std::vector<std::uint32_t> walk_;
  std::size_t at_ = 0;
  std::uint32_t next_ = 0;
  std::deque<Opened> opened_;
};

/// Replication of the worker's table with a gateway that only listens.
class Pair {
 public:
  explicit Pair(const Worker& worker) : first_(settings()), second_(settings()) {
    const auto with_snapshot = [&worker](const std::function<void(const Snapshot&)>& read) {
      read(worker.snapshot());
    };
    must(first_.start({&worker.table()}, with_snapshot, nullptr));
    must(second_.start({}, with_snapshot, nullptr));
    const std::array<std::uint8_t, 32> secret{1};
    for (Replication* side : {&first_, &second_}) side->follow(secret);
    if (!first_.set_peers({{"gw2", second_.address().text()}}).empty() ||
        !second_.set_peers({{"gw1", first_.address().text()}}).empty())
      std::exit(1);
  }
  [[nodiscard]] std::uint64_t told() const { return first_.view().report.replicated; }
  [[nodiscard]] std::uint64_t known() const { return second_.view().foreign_flows; }

 private:
  static void must(const Status& status) {
    if (status) return;
    std::fprintf(stderr, "sync_bench: %s\n", status.error().text().c_str());
    std::exit(1);
  }
  static SyncThreadSettings settings() { return {SyncAddress{IpAddr(Ipv4Addr{{127, 0, 0, 1}}), 0}, {}}; }

  Replication first_, second_;
};

}  // namespace

void measure_worker_cost(Figures& figures, bool quick) {
  Worker worker;
  const Nanoseconds span = Nanoseconds::from_millis(quick ? 1000 : 3000);
  worker.run(kLife + span);
  std::vector<double> alone, beside, ratios, told, known;
  for (int i = 0; i < (quick ? 2 : 9); ++i) {
    alone.push_back(worker.run(span));
    {
      const Pair pair(worker);
      worker.run(Nanoseconds::from_seconds(3));  // the peer learns what there is
      beside.push_back(worker.run(span));
      told.push_back(static_cast<double>(pair.told()));
      known.push_back(static_cast<double>(pair.known()));
    }
    alone.push_back(worker.run(span));
    ratios.push_back(2 * beside.back() / (alone[alone.size() - 1] + alone[alone.size() - 2]));
  }
  figures.add("sync.worker.cost", Samples(ratios).scaled(100), "% of without", at_most(105));
  figures.add("sync.worker.without", Samples(alone), "ns a packet");
  figures.add("sync.worker.with", Samples(beside), "ns a packet");
  figures.add("sync.worker.told", Samples(told), "flows");
  figures.add("sync.worker.known_by_peer", Samples(known), "flows");
}

}  // namespace penstock::perf
