#include "controlplane/gateway/dataplane_fitness.h"

#include <algorithm>

namespace penstock {

std::set<std::string> forwarding_services(const proto::DataplaneStats& stats) {
  std::set<std::string> out;
  for (const proto::ServiceStats& service : stats.services()) {
    const auto& backends = service.backends();
    const bool forwards = std::any_of(backends.begin(), backends.end(),
                                      [](const auto& backend) { return !backend.next_hop().empty(); });
    if (forwards) out.insert(service.service());
  }
  return out;
}

std::uint64_t vip_packets(const proto::DataplaneStats& stats) {
  std::uint64_t total = 0;
  for (const proto::ServiceStats& service : stats.services()) {
    for (const proto::OutcomeCount& count : service.outcomes()) total += count.packets();
  }
  return total;
}

std::uint64_t flows_left(const proto::DataplaneStats& stats) {
  std::uint64_t total = 0;
  for (const proto::ServiceStats& service : stats.services()) {
    for (const proto::BackendStats& backend : service.backends()) total += backend.flows();
  }
  return total;
}

std::string missing_for_traffic(const proto::DataplaneStats& stats, ConfigId wanted,
                                const std::set<std::string>& forwarded_before, Nanoseconds since_restart) {
  if (since_restart.count() != 0 && stats.uptime_ns() > since_restart.count()) {
    return "it is the same process as before, up for " + std::to_string(stats.uptime_ns() / 1'000'000'000) +
           " s";
  }
  if (id_of(stats) != wanted) return "it runs " + id_of(stats).text() + " instead of " + wanted.text();
  const auto forwards = forwarding_services(stats);
  for (const std::string& service : forwarded_before) {
    if (forwards.count(service) == 0) return "service " + service + " has no next hop to any backend";
  }
  return {};
}

}  // namespace penstock
