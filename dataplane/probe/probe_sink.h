// What probes say, as whoever judges backends hears it. Called on the prober's thread only.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "dataplane/probe/probe_plan.h"
#include "dataplane/probe/service_report.h"
#include "penstock/abi/probe.h"
#include "penstock/base/units.h"

namespace penstock {

/// Positions are those in the plan that was followed last.
class ProbeSink {
 public:
  virtual ~ProbeSink() = default;

  /// From now on `plan.addresses` are asked. Said of every plan, before anything else speaks of it, even if
  /// nothing that is asked has changed.
  virtual void follow(const ProbePlan& plan, Nanoseconds now) = 0;
  /// An answer of an address, believed. `first`: place of services[0] in that address's list. host: absent
  /// when the responder sent none. An address of more than eight services answers in several.
  virtual void answered(std::size_t address, std::size_t first, std::span<const ServiceReport> services,
                        const std::optional<probe_host_load>& host, Nanoseconds rtt, Nanoseconds now) = 0;
  /// A round of questions to an address was left without any answer for as long as one may take, while this
  /// gateway was able to send and to hear. Once a round.
  virtual void lost(std::size_t address, Nanoseconds now) = 0;
  /// Time passes, at least every 20 ms while there is a plan: holds end, ramps rise.
  virtual void tick(Nanoseconds now) = 0;
};

}  // namespace penstock
