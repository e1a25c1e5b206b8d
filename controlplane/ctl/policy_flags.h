// What `policy set` takes on the command line, as the merge patch that the server gets. Ranges are left to
// the server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "controlplane/ctl/rest_client.h"

namespace penstock {

/// What is not given stays as it is, or takes the server's default in a new policy.
struct PolicyFlags {
  std::optional<std::string> kind;
  std::optional<double> balance, latency, money, energy;  // coefficients, kind custom
  std::optional<double> min_share, max_share;             // fractions
  std::optional<double> budget_per_hour, deadband, slew;
  std::optional<std::uint32_t> min_awake;
};

/// An object with the members that were given; empty when nothing was. Another kind than custom takes back
/// the coefficients.
[[nodiscard]] Json to_json(const PolicyFlags& flags);

}  // namespace penstock
