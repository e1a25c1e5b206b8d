// What `set service` takes of a service's health on the command line, as the member "health" of the merge
// patch that the server gets. Ranges are left to the server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/ctl/rest_client.h"

namespace penstock {

/// What is not given stays as it is. Durations are durations.h's with a unit.
struct HealthFlags {
  std::vector<std::string> checks;  // check_from_text(), or "none"; replaces the whole list
  std::optional<std::string> direct, all_down;
  std::optional<std::uint32_t> rise, fall, panic_percent;
  std::optional<std::string> hold, max_hold;
  // Each "off", "default", or members that are to change: hot_from_text() and so on.
  std::optional<std::string> hot, breaker, slow_start;
};

/// An object with the members that were given; empty when nothing was.
[[nodiscard]] Result<Json> to_json(const HealthFlags& flags);

/// "type=http,port=8080,path=/healthz,statuses=200-299+301,header=X-Role:primary,interval=1s,…". `header` may
/// be there more than once; status codes are joined by '+', as a comma ends a value.
[[nodiscard]] Result<Json> check_from_text(const std::string& text);
/// "response=20ms,queue=50,utilization=90"
[[nodiscard]] Result<Json> hot_from_text(const std::string& text);
/// "failure=30,latency-factor=10,probe-loss=60,open=5s,half-open=5,max-open=50"
[[nodiscard]] Result<Json> breaker_from_text(const std::string& text);
/// "10s,initial=10,exponent=1"; each may be left out.
[[nodiscard]] Result<Json> slow_start_from_text(const std::string& text);

}  // namespace penstock
