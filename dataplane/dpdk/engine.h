// Everything that DPDK does for the dataplane, behind one class without a rte_* in sight: EAL, ports,
// buffers, flow tables (in EAL's memory, or in what a process before left), workers.
//
//   open() -> run(publisher) ... stop() -> destructor
//
// open, run and stop belong to the main thread; the questions below may be asked by any thread while it
// lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dataplane/config/publisher.h"
#include "dataplane/dpdk/idle_policy.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/own/own_traffic.h"
#include "dataplane/pipeline/rare_state.h"
#include "dataplane/pipeline/reports.h"
#include "dataplane/stats/lcore_counters.h"
#include "penstock/base/result.h"
#include "penstock/base/units.h"
#include "penstock/config/vip_prefix.h"

namespace penstock {

class RestartState;  // dataplane/restart/restart_state.h

/// A queue's RX and TX rings (1024 each, AF_XDP's UMEM rings 2048 each), one cache, some bursts.
inline constexpr std::size_t kDefaultBuffersPerQueue = 8192;

struct EngineSettings {
  std::vector<std::string> ports;  // devargs
  std::vector<unsigned> cpus{0};   // one worker on each
  IdlePolicy idle;
  std::uint64_t memory_mb = 0;  // 0 = what flows and buffers need
  bool no_huge = false;
  std::size_t flows_per_lcore = 1'000'000;
  /// Of the AF_XDP ports here, by name, VLAN-tagged frames of the VIPs are taken as well.
  std::vector<std::string> tagged_ports;
  RareSettings rare;                   // of `nat` the addresses and flows; its ports are positions in `ports`
  std::vector<NatEvents*> nat_events;  // by worker: where it tells of its NAT sessions; none: nobody asks
  Reports reports;
  OwnTraffic* own = nullptr;  // of as many workers as there are cpus; outlives the engine; null: none
  std::size_t buffers_per_queue = kDefaultBuffersPerQueue;
  std::vector<std::string> eal_extra;
  bool debug_log = false;
};

struct EnginePort {
  std::string name;
  std::optional<std::string> interface;  // the kernel's interface under it
  MacAddr mac;
  std::uint32_t mtu = 1500;
};

struct EnginePortCounts {
  std::uint64_t rx_packets = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t rx_missed = 0;
  std::uint64_t rx_errors = 0;
  std::uint64_t tx_errors = 0;
  std::uint64_t steered = 0;  // frames that the steering program handed to the port; 0 without one
  std::uint64_t passed = 0;   // frames that it left to the kernel
};

class Engine {
 public:
  /// Errors as Eal::init, Port::probe and RestartState::table. On an error nothing is left behind but kept
  /// tables. kept: where the flow tables live on beyond this process, and must outlive the engine; null: they
  /// end with it.
  static Result<std::unique_ptr<Engine>> open(const EngineSettings& settings, RestartState* kept = nullptr);
  /// Stops the workers if they run, closes the ports, releases everything.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// publisher must outlive stop().
  void run(const Publisher& publisher);
  void stop();

  [[nodiscard]] Quiescence& quiescence();
  [[nodiscard]] const std::vector<EnginePort>& ports() const;
  [[nodiscard]] const std::vector<LcoreCounters*>& counters() const;   // by worker
  [[nodiscard]] const std::vector<FlowTable*>& flows() const;          // by worker; for reading only
  [[nodiscard]] const std::vector<std::string>& flow_origins() const;  // by worker; KeptTable::origin

  /// Age of the laggard worker's last completed poll.
  [[nodiscard]] Nanoseconds oldest_progress() const;
  [[nodiscard]] EnginePortCounts port_counts(std::size_t port) const;

  // Which destinations the AF_XDP ports take from the kernel. Control thread.
  Status steer(const VipPrefix& vip);
  Status unsteer(const VipPrefix& vip);
  /// Answers to the gateway itself, at its addresses, come to the workers (EngineSettings::own).
  Status steer_own(const std::set<IpAddr>& addresses);
  Status set_steering_mac(std::size_t port, const MacAddr& mac);

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace penstock
