// Two engines over a lossy wire in memory, in simulated time.
#include <algorithm>
#include <deque>
#include <random>
#include <unordered_map>
#include <vector>

#include "dataplane/sync/flow_record.h"
#include "dataplane/sync/sync_engine.h"
#include "perf/micro/sync/cases.h"

namespace penstock::perf {
namespace {

constexpr Nanoseconds kStep = Nanoseconds::from_millis(10), kScan = Nanoseconds::from_millis(250);
constexpr Nanoseconds kOld = Nanoseconds::from_seconds(1), kLife = Nanoseconds::from_seconds(4);
constexpr Nanoseconds kAllowed = Nanoseconds::from_seconds(2);
constexpr std::size_t kPerStep = 1000;

struct Flow {
  std::uint64_t digest;
  Nanoseconds born;
};

/// As FlowSource does: tells of a flow that a scan of at least a second ago saw.
class Born final : public SyncSource {
 public:
  std::deque<Flow> flows;
  void collect(Nanoseconds now, const std::function<void(const SyncRecord&)>& tell) override {
    scans_.push_back(now);
    while (scans_.size() > 1 && scans_[1] + kOld <= now) scans_.pop_front();
    if (scans_.front() + kOld > now) return;
    for (const Flow& flow : flows) {
      if (flow.born > scans_.front()) break;
      tell(ToldFlow{flow.digest, 1, 900}.record());
    }
  }

 private:
  std::deque<Nanoseconds> scans_;
};

class Known final : public SyncSink {
 public:
  std::unordered_map<std::uint64_t, Nanoseconds> first;
  [[nodiscard]] SyncRecordType type() const noexcept override { return SyncRecordType::kFlow; }
  bool put(const SyncRecord& record, std::uint8_t, Nanoseconds now) override {
    first.emplace(record.key, now);
    return true;
  }
  void erase(std::uint64_t, std::uint8_t) override {}
  void collect(const std::function<void(const SyncRecord&)>&) override {}
};

struct Datagram {
  SyncAddress from, to;
  std::vector<std::byte> bytes;
};

class Wire {
 public:
  explicit Wire(double loss) : lost_(loss) {
    for (std::size_t i = 0; i < 2; ++i) {
      addresses_[i] = {IpAddr(Ipv4Addr{{192, 0, 2, static_cast<std::uint8_t>(i + 1)}}), 6082};
    }
    for (std::size_t i = 0; i < 2; ++i) {
      engines_[i] = std::make_unique<SyncEngine>(
          SyncSettings{}, i + 1, 1, i == 0 ? std::vector<SyncSource*>{&source} : std::vector<SyncSource*>{},
          std::vector<SyncSink*>{&sinks_[i]},
          [this, i](const SyncAddress& to, std::span<const std::byte> bytes) {
            wire_.push_back({addresses_[i], to, {bytes.begin(), bytes.end()}});
          });
      engines_[i]->set_key(DerivedKey{1});
      engines_[i]->set_peers({{"peer", addresses_[1 - i]}});
    }
  }

  void step(Nanoseconds now) {
    const SyncTime time{now, 1'700'000'000'000 + now.count() / 1'000'000};
    if (now >= next_scan_) {
      engines_[0]->collect(now);
      next_scan_ = now + kScan;
    }
    for (auto& engine : engines_) engine->tick(time);
    for (const Datagram& datagram : std::exchange(wire_, {})) {
      if (lost_(random_)) continue;
      engines_[datagram.to == addresses_[1] ? 1 : 0]->receive(datagram.from, datagram.bytes, time);
    }
  }
  [[nodiscard]] const Known& known() const { return sinks_[1]; }
  [[nodiscard]] SyncPeerReport report(std::size_t i, Nanoseconds now) const {
    return engines_[i]->report(now).peers.at(0);
  }

  Born source;

 private:
  std::mt19937_64 random_{2};
  std::bernoulli_distribution lost_;
  std::array<SyncAddress, 2> addresses_;
  std::array<Known, 2> sinks_;
  std::vector<Datagram> wire_;
  std::array<std::unique_ptr<SyncEngine>, 2> engines_;
  Nanoseconds next_scan_;
};

}  // namespace

void measure_known_after(Figures& figures, bool quick) {
  Wire wire(0.2);
  std::mt19937_64 random(1);
  std::vector<Flow> all;
  const Nanoseconds begin = Nanoseconds::from_seconds(10);
  const Nanoseconds end = begin + Nanoseconds::from_seconds(quick ? 8 : 30);
  for (Nanoseconds now = begin; now < end; now = now + kStep) {
    for (std::size_t i = 0; i < kPerStep; ++i) {
      const Flow flow{random(), now + Nanoseconds(kStep.count() * i / kPerStep)};
      wire.source.flows.push_back(flow);
      all.push_back(flow);
    }
    while (wire.source.flows.front().born + kLife <= now) wire.source.flows.pop_front();
    wire.step(now + kStep);
  }
  std::vector<double> after_ms;
  std::size_t unknown = 0;
  for (const Flow& flow : all) {
    const Nanoseconds old = flow.born + kOld;
    if (old + kAllowed > end) break;
    const auto known = wire.known().first.find(flow.digest);
    if (known == wire.known().first.end()) {
      ++unknown;
      continue;
    }
    const Nanoseconds waited = known->second > old ? known->second - old : Nanoseconds();
    after_ms.push_back(static_cast<double>(waited.count()) / 1e6);
    if (waited > kAllowed) ++unknown;
  }
  std::sort(after_ms.begin(), after_ms.end());
  const auto quantile = [&](double q) {
    return after_ms[static_cast<std::size_t>(q * static_cast<double>(after_ms.size() - 1))];
  };
  figures.add("sync.known.p50", quantile(0.5), "ms");
  figures.add("sync.known.p99", quantile(0.99), "ms");
  figures.add("sync.known.max", quantile(1), "ms", at_most(2000));
  figures.add("sync.known.flows", static_cast<double>(after_ms.size() + unknown), "flows");
  figures.add("sync.known.unknown_after_2s", static_cast<double>(unknown), "flows", at_most(0));
  const auto report = wire.report(0, end);
  const double seconds = static_cast<double>((end - begin).count()) / 1e9;
  figures.add("sync.known.datagrams_sent", static_cast<double>(report.sent) / seconds, "a second");
  figures.add("sync.known.repaired", static_cast<double>(wire.report(1, end).repaired) / seconds,
              "flows a second");
}

}  // namespace penstock::perf
