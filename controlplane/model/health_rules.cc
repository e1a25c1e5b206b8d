#include "controlplane/model/health_rules.h"

#include <algorithm>

namespace penstock {
namespace {

/// What gateways can do through the data path. TLS, gRPC and scripts are for the backend's own host.
bool gateways_can(const Check& check) {
  return check.type == CheckType::kTcp || check.type == CheckType::kHttp || check.type == CheckType::kUdp;
}

/// Whether there is a port to connect to without any check that names one.
bool connects_by_itself(const Service& service) {
  return service.key.protocol == kProtoTcp && service.key.port != 0;
}

void check_port(const Service& service, const Check& check, const std::string& at, Problems& problems) {
  if (check.type == CheckType::kScript) return;
  const std::uint8_t protocol = service.key.protocol;
  if (check.type == CheckType::kUdp) {
    if (protocol != kProtoUdp && protocol != kAnyProtocol) {
      problems.push_back({at + ".type", "udp needs a service of protocol udp or any"});
    }
  } else if (protocol != kProtoTcp && protocol != kAnyProtocol && check.port == 0) {
    problems.push_back(
        {at + ".port", "missing: the check speaks TCP, and the service " + service.key.protocol_text()});
    return;
  }
  if (service.key.port == 0 && check.port == 0) {
    problems.push_back({at + ".port", "missing: the service takes every port, the check needs one"});
  }
}

}  // namespace

void check_health(const Service& service, const std::string& path, Problems& problems) {
  const std::string health = field_path(path, "health");
  const std::vector<Check>& checks = service.health.checks;
  for (std::size_t i = 0; i < checks.size(); ++i) {
    check_port(service, checks[i], health + ".checks[" + std::to_string(i) + "]", problems);
  }
  if (service.health.direct == DirectChecks::kAlways && !connects_by_itself(service) &&
      std::none_of(checks.begin(), checks.end(), gateways_can)) {
    problems.push_back(
        {health + ".direct", "always needs a check that gateways can do: one of type tcp, http or udp"});
  }
}

}  // namespace penstock
