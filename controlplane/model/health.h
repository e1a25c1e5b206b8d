// How it is found out whether the backends of a service live, and what follows from it. The values alone:
// their JSON is health_document.h and check_document.h, their rules are health_rules.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "penstock/config/health_limits.h"

namespace penstock {

enum class CheckType : std::uint8_t {
  kTcp,   // connects
  kHttp,  // one request, answered as the check says
  kHttps,
  kGrpc,    // grpc.health.v1.Health/Check
  kUdp,     // a datagram, and the answer to it
  kScript,  // exit code 0
};

/// HTTP status codes, both ends included.
struct StatusRange {
  std::uint16_t first = 200;
  std::uint16_t last = 299;

  bool operator==(const StatusRange&) const = default;
};

/// One way to find out whether a service works, run on the backend's own host, or by gateways.
struct Check {
  std::string name;  // unique within its service; by itself that of the type, numbered if need be
  CheckType type = CheckType::kTcp;
  std::uint16_t port = 0;                         // 0 = where the service listens
  std::string path = "/";                         // HTTP(S)
  std::string host{};                             // HTTP(S): Host and SNI; gRPC: authority; empty = the VIP
  bool head = false;                              // HTTP(S): HEAD instead of GET
  std::vector<StatusRange> statuses{{200, 299}};  // HTTP(S)
  std::string body_contains{};                    // HTTP(S)
  // HTTP(S): of the response, all must match; an empty value is content with any.
  std::map<std::string, std::string, std::less<>> headers{};
  bool verify_tls = false;  // HTTPS: against the host's authorities
  std::string grpc_service{};
  std::vector<std::uint8_t> send{};    // UDP: at most kMaxCheckBytes
  std::vector<std::uint8_t> expect{};  // UDP: what the answer begins with; empty = any
  std::string script{};                // a file name, never a path
  std::uint32_t interval_ms = kDefaultCheckIntervalMs;
  std::uint32_t timeout_ms = kDefaultCheckTimeoutMs;  // at most interval_ms
  std::uint32_t rise = kDefaultRise;                  // in a row
  std::uint32_t fall = kDefaultFall;

  bool operator==(const Check&) const = default;
};

/// When gateways check backends themselves, through the data path.
enum class DirectChecks : std::uint8_t {
  kAuto,  // those that have never answered a probe
  kOff,
  kAlways,
};

/// What becomes of new flows while no backend of a service is alive.
enum class AllDown : std::uint8_t {
  kUseAll,  // as if all were alive
  kReset,   // TCP clients get a reset, datagrams are dropped
  kDrop,
};

/// Who is too slow or too busy for a new flow, if the slot's other candidate is not.
struct HotRule {
  bool enabled = true;
  std::uint32_t response_ms = 0;  // 99th percentile; 0 = by the service's own history
  std::uint32_t queue_percent = kDefaultHotQueuePercent;
  std::uint32_t utilization_percent = kDefaultHotUtilizationPercent;

  bool operator==(const HotRule&) const = default;
};

/// When a backend that answers is taken out for what it does to connections.
struct Breaker {
  bool enabled = true;
  std::uint32_t failure_percent = 0;  // 0 = by the service's own history
  std::uint32_t latency_factor = kDefaultBreakerLatencyFactor;
  std::uint32_t probe_loss_percent = kDefaultBreakerProbeLossPercent;
  std::uint32_t open_ms = kDefaultBreakerOpenMs;
  std::uint32_t half_open_percent = kDefaultBreakerHalfOpenPercent;  // of its new flows
  std::uint32_t max_open_percent = kDefaultBreakerMaxOpenPercent;    // of the service's backends

  bool operator==(const Breaker&) const = default;
};

/// How a backend that comes back gets its new flows: from the initial share to all of them.
struct SlowStart {
  std::uint32_t duration_ms = kDefaultSlowStartMs;  // 0 = all at once
  std::uint32_t initial_percent = kDefaultSlowStartInitialPercent;
  double exponent = 1;  // kMinSlowStartExponent–kMaxSlowStartExponent; 1 = linear, above: slower at first

  bool operator==(const SlowStart&) const = default;
};

struct Health {
  std::vector<Check> checks;  // of the node, at most kMaxChecks; all must pass
  DirectChecks direct = DirectChecks::kAuto;
  std::uint32_t rise = kDefaultRise;              // probes in a row
  std::uint32_t fall = kDefaultFall;              // probes in a row
  std::uint32_t hold_ms = kDefaultHoldMs;         // down at least so long
  std::uint32_t max_hold_ms = kDefaultMaxHoldMs;  // up to which falls double it; at least hold_ms
  AllDown all_down = AllDown::kUseAll;
  std::uint32_t panic_percent = 0;  // with fewer of the backends alive all count as alive; 0 = never
  HotRule hot;
  Breaker breaker;
  SlowStart slow_start;

  bool operator==(const Health&) const = default;
};

}  // namespace penstock
