// Turns answers and silence into verdicts, and writes them where the workers read them.
//
// Theory of operation: per address, one question an interval. An answer says of each service whether it has a
// listener, which is believed at once, both ways: the host itself has spoken. Silence says nothing of the
// first probes (a host without the program never answers) and is weighed by kFallIntervals after that,
// because packets get lost; an address that was silent for so long must answer in kRiseIntervals before it is
// believed again.
//
// One thread.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dataplane/config/backend_states.h"
#include "dataplane/probe/probe_plan.h"
#include "dataplane/probe/probe_wire.h"

namespace penstock {

inline constexpr unsigned kFallIntervals = 3;
inline constexpr unsigned kRiseIntervals = 2;

class LivenessJudge {
 public:
  explicit LivenessJudge(BackendStates& states) : states_(states) {}

  /// What is known of addresses and backends that stay is kept. Backends that are no longer there become
  /// unknown, because their indexes may name others one day.
  void follow(std::span<const ProbedAddress> addresses);

  /// Positions are those in the addresses that were given last. `first`: of the services asked for, in that
  /// address's list.
  void answered(std::size_t address, std::size_t first, std::span<const Listener> listeners);
  /// An interval ends in which the address had been asked.
  void interval_over(std::size_t address);

 private:
  struct Address {
    bool ever_answered = false;
    bool answered = false;  // in this interval
    bool silent = false;    // down for it
    unsigned silent_intervals = 0;
    unsigned answered_intervals = 0;  // since it was silent
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
