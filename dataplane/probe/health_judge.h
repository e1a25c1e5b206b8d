// Turns what probes, checks and the fleet say into what the workers do with new flows: down, hot, and the
// share that a backend gets (config/backend_states.h).
//
// Theory of operation, per backend, strongest first:
//   finding    what the evidence says now: maintenance, the host's own word, silence, checks, the fleet
//   hold       who fell stays down for a while
//   breaker    who answers and yet fails connections is taken out, and tried with a trickle
//   slow_start whoever comes back gets more by and by
//   hot_rule   who is late or busy is avoided where the slot's other candidate is not
// settle() puts these together, whenever something is heard of a backend, and at every tick while time alone
// changes it. A service without living backends does as AllDown says.
//
// Of the probes one thread tells (ProbeSink); all else may be called by any thread. A small lock, held for
// one answer, one tick, or a few hundred backends of a report, keeps them apart. No answer allocates.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "dataplane/config/backend_states.h"
#include "dataplane/probe/breaker.h"
#include "dataplane/probe/finding.h"
#include "dataplane/probe/health_report.h"
#include "dataplane/probe/hold.h"
#include "dataplane/probe/hot_rule.h"
#include "dataplane/probe/load_window.h"
#include "dataplane/probe/probe_sink.h"
#include "dataplane/probe/service_history.h"
#include "dataplane/probe/silence.h"
#include "dataplane/probe/slow_start.h"

namespace penstock {

class HealthJudge final : public ProbeSink {
 public:
  static constexpr Nanoseconds kFleetVerdictLife = Nanoseconds::from_seconds(5);
  static constexpr std::uint32_t kLongestStallMs = 300;

  /// `states` must outlive the judge, who is the only one to write it.
  explicit HealthJudge(BackendStates& states) : states_(states) {}

  /// What is known of addresses, backends and services that stay is kept; indexes that go are unknown again.
  void follow(const ProbePlan& plan, Nanoseconds now) override;
  void answered(std::size_t address, std::size_t first, std::span<const ServiceReport> services,
                const std::optional<probe_host_load>& host, Nanoseconds rtt, Nanoseconds now) override;
  void lost(std::size_t address, Nanoseconds now) override;
  void tick(Nanoseconds now) override;

  /// A check of this gateway's own has ended. Its rise and fall are those of the service's direct_check;
  /// backends of no service are ignored.
  void direct(BackendIndex backend, bool passed, Nanoseconds now);
  /// Whether the host has ever answered a probe: others are for direct checks (DirectChecks::kAuto).
  [[nodiscard]] bool heard(BackendIndex backend) const;
  /// Replaces what the fleet said before; counts for kFleetVerdictLife.
  void fleet(std::span<const FleetVerdict> verdicts, Nanoseconds now);

  /// Of each; defaults for those that nobody judges.
  void report(std::span<const BackendIndex> backends, Nanoseconds now, std::vector<BackendReport>& out) const;

 private:
  static constexpr std::uint32_t kNowhere = UINT32_MAX;

  struct Direct {
    std::optional<bool> passes;
    std::uint16_t passed = 0;  // in a row
    std::uint16_t failed = 0;
  };

  struct Backend {
    BackendIndex index = kNoBackend;
    std::uint32_t service = kNowhere;  // positions
    std::uint32_t address = kNowhere;
    bool maintenance = false;
    bool takes_new_flows = false;
    bool silent = false;
    bool timed = false;  // in timed_
    bool was_out = false;
    bool fleet_alive = false;
    std::uint32_t fleet_round = 0;  // in which that was said; 0: never
    HostWord word;
    Finding finding;
    BackendState state;
    Nanoseconds since{};
    Direct direct;
    Hold hold;
    SlowStart ramp;
    Heat heat;
    Breaker breaker;
    LoadCounters counters;
    LoadWindow second;
    std::optional<probe_service_load> load;
    Nanoseconds load_at{};
  };

  struct Address {
    AddressSilence silence;
    std::uint32_t rtt_us = 0;
    std::optional<probe_host_load> host;
    Nanoseconds host_at{};
    std::vector<std::uint32_t> backends;  // positions, in the order in which they are asked for
  };

  struct Service {
    ServiceIndex index = kNoServiceIndex;
    HealthDocument policy;
    ServiceHistory history;
    std::uint32_t first = 0;  // its backends: positions from here
    std::uint32_t count = 0;
    std::uint32_t takers = 0;  // that the configuration gives new flows
    std::uint32_t wanted = 0;  // of them, not in maintenance
    std::uint32_t alive = 0;   // of those
    std::uint32_t open = 0;    // breakers that are not closed
    Nanoseconds next_second{};
    ServiceState state = ServiceState::kAlive;
  };

  // health_judge_follow.cc
  void adopt(const ProbePlan& plan, Nanoseconds now);
  void adopt_services(const ProbePlan& plan, std::vector<Backend>& before, Nanoseconds now);
  void adopt_addresses(const ProbePlan& plan);
  [[nodiscard]] Backend* find_in(std::vector<Backend>& backends, BackendIndex index) const;
  void forget_gone(std::span<const Backend> before, std::span<const Service> services_before);

  // health_judge_second.cc
  void end_seconds(Nanoseconds now);
  void end_second(Service& service, Nanoseconds now);
  void gather(const Service& service, ServiceSecond& second) const;
  [[nodiscard]] bool may_open(const Service& service, const Backend& backend) const;

  void hear(Backend& backend, const ServiceReport& report, const Address& address, Nanoseconds now);
  void settle(Backend& backend, Nanoseconds now);
  void publish(Backend& backend, const Finding& finding, double share, Nanoseconds now);
  void settle_service(Service& service);
  void follow_doubt(Nanoseconds now);
  void settle_address(const Address& address, Nanoseconds now);
  [[nodiscard]] Evidence evidence_of(const Backend& backend, Nanoseconds now) const;
  /// Whether time alone may change its state.
  [[nodiscard]] static bool needs_time(const Backend& backend);
  [[nodiscard]] static bool counts(const Backend& b) { return b.takes_new_flows && !b.maintenance; }
  [[nodiscard]] Backend* find(BackendIndex index);
  [[nodiscard]] const Backend* find(BackendIndex index) const;
  [[nodiscard]] BackendReport report_of(const Backend& backend, Nanoseconds now) const;

  BackendStates& states_;
  mutable std::mutex mutex_;
  ProbePlan plan_;
  std::vector<Service> services_;
  std::vector<Backend> backends_;
  std::vector<Address> addresses_;
  std::vector<std::uint32_t> positions_;  // BackendIndex -> position, or kNowhere
  std::vector<std::uint32_t> timed_;      // positions of those that time alone may change
  std::size_t next_service_ = 0;          // whose second ends next
  ServiceSecond second_;                  // end_second()'s
  LinkDoubt doubt_;
  std::uint32_t fleet_round_ = 0;  // that is complete; of those that say less, nothing is known
  Nanoseconds fleet_at_{};
};

}  // namespace penstock
