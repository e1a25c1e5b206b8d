#include "controlplane/model/policy_document.h"

#include "controlplane/model/object_reader.h"
#include "controlplane/model/service_names.h"
#include "penstock/config/limits.h"

namespace penstock {
namespace {

using nlohmann::json;

constexpr double kMinSlew = 0.001;
constexpr double kMaxSlew = 100;

WeightPolicyKind parse_kind(ObjectReader& reader) {
  const auto written = reader.required_text("kind");
  if (!written) return WeightPolicyKind::kStatic;
  const auto kind = policy_kind_named(*written);
  if (!kind) reader.complain("kind", "must be static, least-load, latency, cost, energy or custom");
  return kind.value_or(WeightPolicyKind::kStatic);
}

PolicyCoefficients parse_coefficients(ObjectReader& policy, Problems& problems) {
  PolicyCoefficients out;
  const json* value = policy.member("coefficients");
  if (value == nullptr) return out;
  ObjectReader reader(*value, policy.path("coefficients"), problems);
  const auto coefficient = [&](const char* key) { return reader.decimal_or(key, 0, kMaxCoefficient, 0); };
  out.balance = coefficient("balance");
  out.latency = coefficient("latency");
  out.money = coefficient("money");
  out.energy = coefficient("energy");
  reader.finish();
  return out;
}

/// What the members demand of each other.
void check(const WeightPolicy& policy, ObjectReader& reader) {
  const PolicyCoefficients& c = policy.coefficients;
  const bool custom = policy.kind == WeightPolicyKind::kCustom;
  if (built_in_policy(policy.id) != nullptr) {
    reader.complain("id",
                    "'" + policy.id + "' is a built-in policy, which cannot be changed: choose another id");
  }
  if (custom != (reader.member("coefficients") != nullptr)) {
    reader.complain("coefficients", custom ? "missing: kind custom needs them" : "needs kind custom");
  } else if (custom && c.balance + c.latency + c.money + c.energy <= 0) {
    reader.complain("coefficients", "must not all be 0: nothing would be left to decide by");
  }
  if (policy.min_share > policy.max_share) reader.complain("min_share", "must be at most max_share");
  if (policy.min_awake != 1 && !custom && policy.kind != WeightPolicyKind::kEnergy) {
    reader.complain("min_awake", "needs kind energy or custom: the others park no node");
  }
}

}  // namespace

std::optional<WeightPolicy> parse_policy(const json& document, const std::string& path, Problems& problems) {
  const std::size_t before = problems.size();
  ObjectReader reader(document, path, problems);
  WeightPolicy out;
  out.id = reader.required_id();
  out.kind = parse_kind(reader);
  out.coefficients = parse_coefficients(reader, problems);
  out.min_share = reader.decimal_or("min_share", 0, 1, out.min_share);
  out.max_share = reader.decimal_or("max_share", 0, 1, out.max_share);
  out.budget_per_hour = reader.decimal_or("budget_per_hour", 0, kMaxBudgetPerHour, out.budget_per_hour);
  out.deadband = reader.decimal_or("deadband", 0, 1, out.deadband);
  out.slew = reader.decimal_or("slew", kMinSlew, kMaxSlew, out.slew);
  out.min_awake = reader.number_or("min_awake", 1, kMaxBackendsPerService, out.min_awake);
  reader.finish();
  if (problems.size() == before) check(out, reader);
  if (problems.size() != before) return std::nullopt;
  return out;
}

json to_json(const WeightPolicy& policy) {
  const WeightPolicy by_default;
  json out = {{"id", policy.id}, {"kind", name_of(policy.kind)}};
  const auto put = [&](const char* key, const auto& value, const auto& otherwise) {
    if (value != otherwise) out[key] = value;
  };
  if (policy.kind == WeightPolicyKind::kCustom) {
    const PolicyCoefficients& c = policy.coefficients;
    out["coefficients"] = {
        {"balance", c.balance}, {"latency", c.latency}, {"money", c.money}, {"energy", c.energy}};
  }
  put("min_share", policy.min_share, by_default.min_share);
  put("max_share", policy.max_share, by_default.max_share);
  put("budget_per_hour", policy.budget_per_hour, by_default.budget_per_hour);
  put("deadband", policy.deadband, by_default.deadband);
  put("slew", policy.slew, by_default.slew);
  put("min_awake", policy.min_awake, by_default.min_awake);
  return out;
}

}  // namespace penstock
