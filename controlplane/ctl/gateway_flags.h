// What `set gateway` takes on the command line, as the merge patch that the server gets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/ctl/rest_client.h"

namespace penstock {

/// What is not given stays as it is.
struct GatewayFlags {
  std::optional<std::uint32_t> med, bandwidth_mbps;
  std::optional<std::string> bfd_profile;  // "fast", "normal", or "none" for the default
  std::vector<std::string> vips;           // vip_policy_from_text()
};

/// An object with the members that were given; empty when nothing was.
[[nodiscard]] Result<Json> to_json(const GatewayFlags& flags);

/// "203.0.113.10,med=100,drain=true,withhold=false" as its VIP and what is to change; med=none takes the
/// gateway's. The VIP alone takes back all that was said of it (null).
[[nodiscard]] Result<std::pair<std::string, Json>> vip_policy_from_text(const std::string& text);

}  // namespace penstock
