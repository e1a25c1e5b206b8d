#include "controlplane/ctl/gateway_flags.h"

#include "controlplane/ctl/members.h"

namespace penstock {
Result<std::pair<std::string, Json>> vip_policy_from_text(const std::string& text) {
  const auto comma = text.find(',');
  const std::string vip = text.substr(0, comma);
  if (vip.empty() || vip.find('=') != std::string::npos) {
    return invalid("--vip", "'" + text + "' does not begin with a VIP: 203.0.113.10,med=100");
  }
  if (comma == std::string::npos) return std::pair(vip, Json(nullptr));
  auto policy = members_from_text("--vip", text.substr(comma + 1),
                                  {{"med", number_or_none}, {"drain", yes_or_no}, {"withhold", yes_or_no}});
  if (!policy) return policy.error();
  return std::pair(vip, std::move(*policy));
}

Result<Json> to_json(const GatewayFlags& flags) {
  Json out = Json::object();
  if (flags.med) out["med"] = *flags.med;
  if (flags.bandwidth_mbps) out["bandwidth_mbps"] = *flags.bandwidth_mbps;
  if (flags.bfd_profile) {
    out["bfd_profile"] = *flags.bfd_profile == "none" ? Json(nullptr) : Json(*flags.bfd_profile);
  }
  for (const std::string& text : flags.vips) {
    auto policy = vip_policy_from_text(text);
    if (!policy) return policy.error();
    if (out.contains("vips") && out["vips"].contains(policy->first)) {
      return invalid("--vip", policy->first + " is given twice");
    }
    out["vips"][policy->first] = std::move(policy->second);
  }
  return out;
}

}  // namespace penstock
