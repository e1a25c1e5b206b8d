// The simplest judge: answers and silence, believed at once. For tests of those who ask; the real one is
// HealthJudge (dataplane/probe/health_judge.h). Turns answers and silence into verdicts.
//
// Theory of operation: an answer says of each service whether it has a listener, which is believed at once,
// both ways: the host itself has spoken. Silence says nothing of the first probes (a host without the program
// never answers) and is weighed by kFallRounds after that, because packets get lost; an address that was
// silent for so long must answer kRiseRounds before it is believed again.
//
// One thread.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dataplane/config/backend_states.h"
#include "dataplane/probe/probe_plan.h"
#include "dataplane/probe/probe_sink.h"

namespace penstock {

inline constexpr unsigned kFallRounds = 3;
inline constexpr unsigned kRiseRounds = 2;

class LivenessJudge final : public ProbeSink {
 public:
  explicit LivenessJudge(BackendStates& states) : states_(states) {}

  /// What is known of addresses and backends that stay is kept. Backends that are no longer there become
  /// unknown, because their indexes may name others one day.
  void follow(const ProbePlan& plan, Nanoseconds now) override;
  void answered(std::size_t address, std::size_t first, std::span<const ServiceReport> services,
                const std::optional<probe_host_load>& host, Nanoseconds rtt, Nanoseconds now) override;
  void lost(std::size_t address, Nanoseconds now) override;
  void tick(Nanoseconds now) override;

 private:
  struct Address {
    bool ever_answered = false;
    bool silent = false;  // down for it
    unsigned lost_rounds = 0;
    unsigned answered_rounds = 0;  // since it was silent
    std::vector<ProbedService> services;
    std::vector<Listener> listeners;  // of `services`
  };

  void publish(const Address& address, std::size_t service);
  void publish_all(const Address& address);

  BackendStates& states_;
  std::vector<IpAddr> order_;
  std::vector<Address> addresses_;
};

}  // namespace penstock
