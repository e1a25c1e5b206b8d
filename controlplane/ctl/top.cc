#include "controlplane/ctl/top.h"

#include <algorithm>
#include <cstdio>

#include "controlplane/ctl/live_health.h"
#include "controlplane/ctl/table.h"

namespace penstock {
namespace {

std::string text_of(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::uint64_t number_of(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number_unsigned() ? it->get<std::uint64_t>() : 0;
}

bool is_true(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_boolean() && it->get<bool>();
}

Json items_of(const Json& document, const char* key) {
  if (!document.is_object()) return Json::array();
  const auto it = document.find(key);
  return it != document.end() && it->is_array() ? *it : Json::array();
}

/// What one counter grew by; from zero when it was reset in between.
std::uint64_t growth(std::uint64_t before, std::uint64_t after) {
  return after >= before ? after - before : after;
}

TrafficCounters growth(const TrafficCounters& before, const TrafficCounters& after) {
  if (after.packets < before.packets) return after;
  return {growth(before.packets, after.packets), growth(before.bytes, after.bytes),
          growth(before.new_flows, after.new_flows)};
}

/// The counters that both readings have, per gateway: a gateway seen for the first time would bring its whole
/// past.
template <class Take>
void each_growth(const TrafficSample& before, const TrafficSample& after, const std::string& service,
                 const std::string& backend, Take&& take) {
  const auto old_service = before.counters.find(service);
  const auto new_service = after.counters.find(service);
  if (old_service == before.counters.end() || new_service == after.counters.end()) return;
  const auto old_backend = old_service->second.find(backend);
  const auto new_backend = new_service->second.find(backend);
  if (old_backend == old_service->second.end() || new_backend == new_service->second.end()) return;
  for (const auto& [gateway, now] : new_backend->second) {
    const auto then = old_backend->second.find(gateway);
    if (then != old_backend->second.end()) take(gateway, growth(then->second, now));
  }
}

std::uint64_t flows_of(const TrafficSample& sample, const std::string& service, const std::string& backend) {
  const auto of_service = sample.flows.find(service);
  if (of_service == sample.flows.end()) return 0;
  const auto of_backend = of_service->second.find(backend);
  return of_backend == of_service->second.end() ? 0 : of_backend->second;
}

/// A number of `object` times `unit`; -1 = there is none.
double measured(const Json& object, const char* key, double unit = 1) {
  if (!object.is_object()) return -1;
  const auto it = object.find(key);
  return it != object.end() && it->is_number() ? it->get<double>() * unit : -1;
}

void add_health(const TrafficSample& sample, BackendRate& rate) {
  const auto of_service = sample.health.find(rate.service);
  if (of_service == sample.health.end()) return;
  const auto found = of_service->second.find(rate.backend);
  if (found == of_service->second.end()) return;
  const Json& said = found->second;
  rate.verdict = text_of(said, "verdict");
  rate.admitted = measured(said, "admitted_percent", 0.01);
  const auto load = said.find("load");
  if (load == said.end()) return;
  rate.p99_us = measured(*load, "response_p99_us");
  rate.cpu = measured(*load, "cpu_utilization");
}

std::string percent(double share) {
  if (share < 0) return {};
  char text[16];
  std::snprintf(text, sizeof text, "%.1f%%", share * 100);
  return text;
}

Json or_null(double value) { return value < 0 ? Json() : Json(value); }

}  // namespace

Result<TrafficSample> sample_traffic(const RestClient& rest, double now_seconds) {
  TrafficSample sample;
  sample.seconds = now_seconds;
  auto services = rest.get({"services"});
  if (!services) return services.error();
  auto gateways = rest.get({"gateways"});
  if (!gateways) return gateways.error();
  sample.services = items_of(*services, "items");
  sample.gateways = items_of(*gateways, "items");
  for (const Json& service : sample.services) {
    const std::string id = text_of(service, "id");
    auto stats = rest.get({"services", id, "stats"});
    if (!stats && stats.error().code == ErrorCode::kNotFound) continue;
    if (!stats) return stats.error();
    for (const Json& backend : items_of(*stats, "backends")) {
      sample.flows[id][text_of(backend, "backend")] = number_of(backend, "flows");
      if (backend.is_object()) sample.health[id][text_of(backend, "backend")] = backend;
    }
    auto& backends = sample.counters[id];
    for (const Json& gateway : items_of(*stats, "gateways")) {
      for (const Json& backend : items_of(gateway, "backends")) {
        backends[text_of(backend, "backend")][text_of(gateway, "gateway")] = {
            number_of(backend, "packets"), number_of(backend, "bytes"), number_of(backend, "new_flows")};
      }
    }
  }
  return sample;
}

TrafficRates rates_between(const TrafficSample& before, const TrafficSample& after) {
  TrafficRates rates;
  const double seconds = std::max(after.seconds - before.seconds, 1e-3);
  std::map<std::string, TrafficCounters> per_gateway;
  for (const Json& service : after.services) {
    const std::string id = text_of(service, "id");
    const std::size_t first = rates.backends.size();
    double weights = 0;
    double new_flows = 0;
    for (const Json& backend : items_of(service, "backends")) {
      BackendRate rate;
      rate.service = id;
      rate.backend = text_of(backend, "id");
      rate.weight = static_cast<std::uint32_t>(number_of(backend, "weight"));
      rate.drain = is_true(backend, "drain");
      rate.flows = flows_of(after, id, rate.backend);
      add_health(after, rate);
      each_growth(before, after, id, rate.backend,
                  [&](const std::string& gateway, const TrafficCounters& grown) {
                    rate.packets_per_second += static_cast<double>(grown.packets) / seconds;
                    rate.megabits_per_second += static_cast<double>(grown.bytes) * 8e-6 / seconds;
                    rate.new_flows_per_second += static_cast<double>(grown.new_flows) / seconds;
                    per_gateway[gateway].packets += grown.packets;
                    per_gateway[gateway].new_flows += grown.new_flows;
                  });
      weights += rate.drain ? 0 : rate.weight;
      new_flows += rate.new_flows_per_second;
      rates.backends.push_back(std::move(rate));
    }
    for (std::size_t i = first; i < rates.backends.size(); ++i) {
      BackendRate& rate = rates.backends[i];
      if (weights > 0 && !rate.drain) rate.wanted = rate.weight / weights;
      if (new_flows > 0) rate.share = rate.new_flows_per_second / new_flows;
    }
  }
  for (const Json& gateway : after.gateways) {
    GatewayRate rate{.gateway = text_of(gateway, "id"), .connected = is_true(gateway, "connected")};
    rate.announced_vips = items_of(gateway, "announced_vips").size();
    rate.packets_per_second = static_cast<double>(per_gateway[rate.gateway].packets) / seconds;
    rate.new_flows_per_second = static_cast<double>(per_gateway[rate.gateway].new_flows) / seconds;
    rates.gateways.push_back(std::move(rate));
  }
  return rates;
}

std::string rates_table(const TrafficRates& rates) {
  Table backends({{"SERVICE"},
                  {"BACKEND"},
                  {"WEIGHT", true},
                  {"WANTED", true},
                  {"SHARE", true},
                  {"FLOWS", true},
                  {"NEW FLOWS/S", true},
                  {"PACKETS/S", true},
                  {"MBIT/S", true},
                  {"HEALTH"},
                  {"ADMITTED", true},
                  {"P99", true},
                  {"CPU", true}});
  for (const BackendRate& rate : rates.backends) {
    backends.add({rate.service, rate.backend, std::to_string(rate.weight),
                  rate.drain ? "drained" : percent(rate.wanted), percent(rate.share),
                  short_number(static_cast<double>(rate.flows)), short_number(rate.new_flows_per_second),
                  short_number(rate.packets_per_second), short_number(rate.megabits_per_second), rate.verdict,
                  rate.admitted < 0 ? "" : short_share(rate.admitted),
                  rate.p99_us < 0 ? "" : short_time(rate.p99_us), rate.cpu < 0 ? "" : short_share(rate.cpu)});
  }
  Table gateways({{"GATEWAY"}, {"CONNECTED"}, {"VIPS", true}, {"NEW FLOWS/S", true}, {"PACKETS/S", true}});
  for (const GatewayRate& rate : rates.gateways) {
    gateways.add({rate.gateway, rate.connected ? "yes" : "no", std::to_string(rate.announced_vips),
                  short_number(rate.new_flows_per_second), short_number(rate.packets_per_second)});
  }
  return backends.text() + "\n" + gateways.text();
}

Json rates_json(const TrafficRates& rates) {
  Json out = {{"backends", Json::array()}, {"gateways", Json::array()}};
  for (const BackendRate& rate : rates.backends) {
    out["backends"].push_back({{"service", rate.service},
                               {"backend", rate.backend},
                               {"weight", rate.weight},
                               {"drain", rate.drain},
                               {"wanted", rate.wanted},
                               {"share", rate.share < 0 ? Json() : Json(rate.share)},
                               {"flows", rate.flows},
                               {"new_flows_per_second", rate.new_flows_per_second},
                               {"packets_per_second", rate.packets_per_second},
                               {"megabits_per_second", rate.megabits_per_second},
                               {"verdict", rate.verdict.empty() ? Json() : Json(rate.verdict)},
                               {"admitted", or_null(rate.admitted)},
                               {"response_p99_us", or_null(rate.p99_us)},
                               {"cpu_utilization", or_null(rate.cpu)}});
  }
  for (const GatewayRate& rate : rates.gateways) {
    out["gateways"].push_back({{"gateway", rate.gateway},
                               {"connected", rate.connected},
                               {"announced_vips", rate.announced_vips},
                               {"new_flows_per_second", rate.new_flows_per_second},
                               {"packets_per_second", rate.packets_per_second}});
  }
  return out;
}

}  // namespace penstock
