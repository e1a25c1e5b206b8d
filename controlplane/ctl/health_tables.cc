#include "controlplane/ctl/health_tables.h"

#include <algorithm>
#include <cstdint>

#include "controlplane/ctl/durations.h"
#include "controlplane/ctl/lenient.h"
#include "controlplane/ctl/table.h"
#include "penstock/config/health_limits.h"

namespace penstock {
namespace {

std::string text(const Json& object, const char* key, const std::string& otherwise = "") {
  const Json& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : otherwise;
}

std::uint64_t number(const Json& object, const char* key, std::uint64_t otherwise) {
  const Json& value = member(object, key);
  return value.is_number_unsigned() ? value.get<std::uint64_t>() : otherwise;
}

std::string number_text(const Json& object, const char* key, std::uint64_t otherwise) {
  return std::to_string(number(object, key, otherwise));
}

std::string percent(const Json& object, const char* key, std::uint64_t otherwise) {
  return number_text(object, key, otherwise) + "%";
}

bool is_off(const Json& rule) { return member(rule, "enabled") == Json(false); }

/// "GET www.example.com:8080/healthz"
std::string request_of(const Json& check) {
  const std::uint64_t port = number(check, "port", 0);
  return text(check, "method", "GET") + " " + text(check, "host") +
         (port == 0 ? "" : ":" + std::to_string(port)) + text(check, "path", "/");
}

std::string http_asks(const Json& check) {
  std::string out = request_of(check) + ": " + text(check, "statuses", "200-299");
  if (const std::string body = text(check, "body_contains"); !body.empty()) {
    out += ", body with " + Json(body).dump();
  }
  const Json& headers = member(check, "headers");
  if (headers.is_object()) {
    for (const auto& [name, value] : headers.items()) {
      const std::string contained = value.is_string() ? value.get<std::string>() : "";
      out += ", " + name + (contained.empty() ? "" : ": " + contained);
    }
  }
  return out + (member(check, "verify_tls") == Json(true) ? ", certificate verified" : "");
}

/// What a check asks, and of which answer it is content.
std::string asks(const Json& check) {
  const std::string type = text(check, "type");
  if (type == "http" || type == "https") return http_asks(check);
  std::string out;
  if (const std::uint64_t port = number(check, "port", 0); port != 0) out = ":" + std::to_string(port);
  const auto add = [&](const std::string& words, const char* key) {
    if (const std::string value = text(check, key); !value.empty()) {
      out += (out.empty() ? "" : " ") + words + value;
    }
  };
  add("", "host");
  add("", "grpc_service");
  add("send ", "send");
  add("expect ", "expect");
  add("", "script");
  return out;
}

std::string hot_text(const Json& hot) {
  if (is_off(hot)) return "off";
  const std::uint64_t response = number(hot, "response_ms", 0);
  return "response p99 " + (response == 0 ? "by history" : "over " + text_of_milliseconds(response)) +
         ", queue over " + percent(hot, "queue_percent", kDefaultHotQueuePercent) + ", utilization over " +
         percent(hot, "utilization_percent", kDefaultHotUtilizationPercent);
}

std::string breaker_text(const Json& breaker) {
  if (is_off(breaker)) return "off";
  const std::uint64_t failures = number(breaker, "failure_percent", 0);
  return "failures " + (failures == 0 ? "by history" : "over " + std::to_string(failures) + "%") +
         ", latency " + number_text(breaker, "latency_factor", kDefaultBreakerLatencyFactor) +
         " times the usual, probe loss over " +
         percent(breaker, "probe_loss_percent", kDefaultBreakerProbeLossPercent) + "; open for " +
         text_of_milliseconds(number(breaker, "open_ms", kDefaultBreakerOpenMs)) + ", then " +
         percent(breaker, "half_open_percent", kDefaultBreakerHalfOpenPercent) + " of its flows; at most " +
         percent(breaker, "max_open_percent", kDefaultBreakerMaxOpenPercent) + " of the backends";
}

std::string slow_start_text(const Json& slow_start) {
  const std::uint64_t duration = number(slow_start, "duration_ms", kDefaultSlowStartMs);
  if (duration == 0) return "off";
  const Json& exponent = member(slow_start, "exponent");
  return "from " + percent(slow_start, "initial_percent", kDefaultSlowStartInitialPercent) + " to all in " +
         text_of_milliseconds(duration) +
         (exponent.is_number() ? ", exponent " + exponent.dump() : ", linear");
}

}  // namespace

std::string checks_table(const Json& service) {
  const Json& checks = member(member(service, "health"), "checks");
  if (!checks.is_array() || checks.empty()) return {};
  Table table(
      {{"CHECK"}, {"TYPE"}, {"EVERY", true}, {"TIMEOUT", true}, {"RISE", true}, {"FALL", true}, {"ASKS"}});
  for (const Json& check : checks) {
    const std::uint64_t interval = number(check, "interval_ms", kDefaultCheckIntervalMs);
    const std::uint64_t timeout =
        number(check, "timeout_ms", std::min<std::uint64_t>(kDefaultCheckTimeoutMs, interval));
    table.add({text(check, "name", text(check, "type")), text(check, "type"), text_of_milliseconds(interval),
               text_of_milliseconds(timeout), number_text(check, "rise", kDefaultRise),
               number_text(check, "fall", kDefaultFall), asks(check)});
  }
  return table.text();
}

std::string health_table(const Json& service) {
  const Json& health = member(service, "health");
  Table table({{"HEALTH"}, {"RULE"}});
  table.add({"probes", "down after " + number_text(health, "fall", kDefaultFall) + " lost, back after " +
                           number_text(health, "rise", kDefaultRise) + " answered"});
  const std::uint64_t hold = number(health, "hold_ms", kDefaultHoldMs);
  const std::uint64_t longest =
      number(health, "max_hold_ms", std::max<std::uint64_t>(kDefaultMaxHoldMs, hold));
  table.add({"held down", text_of_milliseconds(hold) + ", doubled while it falls again, up to " +
                              text_of_milliseconds(longest)});
  const std::uint64_t panic = number(health, "panic_percent", 0);
  table.add(
      {"all down",
       text(health, "all_down", "use_all") +
           (panic == 0 ? "" : "; all count as alive when fewer than " + std::to_string(panic) + "% are")});
  table.add({"direct checks", text(health, "direct", "auto")});
  table.add({"hot", hot_text(member(health, "hot"))});
  table.add({"breaker", breaker_text(member(health, "breaker"))});
  table.add({"slow start", slow_start_text(member(health, "slow_start"))});
  return table.text();
}

}  // namespace penstock
