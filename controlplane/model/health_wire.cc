#include "controlplane/model/health_wire.h"

namespace penstock {
namespace {

/// 0, which stands for the default on the wire, or the value.
std::uint32_t unless(std::uint32_t by_default, std::uint32_t value) {
  return value == by_default ? 0 : value;
}

proto::Check::Kind wire_kind(CheckType type) {
  switch (type) {
    case CheckType::kTcp:
      return proto::Check::TCP_CONNECT;
    case CheckType::kHttp:
      return proto::Check::HTTP;
    case CheckType::kHttps:
      return proto::Check::HTTPS;
    case CheckType::kGrpc:
      return proto::Check::GRPC;
    case CheckType::kUdp:
      return proto::Check::UDP_EXCHANGE;
    case CheckType::kScript:
      return proto::Check::SCRIPT;
  }
  return proto::Check::KIND_UNSPECIFIED;
}

proto::DirectChecks wire_direct(DirectChecks direct) {
  switch (direct) {
    case DirectChecks::kAuto:
      return proto::DIRECT_AUTO;
    case DirectChecks::kOff:
      return proto::DIRECT_OFF;
    case DirectChecks::kAlways:
      return proto::DIRECT_ALWAYS;
  }
  return proto::DIRECT_AUTO;
}

proto::AllDown wire_all_down(AllDown all_down) {
  switch (all_down) {
    case AllDown::kUseAll:
      return proto::ALL_DOWN_USE_ALL;
    case AllDown::kReset:
      return proto::ALL_DOWN_RESET;
    case AllDown::kDrop:
      return proto::ALL_DOWN_DROP;
  }
  return proto::ALL_DOWN_USE_ALL;
}

void fill(const HotRule& hot, proto::HotRule& out) {
  out.set_off(!hot.enabled);
  out.set_response_ms(hot.response_ms);
  out.set_queue_percent(unless(kDefaultHotQueuePercent, hot.queue_percent));
  out.set_utilization_percent(unless(kDefaultHotUtilizationPercent, hot.utilization_percent));
}

void fill(const Breaker& breaker, proto::Breaker& out) {
  out.set_off(!breaker.enabled);
  out.set_failure_percent(breaker.failure_percent);
  out.set_latency_factor(unless(kDefaultBreakerLatencyFactor, breaker.latency_factor));
  out.set_probe_loss_percent(unless(kDefaultBreakerProbeLossPercent, breaker.probe_loss_percent));
  out.set_open_ms(unless(kDefaultBreakerOpenMs, breaker.open_ms));
  out.set_half_open_percent(unless(kDefaultBreakerHalfOpenPercent, breaker.half_open_percent));
  out.set_max_open_percent(unless(kDefaultBreakerMaxOpenPercent, breaker.max_open_percent));
}

void fill(const SlowStart& slow_start, proto::SlowStart& out) {
  if (slow_start.duration_ms != kDefaultSlowStartMs) out.set_duration_ms(slow_start.duration_ms);
  out.set_initial_percent(unless(kDefaultSlowStartInitialPercent, slow_start.initial_percent));
  if (slow_start.exponent != SlowStart{}.exponent) out.set_exponent(slow_start.exponent);
}

template <class Message>
void fill_checks_of(const Health& health, Message& out) {
  if (health.checks.empty()) return;
  for (const Check& check : health.checks) fill(check, *out.add_checks());
  out.set_check_hold_ms(unless(kDefaultHoldMs, health.hold_ms));
  out.set_check_max_hold_ms(unless(kDefaultMaxHoldMs, health.max_hold_ms));
}

}  // namespace

void fill(const Check& check, proto::Check& out) {
  const Check by_default;
  out.set_name(check.name);
  out.set_kind(wire_kind(check.type));
  out.set_port(check.port);
  if (check.path != by_default.path) out.set_path(check.path);
  out.set_host(check.host);
  if (check.head) out.set_method("HEAD");
  if (check.statuses != by_default.statuses) {
    for (const StatusRange& range : check.statuses) {
      proto::Check::StatusRange& to = *out.add_statuses();
      to.set_first(range.first);
      to.set_last(range.last);
    }
  }
  out.set_body_contains(check.body_contains);
  for (const auto& [name, value] : check.headers) {
    proto::Check::HttpHeader& to = *out.add_headers();
    to.set_name(name);
    to.set_value(value);
  }
  out.set_verify_tls(check.verify_tls);
  out.set_grpc_service(check.grpc_service);
  out.set_send(check.send.data(), check.send.size());
  out.set_expect(check.expect.data(), check.expect.size());
  out.set_script(check.script);
  out.set_interval_ms(unless(kDefaultCheckIntervalMs, check.interval_ms));
  out.set_timeout_ms(unless(kDefaultCheckTimeoutMs, check.timeout_ms));
  out.set_rise(unless(kDefaultRise, check.rise));
  out.set_fall(unless(kDefaultFall, check.fall));
}

void fill(const Health& health, proto::Health& out) {
  for (const Check& check : health.checks) fill(check, *out.add_checks());
  out.set_direct(wire_direct(health.direct));
  out.set_rise(unless(kDefaultRise, health.rise));
  out.set_fall(unless(kDefaultFall, health.fall));
  out.set_hold_ms(unless(kDefaultHoldMs, health.hold_ms));
  out.set_max_hold_ms(unless(kDefaultMaxHoldMs, health.max_hold_ms));
  out.set_all_down(wire_all_down(health.all_down));
  out.set_panic_percent(health.panic_percent);
  if (health.hot != HotRule{}) fill(health.hot, *out.mutable_hot());
  if (health.breaker != Breaker{}) fill(health.breaker, *out.mutable_breaker());
  if (health.slow_start != SlowStart{}) fill(health.slow_start, *out.mutable_slow_start());
}

void fill_checks(const Health& health, proto::NodeService& out) { fill_checks_of(health, out); }
void fill_checks(const Health& health, proto::NodeCheckTarget& out) { fill_checks_of(health, out); }

}  // namespace penstock
