#include "controlplane/ctl/weight_tables.h"

#include <cmath>
#include <cstdio>
#include <ctime>

#include "controlplane/ctl/lenient.h"
#include "controlplane/ctl/table.h"

namespace penstock {
namespace {

std::string cell(const Json& object, const char* key) {
  const Json& value = member(object, key);
  if (value.is_string()) return value.get<std::string>();
  return value.is_number() ? value.dump() : std::string();
}

std::string real(const Json& value, const char* format, double factor = 1) {
  if (!value.is_number()) return {};
  char text[64];
  std::snprintf(text, sizeof text, format, value.get<double>() * factor);
  return text;
}

std::string percent(const Json& object, const char* key) { return real(member(object, key), "%.1f%%", 100); }

/// "cpu_utilization 61.0%": the dimension that binds, and how much of it is in use.
std::string busiest(const Json& backend) {
  const std::string name = cell(backend, "dimension");
  if (name.empty()) return {};
  const std::string used = percent(member(backend, "utilization"), name.c_str());
  return used.empty() ? name : name + " " + used;
}

/// "1.2+0.4u/(1-u) ms": the response time at utilisation u.
std::string curve(const Json& backend) {
  const Json& latency = member(backend, "latency");
  if (!member(latency, "base_seconds").is_number()) return {};
  return real(member(latency, "base_seconds"), "%.2f", 1000) + "+" +
         real(member(latency, "queue_seconds"), "%.2f", 1000) + "u/(1-u) ms";
}

/// "2.1e-04 sure 80%": what a new flow a second costs of the dimension that binds.
std::string cost(const Json& backend) {
  const std::string name = cell(backend, "dimension");
  const std::string value = name.empty() ? "" : real(member(member(backend, "cost"), name.c_str()), "%.2g");
  if (value.empty()) return {};
  return value + " sure " + real(member(backend, "cost_confidence"), "%.0f%%", 100);
}

std::string coefficients(const Json& object) {
  std::string out;
  for (const char* key : {"balance", "latency", "money", "energy"}) {
    const Json& value = member(object, key);
    if (!value.is_number() || value.get<double>() == 0) continue;
    out += (out.empty() ? "" : ",") + std::string(key) + "=" + real(value, "%g");
  }
  return out;
}

std::string share_range(const Json& policy) {
  const std::string least = cell(policy, "min_share");
  const std::string most = cell(policy, "max_share");
  if (least.empty() && most.empty()) return {};
  return (least.empty() ? "0" : least) + "–" + (most.empty() ? "1" : most);
}

/// "14:03:05", in UTC as the server's times are.
std::string clock_time(const Json& unix_seconds) {
  if (!unix_seconds.is_number()) return {};
  const auto whole = static_cast<std::time_t>(unix_seconds.get<double>());
  std::tm parts{};
  char text[16];
  gmtime_r(&whole, &parts);
  return std::strftime(text, sizeof text, "%H:%M:%S", &parts) == 0 ? "" : text;
}

}  // namespace

std::string policies_table(const Json& policies) {
  Table table({{"POLICY"},
               {"KIND"},
               {"BUILT IN"},
               {"COEFFICIENTS"},
               {"SHARES"},
               {"BUDGET/H", true},
               {"DEADBAND", true},
               {"SLEW/S", true},
               {"AWAKE", true}});
  for (const Json& policy : policies) {
    const Json& built_in = member(policy, "built_in");
    table.add({cell(policy, "id"), cell(policy, "kind"), built_in == Json(true) ? "yes" : "no",
               coefficients(member(policy, "coefficients")), share_range(policy),
               cell(policy, "budget_per_hour"), cell(policy, "deadband"), cell(policy, "slew"),
               cell(policy, "min_awake")});
  }
  return table.text();
}

std::string explain_table(const Json& document) {
  const Json& law = member(document, "law");
  const Json& solver = member(document, "solver");
  Table service({{"SERVICE"},
                 {"POLICY"},
                 {"OBJECTIVE"},
                 {"DELAY", true},
                 {"GAIN", true},
                 {"BOUND", true},
                 {"SOLVER", true},
                 {"GAP", true}});
  service.add({cell(document, "service"), cell(document, "policy"),
               coefficients(member(document, "objective")), real(member(law, "delay_periods"), "%.2f"),
               real(member(law, "gain"), "%.4f"), real(member(law, "gain_bound"), "%.4f"),
               real(member(solver, "value"), "%.4g"), real(member(solver, "gap"), "%.3f%%", 100)});
  Table backends({{"BACKEND"},
                  {"STATE"},
                  {"WEIGHT", true},
                  {"CONFIGURED", true},
                  {"OVERRIDE", true},
                  {"TARGET", true},
                  {"MEASURED", true},
                  {"HELD BY"},
                  {"BUSIEST"},
                  {"COST/FLOW/S"},
                  {"LATENCY"},
                  {"AGE", true}});
  for (const Json& backend : list(document, "backends")) {
    backends.add({cell(backend, "id"), cell(backend, "state"), cell(backend, "weight"),
                  cell(backend, "configured_weight"), cell(backend, "weight_override"),
                  percent(backend, "target_share"), percent(backend, "measured_share"),
                  cell(backend, "binding"), busiest(backend), cost(backend), curve(backend),
                  real(member(backend, "telemetry_age_seconds"), "%.1fs")});
  }
  return service.text() + "\n" + backends.text();
}

std::string history_table(const Json& document) {
  Table table({{"TIME"},
               {"BACKEND"},
               {"WEIGHT", true},
               {"TARGET", true},
               {"MEASURED", true},
               {"UTILIZATION", true},
               {"AGE", true}});
  for (const Json& instant : list(document, "items")) {
    std::string time = clock_time(member(instant, "time"));
    for (const Json& backend : list(instant, "backends")) {
      table.add({time, cell(backend, "id"), cell(backend, "weight"), percent(backend, "target_share"),
                 percent(backend, "measured_share"), percent(backend, "utilization"),
                 real(member(backend, "telemetry_age_seconds"), "%.1fs")});
    }
  }
  return table.text();
}

}  // namespace penstock
