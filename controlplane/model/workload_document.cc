#include "controlplane/model/workload_document.h"

#include <algorithm>

#include "controlplane/model/service_names.h"

namespace penstock {
namespace {

using nlohmann::json;

constexpr double kMinPriority = 0.01;
constexpr double kMaxPriority = 100;

/// Whether an agent could have it as a label's name (without spaces) or value.
bool is_printable(const std::string& text, std::size_t longest, char least) {
  return !text.empty() && text.size() <= longest &&
         std::all_of(text.begin(), text.end(), [least](char c) { return c >= least && c <= '~'; });
}

bool is_label_name(const std::string& text) { return is_printable(text, kMaxLabelName, '!'); }
bool is_label_value(const std::string& text) { return is_printable(text, kMaxLabelValue, ' '); }

std::string value_rule() {
  return "must be 1–" + std::to_string(kMaxLabelValue) + " printable ASCII characters";
}

void read_labels(ObjectReader& affinity, Problems& problems, Preference& out) {
  const json* labels = affinity.member("labels");
  if (labels == nullptr) return;
  if (!labels->is_object()) {
    return affinity.complain("labels", std::string("must be a JSON object, not ") + labels->type_name());
  }
  if (labels->size() > kMaxLabels) {
    return affinity.complain("labels", "must be at most " + std::to_string(kMaxLabels));
  }
  for (const auto& [name, value] : labels->items()) {
    const std::string at = affinity.path("labels") + "[" + name + "]";
    if (!is_label_name(name)) {
      problems.push_back({at, "a label's name must be 1–" + std::to_string(kMaxLabelName) +
                                  " printable ASCII characters without a space"});
    } else if (!value.is_string() || !is_label_value(value.get_ref<const std::string&>())) {
      problems.push_back({at, value_rule()});
    } else {
      out.labels.emplace(name, value.get<std::string>());
    }
  }
}

}  // namespace

Workload parse_workload(ObjectReader& service, Problems& problems) {
  Workload out;
  const json* value = service.member("workload");
  if (value == nullptr) return out;
  ObjectReader reader(*value, service.path("workload"), problems);
  const auto work = workload_class_named(reader.text_or("class", "auto"));
  if (!work) reader.complain("class", "must be auto, latency-sensitive, throughput or batch");
  out.work = work.value_or(out.work);
  out.priority = reader.decimal_or("priority", kMinPriority, kMaxPriority, out.priority);
  out.latency_objective_ms =
      reader.decimal_or("latency_objective_ms", 0, kMaxLatencyObjectiveMs, out.latency_objective_ms);
  reader.finish();
  return out;
}

Preference parse_preference(ObjectReader& affinity, Problems& problems) {
  Preference out;
  out.zone = affinity.text_or("zone", "");
  if (!out.zone.empty() && !is_label_value(out.zone)) affinity.complain("zone", value_rule());
  out.zone_strict = affinity.flag_or("zone_strict", false);
  if (out.zone_strict && out.zone.empty()) affinity.complain("zone_strict", "needs a zone");
  read_labels(affinity, problems, out);
  return out;
}

json to_json(const Workload& workload) {
  const Workload by_default;
  json out = json::object();
  if (workload.work != by_default.work) out["class"] = name_of(workload.work);
  if (workload.priority != by_default.priority) out["priority"] = workload.priority;
  if (workload.latency_objective_ms != by_default.latency_objective_ms) {
    out["latency_objective_ms"] = workload.latency_objective_ms;
  }
  return out;
}

void add_to_json(json& affinity, const Preference& preference) {
  if (!preference.zone.empty()) affinity["zone"] = preference.zone;
  if (preference.zone_strict) affinity["zone_strict"] = true;
  for (const auto& [name, value] : preference.labels) affinity["labels"][name] = value;
}

}  // namespace penstock
