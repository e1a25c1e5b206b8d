// What happens between two readings of the statistics: rates per backend and per gateway, shares beside
// weights.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "controlplane/ctl/rest_client.h"

namespace penstock {

struct TrafficCounters {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t new_flows = 0;
};

/// One reading of everything. Counters are kept per gateway, so that one that restarts (counters from zero)
/// or leaves does not spoil the others' rates.
struct TrafficSample {
  double seconds = 0;  // on a monotonic clock
  Json services = Json::array();
  Json gateways = Json::array();
  // service -> backend -> gateway
  std::map<std::string, std::map<std::string, std::map<std::string, TrafficCounters>>> counters;
  // service -> backend: what was said of it with the counters: "verdict", "admitted_percent", "load"
  std::map<std::string, std::map<std::string, Json>> health;
  // service -> backend: flows that it has now
  std::map<std::string, std::map<std::string, std::uint64_t>> flows;
};

/// Reads every service's statistics. A service deleted meanwhile is left out.
Result<TrafficSample> sample_traffic(const RestClient& rest, double now_seconds);

struct BackendRate {
  std::string service, backend;
  std::uint32_t weight = 0;
  bool drain = false;
  double wanted = 0;  // share by weight, 0-1
  double share = -1;  // of the new flows in the interval; -1 = there were none
  double packets_per_second = 0;
  double new_flows_per_second = 0;
  double megabits_per_second = 0;
  std::uint64_t flows = 0;  // that it has now
  std::string verdict;      // empty: the server does not say
  double admitted = -1;     // share of the new flows that its slots would give it; -1 = unknown
  double p99_us = -1;       // of responses, likewise
  double cpu = -1;          // of its host, likewise
};

struct GatewayRate {
  std::string gateway;
  bool connected = false;
  std::size_t announced_vips = 0;
  double packets_per_second = 0;
  double new_flows_per_second = 0;
};

struct TrafficRates {
  std::vector<BackendRate> backends;
  std::vector<GatewayRate> gateways;
};

TrafficRates rates_between(const TrafficSample& before, const TrafficSample& after);

std::string rates_table(const TrafficRates& rates);
Json rates_json(const TrafficRates& rates);

}  // namespace penstock
