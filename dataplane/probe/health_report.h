// What the judge knows of one backend, for whoever reports it, and what he can be told. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/flow/flow_bucket.h"
#include "penstock/abi/probe.h"
#include "penstock/base/units.h"

namespace penstock {

/// Why a backend gets no new flows. In the order of BackendHealth.Reason (penstock/proto/dataplane.proto).
enum class HealthReason : std::uint8_t {
  kNone,
  kNoListener,
  kCheckFailing,
  kStalled,
  kSilent,
  kDirectCheck,
  kFleet,
  kHeld,
  kBreaker,
  kMaintenance,
};

enum class BreakerState : std::uint8_t { kClosed, kOpen, kHalfOpen };
enum class BreakerCause : std::uint8_t { kNone, kResets, kHandshakes, kLatency, kProbeLoss };

/// What the gateways together find.
struct FleetVerdict {
  BackendIndex backend = kNoBackend;
  bool alive = false;
};

struct BackendReport {
  HealthReason reason = HealthReason::kNone;
  Nanoseconds in_state{};  // for how long
  BreakerState breaker = BreakerState::kClosed;
  BreakerCause cause = BreakerCause::kNone;  // of the last trip
  bool late = false;
  bool busy = false;
  bool in_doubt = false;
  std::uint32_t admitted_percent = 100;
  std::uint32_t probe_loss_percent = 0;
  std::uint32_t rtt_us = 0;  // 0: no answer yet
  std::uint32_t falls = 0;
  std::uint32_t trips = 0;
  // As the last answer said; absent when that is more than two seconds old. Ages are those of now.
  std::optional<probe_service_load> load{};
  std::optional<probe_host_load> host{};
};

}  // namespace penstock
