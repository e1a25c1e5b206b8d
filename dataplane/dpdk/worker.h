// One worker: one lcore, one RX queue of every port, its own flow table and counters; run to completion.
//
//   poll a queue -> pipeline -> send, free what is not sent -> count -> report a quiescent state -> next
//   queue
//
// Nothing here locks, allocates (but for buffers, from the lcore's cache) or logs while packets flow.
// Private to dpdk/ (it includes rte_*).
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "dataplane/config/publisher.h"
#include "dataplane/dpdk/buffer_frames.h"
#include "dataplane/dpdk/idle_policy.h"
#include "dataplane/dpdk/rcu_quiescence.h"
#include "dataplane/dpdk/tsc_clock.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/pipeline/packet.h"
#include "dataplane/pipeline/pipeline.h"
#include "dataplane/stats/lcore_counters.h"

namespace penstock {

class Worker {
 public:
  struct Settings {
    unsigned index = 0;                // worker number = queue number = lcore id
    std::vector<std::uint16_t> ports;  // DPDK port ids; NextHop::port indexes this list
    IdlePolicy idle;
    rte_mempool* buffers = nullptr;  // where received frames come from, and extra ones
    RareSettings rare;
    Reports reports;
  };

  Worker(Settings settings, FlowTable& flows, LcoreCounters& counters, RcuQuiescence& quiescence);

  /// Polls until stop(). On the worker's own lcore.
  void run(const Publisher& publisher) noexcept;
  void stop() noexcept { stopping_.store(true, std::memory_order_relaxed); }

  /// TSC at the end of the last completed poll. Any thread.
  [[nodiscard]] std::uint64_t progress_tsc() const noexcept {
    return progress_tsc_.load(std::memory_order_relaxed);
  }

 private:
  // What leaves by one port in this burst: the buffers, and which packets of the burst they are.
  struct Departure {
    std::uint16_t count = 0;
    std::array<rte_mbuf*, kMaxBurst> buffers;
    std::array<std::uint8_t, kMaxBurst> packets;
  };

  // position: in settings_.ports.
  unsigned poll(std::uint16_t position, const Snapshot& snapshot, Nanoseconds now) noexcept;
  void dispatch() noexcept;
  std::uint16_t send(std::uint16_t port, rte_mbuf** buffers, std::uint16_t count) noexcept;
  void transmit(std::uint16_t port, Departure& departure) noexcept;
  void transmit_extra() noexcept;
  void send_own() noexcept;
  [[gnu::cold]] void send_own(OutRing& ring) noexcept;
  void rest(unsigned empty_polls) noexcept;
  void sleep() noexcept;
  void listen_for_interrupts() noexcept;
  void wait_for_interrupt() noexcept;

  const Settings settings_;
  FlowTable& flows_;
  LcoreCounters& counters_;
  RcuQuiescence& quiescence_;
  TscClock clock_;
  Pipeline pipeline_;
  Burst burst_;
  BufferFrames extra_frames_;
  std::array<rte_mbuf*, kMaxBurst> buffers_{};
  std::vector<Departure> departures_;  // by position in settings_.ports
  std::atomic<bool> stopping_{false};
  alignas(64) std::atomic<std::uint64_t> progress_tsc_{0};
};

}  // namespace penstock
