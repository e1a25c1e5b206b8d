// Engines that talk over a wire in memory, which loses what it is told to, in time that the test makes.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "dataplane/sync/sync_engine.h"

namespace penstock {

inline SyncRecord flow_record(std::uint64_t key, std::uint32_t value) {
  SyncRecord record;
  record.type = SyncRecordType::kFlow;
  record.key = key;
  record.size = 12;
  std::memcpy(record.data.data(), &value, sizeof value);
  return record;
}

/// Tells what the test puts into it.
struct FakeSource final : SyncSource {
  std::map<std::uint64_t, std::uint32_t> flows;
  void collect(Nanoseconds, const std::function<void(const SyncRecord&)>& tell) override {
    for (const auto& [key, value] : flows) tell(flow_record(key, value));
  }
};

/// Remembers what it was told, with the time of the last put.
struct FakeSink final : SyncSink {
  struct Known {
    std::uint32_t value;
    std::uint8_t peer;
    Nanoseconds at;
    Nanoseconds first;
  };
  std::map<std::uint64_t, Known> flows;

  [[nodiscard]] SyncRecordType type() const noexcept override { return SyncRecordType::kFlow; }
  bool put(const SyncRecord& record, std::uint8_t peer, Nanoseconds now) override {
    std::uint32_t value = 0;
    std::memcpy(&value, record.data.data(), sizeof value);
    const auto known = flows.find(record.key);
    flows[record.key] = {value, peer, now, known == flows.end() ? now : known->second.first};
    return true;
  }
  void erase(std::uint64_t key, std::uint8_t peer) override {
    const auto known = flows.find(key);
    if (known != flows.end() && known->second.peer == peer) flows.erase(known);
  }
  void collect(const std::function<void(const SyncRecord&)>& tell) override {
    for (const auto& [key, known] : flows) tell(flow_record(key, known.value));
  }
};

class EngineWorld {
 public:
  struct Datagram {
    SyncAddress from, to;
    std::vector<std::byte> bytes;
  };
  struct Gateway {
    SyncAddress address;
    FakeSource source;
    FakeSink sink;
    std::unique_ptr<SyncEngine> engine;
  };

  explicit EngineWorld(std::size_t gateways, std::uint64_t seed = 1, SyncSettings settings = {})
      : settings_(settings), random_(seed) {
    for (std::size_t i = 0; i < gateways; ++i) {
      auto& gateway = *gateways_.emplace_back(std::make_unique<Gateway>());
      gateway.address = SyncAddress{IpAddr(Ipv4Addr{{192, 0, 2, static_cast<std::uint8_t>(i + 1)}}), 6082};
      start(i);
    }
  }

  Gateway& operator[](std::size_t i) { return *gateways_[i]; }
  [[nodiscard]] SyncTime time() const { return {now_, wall_ms_ + now_.count() / 1'000'000}; }

  /// A new run of the gateway: another session, nothing known of the last one but what its sink holds.
  /// clock_ns: what its clock is off by when it starts.
  void start(std::size_t i, std::int64_t clock_ns = 0, const SyncSettings* settings = nullptr) {
    Gateway& gateway = *gateways_[i];
    gateway.engine = std::make_unique<SyncEngine>(
        settings != nullptr ? *settings : settings_, random_() | 1,
        time().wall_ms * 1'000'000 + 1 + static_cast<std::uint64_t>(clock_ns),
        std::vector<SyncSource*>{&gateway.source}, std::vector<SyncSink*>{&gateway.sink},
        [this, from = gateway.address](const SyncAddress& to, std::span<const std::byte> bytes) {
          wire.push_back({from, to, {bytes.begin(), bytes.end()}});
        });
    DerivedKey key;
    key.fill(7);
    gateway.engine->set_key(key);
    std::vector<SyncPeer> peers;
    for (std::size_t j = 0; j < gateways_.size(); ++j) {
      if (j != i) peers.push_back({"gw" + std::to_string(j), address_of(j)});
    }
    gateway.engine->set_peers(peers);
    for (auto& other : gateways_) {
      if (other->engine && other.get() != &gateway && !knows(*other, gateway.address)) meet(*other);
    }
  }
  void stop(std::size_t i) { gateways_[i]->engine.reset(); }

  /// Ticks of 10 ms, a scan every 250 ms.
  void run(Nanoseconds span) {
    for (const Nanoseconds end = now_ + span; now_ < end;) {
      now_ = now_ + Nanoseconds::from_millis(10);
      if (before_tick) before_tick();
      for (auto& gateway : gateways_) {
        if (!gateway->engine) continue;
        if (now_.count() / 250'000'000 != (now_.count() - 10'000'000) / 250'000'000)
          gateway->engine->collect(now_);
        gateway->engine->tick(time());
      }
      deliver();
    }
  }

  void deliver() {
    for (std::deque<Datagram> due = std::exchange(wire, {}); const auto& datagram : due) {
      if (tap) tap(datagram);
      if (std::uniform_real_distribution<>(0, 1)(random_) < loss) continue;
      for (auto& gateway : gateways_) {
        if (gateway->engine && gateway->address == datagram.to)
          gateway->engine->receive(datagram.from, datagram.bytes, time());
      }
    }
  }

  std::uint64_t refused(std::size_t i, Refusal why) {
    return gateways_[i]->engine->report(now_).refused[static_cast<std::size_t>(why)];
  }

  double loss = 0;
  std::deque<Datagram> wire;
  std::function<void(const Datagram&)> tap;
  std::function<void()> before_tick;

 private:
  static SyncAddress address_of(std::size_t i) {
    return {IpAddr(Ipv4Addr{{192, 0, 2, static_cast<std::uint8_t>(i + 1)}}), 6082};
  }
  static bool knows(Gateway& gateway, const SyncAddress& address) {
    for (const auto& peer : gateway.engine->peers()) {
      if (peer.address == address) return true;
    }
    return false;
  }
  void meet(Gateway& gateway) {
    std::vector<SyncPeer> peers;
    for (std::size_t j = 0; j < gateways_.size(); ++j) {
      if (gateways_[j].get() != &gateway) peers.push_back({"gw" + std::to_string(j), address_of(j)});
    }
    gateway.engine->set_peers(peers);
  }

  const SyncSettings settings_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Gateway>> gateways_;
  Nanoseconds now_ = Nanoseconds::from_seconds(100);
  std::uint64_t wall_ms_ = 1'700'000'000'000;
};

}  // namespace penstock
