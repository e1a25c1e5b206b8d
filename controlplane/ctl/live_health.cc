#include "controlplane/ctl/live_health.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "controlplane/ctl/lenient.h"
#include "controlplane/ctl/table.h"

namespace penstock {
namespace {

constexpr std::size_t kShownEvents = 10;

std::string text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_number() ? value.dump() : std::string();
}

std::string text(const Json& object, const char* key) { return text(member(object, key)); }

bool is_true(const Json& object, const char* key) {
  const Json& value = member(object, key);
  return value.is_boolean() && value.get<bool>();
}

std::string joined(const Json& names) {
  std::string out;
  if (!names.is_array()) return out;
  for (const Json& name : names) out += (out.empty() ? "" : ",") + text(name);
  return out;
}

/// "9s", "12m", "3h", "5d"
std::string age(const Json& seconds) {
  if (!seconds.is_number()) return {};
  const auto whole = static_cast<unsigned long long>(std::max(0.0, seconds.get<double>()));
  if (whole < 120) return std::to_string(whole) + "s";
  if (whole < 7200) return std::to_string(whole / 60) + "m";
  if (whole < 172'800) return std::to_string(whole / 3600) + "h";
  return std::to_string(whole / 86'400) + "d";
}

/// Why: the fleet's reason, else what single gateways say ("held at gw1").
std::string reason_of(const Json& backend) {
  if (is_true(backend, "maintenance")) return "maintenance";
  const std::string fleet = text(backend, "reason");
  if (!fleet.empty()) return fleet;
  std::vector<std::pair<std::string, std::string>> reasons;  // and where
  for (const Json& gateway : list(backend, "gateways")) {
    const std::string reason = text(gateway, "reason");
    if (reason.empty() || reason == "none" || !is_true(gateway, "connected")) continue;
    const auto same =
        std::find_if(reasons.begin(), reasons.end(), [&](const auto& r) { return r.first == reason; });
    if (same == reasons.end()) {
      reasons.emplace_back(reason, text(gateway, "gateway"));
    } else {
      same->second += "," + text(gateway, "gateway");
    }
  }
  std::string out;
  for (const auto& [reason, where] : reasons) out += (out.empty() ? "" : "; ") + reason + " at " + where;
  return out;
}

/// "2 pass", or those that do not.
std::string checks_of(const Json& backend) {
  std::size_t passing = 0;
  std::string others;
  for (const Json& check : list(backend, "checks")) {
    const std::string state = text(check, "state");
    if (state == "passing") {
      ++passing;
      continue;
    }
    others += (others.empty() ? "" : ", ") + text(check, "name") + " " + state;
    const std::string detail = text(check, "detail");
    if (!detail.empty()) others += ": " + detail;
  }
  if (!others.empty()) return others;
  return passing == 0 ? "" : std::to_string(passing) + " pass";
}

std::string measured(const Json& backend, const char* key, std::string (*show)(double)) {
  const Json& value = member(member(backend, "load"), key);
  return value.is_number() ? show(value.get<double>()) : std::string();
}

std::string node_of(const Json& backend) {
  const Json& node = member(backend, "node");
  const std::string id = text(node, "id");
  return id.empty() ? id : id + " " + text(node, "state");
}

std::string events_table(const Json& events) {
  Table table({{"TIME"}, {"OBJECT"}, {"FROM"}, {"TO"}, {"REASON"}});
  const std::size_t first = events.size() > kShownEvents ? events.size() - kShownEvents : 0;
  for (std::size_t i = first; i < events.size(); ++i) {
    const Json& event = events[i];
    table.add({text(event, "time"), text(event, "kind") + " " + text(event, "object"), text(event, "from"),
               text(event, "to"), text(event, "reason")});
  }
  return table.text();
}

}  // namespace

std::string short_time(double microseconds) {
  char out[32];
  if (microseconds < 1000) {
    std::snprintf(out, sizeof out, "%.0fus", microseconds);
  } else if (microseconds < 1e6) {
    std::snprintf(out, sizeof out, microseconds < 1e5 ? "%.1fms" : "%.0fms", microseconds / 1e3);
  } else {
    std::snprintf(out, sizeof out, "%.2fs", microseconds / 1e6);
  }
  return out;
}

std::string short_share(double share) {
  char out[32];
  std::snprintf(out, sizeof out, "%.0f%%", share * 100);
  return out;
}

std::string service_health_table(const Json& document) {
  Table table({{"BACKEND"},
               {"VERDICT"},
               {"REASON"},
               {"SINCE", true},
               {"BREAKER"},
               {"HOT"},
               {"ADMITTED", true},
               {"P99", true},
               {"CPU", true},
               {"NODE"},
               {"CHECKS"}});
  for (const Json& backend : list(document, "backends")) {
    const std::string admitted = text(backend, "admitted_percent");
    table.add({text(backend, "backend"), text(backend, "verdict"), reason_of(backend),
               age(member(backend, "since_seconds_ago")), text(backend, "breaker"),
               joined(member(backend, "hot")), admitted.empty() ? "" : admitted + "%",
               measured(backend, "response_p99_us", &short_time),
               measured(backend, "cpu_utilization", &short_share), node_of(backend), checks_of(backend)});
  }
  const std::string all_down = joined(member(document, "all_down"));
  return table.text() + (all_down.empty() ? "" : "\nno living backend at: " + all_down + "\n");
}

std::string health_overview(const Json& document) {
  Table services({{"SERVICE"},
                  {"BACKENDS", true},
                  {"ALIVE", true},
                  {"DEAD", true},
                  {"MAINTENANCE", true},
                  {"ALL DOWN AT"}});
  for (const Json& service : list(document, "services")) {
    services.add({text(service, "service"), text(service, "backends"), text(service, "alive"),
                  text(service, "dead"), text(service, "maintenance"), joined(member(service, "all_down"))});
  }
  std::string out = services.text();
  if (const Json& not_up = list(document, "nodes_not_up"); !not_up.empty()) {
    Table nodes({{"NODE"}, {"STATE"}, {"SINCE", true}});
    for (const Json& node : not_up) {
      nodes.add({text(node, "node"), text(node, "state"), age(member(node, "since_seconds_ago"))});
    }
    out += "\n" + nodes.text();
  }
  if (const Json& events = list(document, "events"); !events.empty()) out += "\n" + events_table(events);
  return out;
}

}  // namespace penstock
