#include "controlplane/ctl/policy_flags.h"

namespace penstock {

Json to_json(const PolicyFlags& flags) {
  const auto put = [](Json& object, const char* key, const auto& value) {
    if (value) object[key] = *value;
  };
  Json out = Json::object();
  put(out, "kind", flags.kind);
  Json coefficients = Json::object();
  put(coefficients, "balance", flags.balance);
  put(coefficients, "latency", flags.latency);
  put(coefficients, "money", flags.money);
  put(coefficients, "energy", flags.energy);
  if (!coefficients.empty()) {
    out["coefficients"] = std::move(coefficients);
  } else if (flags.kind && *flags.kind != "custom") {
    out["coefficients"] = nullptr;
  }
  put(out, "min_share", flags.min_share);
  put(out, "max_share", flags.max_share);
  put(out, "budget_per_hour", flags.budget_per_hour);
  put(out, "deadband", flags.deadband);
  put(out, "slew", flags.slew);
  put(out, "min_awake", flags.min_awake);
  return out;
}

}  // namespace penstock
