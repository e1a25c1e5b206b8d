#include "controlplane/model/gateway_document.h"

#include <limits>
#include <utility>

#include "controlplane/model/object_reader.h"
#include "controlplane/model/service_names.h"
#include "penstock/config/vip_prefix.h"

namespace penstock {
namespace {

using nlohmann::json;

BfdProfile parse_bfd_profile(ObjectReader& reader) {
  const auto profile = bfd_profile_named(reader.text_or("bfd_profile", ""));
  if (!profile) reader.complain("bfd_profile", "must be fast or normal, or left out for fast");
  return profile.value_or(BfdProfile::kDefault);
}

std::uint32_t parse_med(ObjectReader& reader) { return reader.number_or("med", 0, kMaxMed, 0); }

VipPolicy parse_vip_policy(const json& document, const std::string& path, Problems& problems) {
  ObjectReader reader(document, path, problems);
  VipPolicy out;
  if (reader.member("med") != nullptr) out.med = parse_med(reader);
  out.drain = reader.flag_or("drain", false);
  out.withhold = reader.flag_or("withhold", false);
  if (out.drain && out.withhold) {
    reader.complain("withhold", "a VIP that is not announced cannot be drained: choose one");
  }
  reader.finish();
  return out;
}

std::map<std::string, VipPolicy, std::less<>> parse_vips(ObjectReader& gateway, Problems& problems) {
  std::map<std::string, VipPolicy, std::less<>> out;
  const json* vips = gateway.member("vips");
  if (vips == nullptr) return out;
  if (!vips->is_object()) {
    gateway.complain("vips", std::string("must be a JSON object, not ") + vips->type_name());
    return out;
  }
  for (const auto& [written, document] : vips->items()) {
    const std::string at = gateway.path("vips") + "[" + written + "]";
    const auto vip = parse_vip(written);
    if (!vip) {
      problems.push_back({at, vip.error().message});
      continue;
    }
    VipPolicy policy = parse_vip_policy(document, at, problems);
    if (!out.emplace(vip->text(), policy).second) {
      problems.push_back({at, "is another spelling of " + vip->text() + ", which is given, too"});
    }
  }
  return out;
}

std::optional<UpgradeRequest> parse_upgrade(ObjectReader& gateway, Problems& problems) {
  const json* value = gateway.member("upgrade_request");
  if (value == nullptr) return std::nullopt;
  ObjectReader reader(*value, gateway.path("upgrade_request"), problems);
  UpgradeRequest out;
  out.id = reader.required_number("id", 1, std::numeric_limits<std::uint32_t>::max()).value_or(0);
  out.drain_timeout_seconds =
      reader.number_or("drain_timeout_seconds", 1, kMaxDrainSeconds, out.drain_timeout_seconds);
  reader.finish();
  return out;
}

GatewayPolicy parse_policy(ObjectReader& reader, Problems& problems) {
  GatewayPolicy out;
  out.id = reader.required_id();
  out.announce = reader.flag_or("announce", out.announce);
  out.med = parse_med(reader);
  out.bandwidth_mbps = reader.number_or("bandwidth_mbps", 0, kMaxBandwidthMbps, 0);
  out.bfd_profile = parse_bfd_profile(reader);
  out.vips = parse_vips(reader, problems);
  out.drain_timeout_seconds = reader.number_or("drain_timeout_seconds", 1, kMaxDrainSeconds, 0);
  return out;
}

json to_json(const VipPolicy& vip) {
  json out = json::object();
  if (vip.med) out["med"] = *vip.med;
  if (vip.drain) out["drain"] = true;
  if (vip.withhold) out["withhold"] = true;
  return out;
}

}  // namespace

std::optional<GatewayPolicy> parse_gateway(const json& document, const std::string& path,
                                           Problems& problems) {
  const std::size_t before = problems.size();
  ObjectReader reader(document, path, problems);
  GatewayPolicy out = parse_policy(reader, problems);
  reader.finish();
  if (problems.size() != before) return std::nullopt;
  return out;
}

std::optional<GatewayPolicy> parse_stored_gateway(const json& document, const std::string& path,
                                                  Problems& problems) {
  const std::size_t before = problems.size();
  ObjectReader reader(document, path, problems);
  GatewayPolicy out = parse_policy(reader, problems);
  out.upgrade = parse_upgrade(reader, problems);
  reader.finish();
  if (problems.size() != before) return std::nullopt;
  return out;
}

json to_json(const GatewayPolicy& gateway) {
  json out = {{"id", gateway.id},
              {"announce", gateway.announce},
              {"med", gateway.med},
              {"bandwidth_mbps", gateway.bandwidth_mbps}};
  if (gateway.bfd_profile != BfdProfile::kDefault) out["bfd_profile"] = name_of(gateway.bfd_profile);
  for (const auto& [vip, policy] : gateway.vips) out["vips"][vip] = to_json(policy);
  if (gateway.drain_timeout_seconds != 0) out["drain_timeout_seconds"] = gateway.drain_timeout_seconds;
  return out;
}

json to_stored_json(const GatewayPolicy& gateway) {
  json out = to_json(gateway);
  if (gateway.upgrade) {
    out["upgrade_request"] = {{"id", gateway.upgrade->id}};
    if (gateway.upgrade->drain_timeout_seconds != 0) {
      out["upgrade_request"]["drain_timeout_seconds"] = gateway.upgrade->drain_timeout_seconds;
    }
  }
  return out;
}

}  // namespace penstock
