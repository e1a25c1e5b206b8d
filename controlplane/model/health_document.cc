#include "controlplane/model/health_document.h"

#include <algorithm>
#include <string>

#include "controlplane/model/check_document.h"
#include "controlplane/model/service_names.h"

namespace penstock {
namespace {

using nlohmann::json;

constexpr std::uint32_t kMinBreakerOpenMs = 100;
constexpr std::uint32_t kMinBreakerLatencyFactor = 2;

/// The default of "max_hold_ms".
std::uint32_t longest_hold_with(std::uint32_t hold_ms) { return std::max(kDefaultMaxHoldMs, hold_ms); }

HotRule parse_hot(ObjectReader& health, Problems& problems) {
  HotRule out;
  const json* value = health.member("hot");
  if (value == nullptr) return out;
  ObjectReader reader(*value, health.path("hot"), problems);
  out.enabled = reader.flag_or("enabled", out.enabled);
  out.response_ms = reader.number_or("response_ms", 0, kMaxHotResponseMs, out.response_ms);
  out.queue_percent = reader.number_or("queue_percent", 1, 100, out.queue_percent);
  out.utilization_percent =
      reader.number_or("utilization_percent", 1, kMaxHotUtilizationPercent, out.utilization_percent);
  reader.finish();
  return out;
}

Breaker parse_breaker(ObjectReader& health, Problems& problems) {
  Breaker out;
  const json* value = health.member("breaker");
  if (value == nullptr) return out;
  ObjectReader reader(*value, health.path("breaker"), problems);
  out.enabled = reader.flag_or("enabled", out.enabled);
  out.failure_percent = reader.number_or("failure_percent", 0, 100, out.failure_percent);
  out.latency_factor = reader.number_or("latency_factor", kMinBreakerLatencyFactor, kMaxBreakerLatencyFactor,
                                        out.latency_factor);
  out.probe_loss_percent = reader.number_or("probe_loss_percent", 1, 100, out.probe_loss_percent);
  out.open_ms = reader.number_or("open_ms", kMinBreakerOpenMs, kMaxHoldMs, out.open_ms);
  out.half_open_percent = reader.number_or("half_open_percent", 1, 100, out.half_open_percent);
  out.max_open_percent = reader.number_or("max_open_percent", 1, 100, out.max_open_percent);
  reader.finish();
  return out;
}

SlowStart parse_slow_start(ObjectReader& health, Problems& problems) {
  SlowStart out;
  const json* value = health.member("slow_start");
  if (value == nullptr) return out;
  ObjectReader reader(*value, health.path("slow_start"), problems);
  out.duration_ms = reader.number_or("duration_ms", 0, kMaxSlowStartMs, out.duration_ms);
  out.initial_percent = reader.number_or("initial_percent", 1, 100, out.initial_percent);
  out.exponent = reader.decimal_or("exponent", kMinSlowStartExponent, kMaxSlowStartExponent, out.exponent);
  reader.finish();
  return out;
}

DirectChecks parse_direct(ObjectReader& reader) {
  const auto direct = direct_checks_named(reader.text_or("direct", "auto"));
  if (!direct) reader.complain("direct", "must be auto, off or always");
  return direct.value_or(DirectChecks::kAuto);
}

AllDown parse_all_down(ObjectReader& reader) {
  const auto all_down = all_down_named(reader.text_or("all_down", "use_all"));
  if (!all_down) reader.complain("all_down", "must be use_all, reset or drop");
  return all_down.value_or(AllDown::kUseAll);
}

json to_json(const HotRule& hot) {
  const HotRule by_default;
  json out = json::object();
  if (!hot.enabled) out["enabled"] = false;
  if (hot.response_ms != by_default.response_ms) out["response_ms"] = hot.response_ms;
  if (hot.queue_percent != by_default.queue_percent) out["queue_percent"] = hot.queue_percent;
  if (hot.utilization_percent != by_default.utilization_percent) {
    out["utilization_percent"] = hot.utilization_percent;
  }
  return out;
}

json to_json(const Breaker& breaker) {
  const Breaker by_default;
  json out = json::object();
  const auto put = [&](const char* key, std::uint32_t value, std::uint32_t otherwise) {
    if (value != otherwise) out[key] = value;
  };
  if (!breaker.enabled) out["enabled"] = false;
  put("failure_percent", breaker.failure_percent, by_default.failure_percent);
  put("latency_factor", breaker.latency_factor, by_default.latency_factor);
  put("probe_loss_percent", breaker.probe_loss_percent, by_default.probe_loss_percent);
  put("open_ms", breaker.open_ms, by_default.open_ms);
  put("half_open_percent", breaker.half_open_percent, by_default.half_open_percent);
  put("max_open_percent", breaker.max_open_percent, by_default.max_open_percent);
  return out;
}

json to_json(const SlowStart& slow_start) {
  const SlowStart by_default;
  json out = json::object();
  if (slow_start.duration_ms != by_default.duration_ms) out["duration_ms"] = slow_start.duration_ms;
  if (slow_start.initial_percent != by_default.initial_percent) {
    out["initial_percent"] = slow_start.initial_percent;
  }
  if (slow_start.exponent != by_default.exponent) out["exponent"] = slow_start.exponent;
  return out;
}

}  // namespace

Health parse_health(ObjectReader& service, Problems& problems) {
  Health out;
  const json* value = service.member("health");
  if (value == nullptr) return out;
  ObjectReader reader(*value, service.path("health"), problems);
  if (const json* list = reader.list_or_none("checks", kMaxChecks)) {
    out.checks = parse_checks(*list, reader.path("checks"), problems);
  }
  out.direct = parse_direct(reader);
  out.rise = reader.number_or("rise", 1, kMaxCheckRepeat, out.rise);
  out.fall = reader.number_or("fall", 1, kMaxCheckRepeat, out.fall);
  out.hold_ms = reader.number_or("hold_ms", 1, kMaxHoldMs, out.hold_ms);
  out.max_hold_ms = reader.number_or("max_hold_ms", 1, kMaxHoldMs, longest_hold_with(out.hold_ms));
  if (out.max_hold_ms < out.hold_ms) reader.complain("max_hold_ms", "must be at least hold_ms");
  out.all_down = parse_all_down(reader);
  out.panic_percent = reader.number_or("panic_percent", 0, 100, out.panic_percent);
  out.hot = parse_hot(reader, problems);
  out.breaker = parse_breaker(reader, problems);
  out.slow_start = parse_slow_start(reader, problems);
  reader.finish();
  return out;
}

json to_json(const Health& health) {
  const Health by_default;
  json out = json::object();
  for (const Check& check : health.checks) out["checks"].push_back(to_json(check));
  if (health.direct != by_default.direct) out["direct"] = name_of(health.direct);
  if (health.rise != by_default.rise) out["rise"] = health.rise;
  if (health.fall != by_default.fall) out["fall"] = health.fall;
  if (health.hold_ms != by_default.hold_ms) out["hold_ms"] = health.hold_ms;
  if (health.max_hold_ms != longest_hold_with(health.hold_ms)) out["max_hold_ms"] = health.max_hold_ms;
  if (health.all_down != by_default.all_down) out["all_down"] = name_of(health.all_down);
  if (health.panic_percent != by_default.panic_percent) out["panic_percent"] = health.panic_percent;
  if (health.hot != by_default.hot) out["hot"] = to_json(health.hot);
  if (health.breaker != by_default.breaker) out["breaker"] = to_json(health.breaker);
  if (health.slow_start != by_default.slow_start) out["slow_start"] = to_json(health.slow_start);
  return out;
}

}  // namespace penstock
