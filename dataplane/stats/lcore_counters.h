// The counters of one worker. The worker is the only writer; any thread may read at any time and sums over
// the workers. A write is a relaxed load and a relaxed store (plain instructions, no read-modify-write), so a
// reader sees each counter whole and never decreasing, but two counters may be a burst apart: the identity
// received = sum of outcomes (outcome.h) is exact whenever the worker is between bursts.
//
// Counters of services and backends are indexed by ServiceIndex and BackendIndex (config/snapshot.h). When an
// index passes to another service or backend, the control thread zeroes it with begin_*: the compiler's
// quarantine guarantees that no worker writes to that index then.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/stats/outcome.h"

namespace penstock {

/// A 64-bit count with one writer.
class Counter {
 public:
  void add(std::uint64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t read() const noexcept { return value_.load(std::memory_order_relaxed); }
  /// For what is measured, not counted.
  void set(std::uint64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
  void zero() noexcept { value_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct ServiceCounters {
  std::array<Counter, kOutcomeCount> outcomes;
};

struct alignas(32) BackendCounters {
  Counter packets;
  Counter bytes;      // IP length of the clients' packets, without Ethernet and encapsulation
  Counter new_flows;  // flows first seen here, SYN or not
};
static_assert(sizeof(BackendCounters) == 32, "never straddles two cache lines");

inline constexpr std::size_t kBurstSizes = 33;  // polls that returned 0..32 packets

class LcoreCounters {
 public:
  /// Room for ServiceIndex < max_services and BackendIndex < max_backends. Throws std::bad_alloc (start-up
  /// only).
  LcoreCounters(std::size_t max_services, std::size_t max_backends)
      : max_services_(max_services),
        max_backends_(max_backends),
        services_(std::make_unique<ServiceCounters[]>(max_services)),
        backends_(std::make_unique<BackendCounters[]>(max_backends)) {}

  Counter received;  // packets, written by Pipeline::account
  std::array<Counter, kOutcomeCount> outcomes;
  Counter second_chance;  // packets that left with hops
  Counter foreign_flows;  // flows entered because another gateway had told of them
  Counter avoided;        // new flows that went elsewhere because their slot's owner was found dead
  Counter withheld;       // ... because it takes only a part of its new flows: slow start, half-open breaker
  Counter cooler;         // ... because it was hot, and the alternate less so
  Counter flow_table_full;  // packets that were balanced without a flow entry because the table had no room

  // Frames beyond those received (Burst::extra). What waited has been counted as kHeld when it was received.
  Counter fragments_released;  // sent after the first fragment that they had waited for
  Counter fragments_lost;      // that waited in vain: timed out, displaced, or their datagram was refused

  // NAT, of this worker's table.
  Counter nat_sessions;
  Counter nat_capacity;
  Counter nat_adopted;  // sessions taken over from what other gateways had told

  // Written by the worker's polling loop (dpdk/).
  Counter extra_sent;     // extra frames that an egress port took
  Counter extra_dropped;  // extra frames that it did not take
  Counter busy_cycles;    // TSC cycles of polls that returned packets
  Counter idle_cycles;
  std::array<Counter, kBurstSizes> burst_sizes;

  [[nodiscard]] ServiceCounters& service(std::size_t index) noexcept { return services_[index]; }
  [[nodiscard]] const ServiceCounters& service(std::size_t index) const noexcept { return services_[index]; }
  [[nodiscard]] BackendCounters& backend(std::size_t index) noexcept { return backends_[index]; }
  [[nodiscard]] const BackendCounters& backend(std::size_t index) const noexcept { return backends_[index]; }
  [[nodiscard]] std::size_t max_services() const noexcept { return max_services_; }
  [[nodiscard]] std::size_t max_backends() const noexcept { return max_backends_; }

  /// Control thread, before the snapshot that gives `index` to a new owner is published.
  void begin_service(std::size_t index) noexcept {
    for (Counter& c : services_[index].outcomes) c.zero();
  }
  void begin_backend(std::size_t index) noexcept {
    BackendCounters& b = backends_[index];
    b.packets.zero();
    b.bytes.zero();
    b.new_flows.zero();
  }

 private:
  std::size_t max_services_;
  std::size_t max_backends_;
  std::unique_ptr<ServiceCounters[]> services_;
  std::unique_ptr<BackendCounters[]> backends_;
};

}  // namespace penstock
