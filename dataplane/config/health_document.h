// A service's health as validated, with every default filled in (penstock/config/health_limits.h,
// message Health in penstock/proto/config.proto). The local checks themselves are the agent's; of them the
// dataplane keeps the one that it can make itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "penstock/config/health_limits.h"

namespace penstock {

enum class AllDown : std::uint8_t { kUseAll, kReset, kDrop };

/// When the gateway checks backends itself.
enum class DirectChecks : std::uint8_t { kAuto, kOff, kAlways };

enum class DirectCheckKind : std::uint8_t { kTcpConnect, kHttp, kUdpExchange };

/// What the gateway does where it checks a backend itself.
struct DirectCheckDocument {
  DirectCheckKind kind = DirectCheckKind::kTcpConnect;
  std::uint16_t port = 0;                                           // 0: the service's
  std::string path{};                                               // kHttp
  std::string host{};                                               // kHttp; empty: the VIP
  std::string method{};                                             // kHttp: GET or HEAD
  std::vector<std::pair<std::uint16_t, std::uint16_t>> statuses{};  // kHttp: first and last
  std::string body_contains{};                                      // kHttp
  std::vector<std::pair<std::string, std::string>> headers{};       // kHttp: name, contained in its value
  std::string send{};                                               // kUdpExchange
  std::string expect{};                                             // kUdpExchange; empty: any answer
  std::uint32_t interval_ms = kDefaultCheckIntervalMs;
  std::uint32_t timeout_ms = kDefaultCheckTimeoutMs;
  std::uint32_t rise = kDefaultRise;
  std::uint32_t fall = kDefaultFall;

  bool operator==(const DirectCheckDocument&) const = default;
};

struct HotRuleDocument {
  bool off = false;
  std::uint32_t response_ms = 0;  // 0: by the service's own history
  std::uint32_t queue_percent = kDefaultHotQueuePercent;
  std::uint32_t utilization_percent = kDefaultHotUtilizationPercent;

  bool operator==(const HotRuleDocument&) const = default;
};

struct BreakerDocument {
  bool off = false;
  std::uint32_t failure_percent = 0;  // 0: by the service's own history
  std::uint32_t latency_factor = kDefaultBreakerLatencyFactor;
  std::uint32_t probe_loss_percent = kDefaultBreakerProbeLossPercent;
  std::uint32_t open_ms = kDefaultBreakerOpenMs;
  std::uint32_t half_open_percent = kDefaultBreakerHalfOpenPercent;
  std::uint32_t max_open_percent = kDefaultBreakerMaxOpenPercent;

  bool operator==(const BreakerDocument&) const = default;
};

struct SlowStartDocument {
  std::uint32_t duration_ms = kDefaultSlowStartMs;  // 0: all at once
  std::uint32_t initial_percent = kDefaultSlowStartInitialPercent;
  double exponent = 1;

  bool operator==(const SlowStartDocument&) const = default;
};

struct HealthDocument {
  DirectChecks direct = DirectChecks::kAuto;
  std::optional<DirectCheckDocument> direct_check{};  // none: there is no way to check, or direct is kOff
  std::uint32_t rise = kDefaultRise;
  std::uint32_t fall = kDefaultFall;
  std::uint32_t hold_ms = kDefaultHoldMs;
  std::uint32_t max_hold_ms = kDefaultMaxHoldMs;
  AllDown all_down = AllDown::kUseAll;
  std::uint32_t panic_percent = 0;  // 0: never
  HotRuleDocument hot{};
  BreakerDocument breaker{};
  SlowStartDocument slow_start{};

  bool operator==(const HealthDocument&) const = default;
};

}  // namespace penstock
