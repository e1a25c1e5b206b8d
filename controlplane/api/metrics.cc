#include "controlplane/api/metrics.h"

#include "controlplane/api/continuity_metrics.h"
#include "controlplane/api/health_metrics.h"
#include "controlplane/api/metric_family.h"
#include "controlplane/model/wire.h"

namespace penstock {
namespace {

using BackendCounter = std::uint64_t (*)(const proto::BackendStats&);

void backend_counter(std::string& out, const char* name, const char* help, BackendCounter counter,
                     const std::vector<ObservedGateway>& gateways) {
  Family family(out, name, "counter", help);
  for (const ObservedGateway& gateway : gateways) {
    if (!gateway.connected || !gateway.status) continue;
    for (const proto::ServiceStats& service : gateway.status->stats().services()) {
      for (const proto::BackendStats& backend : service.backends()) {
        family.sample(
            {{"service", service.service()}, {"backend", backend.backend()}, {"gateway", gateway.id}},
            counter(backend));
      }
    }
  }
}

void gateway_families(std::string& out, const std::vector<ObservedGateway>& gateways) {
  Family connected(out, "penstock_gateway_connected", "gauge", "1 while the gateway's session is up.");
  for (const ObservedGateway& g : gateways) connected.sample({{"gateway", g.id}}, g.connected ? 1 : 0);
  Family alive(out, "penstock_gateway_dataplane_alive", "gauge", "1 while the gateway's dataplane beats.");
  for (const ObservedGateway& g : gateways) {
    if (g.connected && g.status) alive.sample({{"gateway", g.id}}, g.status->dataplane_alive() ? 1 : 0);
  }
  Family generation(out, "penstock_gateway_generation", "gauge", "Generation that the gateway forwards by.");
  for (const ObservedGateway& g : gateways) {
    if (g.connected && g.status) generation.sample({{"gateway", g.id}}, g.status->generation());
  }
  Family outcomes(out, "penstock_service_outcomes_total", "counter",
                  "Packets of a service by what became of them.");
  for (const ObservedGateway& g : gateways) {
    if (!g.connected || !g.status) continue;
    for (const proto::ServiceStats& s : g.status->stats().services()) {
      for (const proto::OutcomeCount& o : s.outcomes()) {
        outcomes.sample({{"service", s.service()}, {"outcome", o.outcome()}, {"gateway", g.id}}, o.packets());
      }
    }
  }
}

void gateway_outcomes(std::string& out, const std::vector<ObservedGateway>& gateways) {
  Family outcomes(out, "penstock_gateway_outcomes_total", "counter",
                  "Packets that the gateway received, by what became of them.");
  for (const ObservedGateway& g : gateways) {
    if (!g.connected || !g.status) continue;
    for (const proto::OutcomeCount& o : g.status->stats().outcomes()) {
      outcomes.sample({{"gateway", g.id}, {"outcome", o.outcome()}}, o.packets());
    }
  }
}

struct LcoreMetric {
  const char* name;
  const char* type;
  const char* help;
  std::uint64_t (proto::LcoreStats::*value)() const;
};

constexpr LcoreMetric kLcoreMetrics[] = {
    {"penstock_lcore_flows", "gauge", "Entries in the flow table.", &proto::LcoreStats::flows},
    {"penstock_lcore_flow_capacity", "gauge", "Flows that the table holds.",
     &proto::LcoreStats::flow_capacity},
    {"penstock_lcore_flow_table_full_total", "counter",
     "Packets balanced without a flow entry for want of room.", &proto::LcoreStats::flow_table_full},
    {"penstock_lcore_busy_cycles_total", "counter", "Cycles of polls that found packets.",
     &proto::LcoreStats::busy_cycles},
    {"penstock_lcore_idle_cycles_total", "counter", "Cycles of polls that found none.",
     &proto::LcoreStats::idle_cycles},
    {"penstock_lcore_fragments_released_total", "counter",
     "Held fragments sent behind the first one of their datagram.", &proto::LcoreStats::fragments_released},
    {"penstock_lcore_fragments_lost_total", "counter", "Held fragments whose first one never came.",
     &proto::LcoreStats::fragments_lost},
    {"penstock_lcore_extra_frames_sent_total", "counter",
     "Frames sent beyond those received, such as fragments.", &proto::LcoreStats::extra_sent},
    {"penstock_lcore_extra_frames_dropped_total", "counter", "Of these, those that the port did not take.",
     &proto::LcoreStats::extra_dropped},
    {"penstock_lcore_second_chance_packets_total", "counter", "Packets sent with hops.",
     &proto::LcoreStats::second_chance},
    {"penstock_lcore_foreign_flows_adopted_total", "counter",
     "Flows taken over from what other gateways had told.", &proto::LcoreStats::foreign_flows},
    {"penstock_lcore_avoided_flows_total", "counter",
     "New flows that another backend got because the first choice was down.", &proto::LcoreStats::avoided},
    {"penstock_lcore_withheld_flows_total", "counter",
     "New flows that another backend got because the first choice is ramping up.",
     &proto::LcoreStats::withheld},
    {"penstock_lcore_cooler_flows_total", "counter",
     "New flows that another backend got because the first choice was hot.", &proto::LcoreStats::cooler},
    {"penstock_lcore_nat_sessions", "gauge", "NAT sessions.", &proto::LcoreStats::nat_sessions},
    {"penstock_lcore_nat_capacity", "gauge", "NAT sessions that there is room for.",
     &proto::LcoreStats::nat_capacity},
    {"penstock_lcore_nat_sessions_adopted_total", "counter",
     "NAT sessions taken over from what other gateways had told.", &proto::LcoreStats::nat_adopted},
};

void lcore_families(std::string& out, const std::vector<ObservedGateway>& gateways) {
  for (const LcoreMetric& metric : kLcoreMetrics) {
    Family family(out, metric.name, metric.type, metric.help);
    for (const ObservedGateway& g : gateways) {
      if (!g.connected || !g.status) continue;
      for (const proto::LcoreStats& lcore : g.status->stats().lcores()) {
        const std::string number = std::to_string(lcore.lcore());
        family.sample({{"gateway", g.id}, {"lcore", number}}, (lcore.*metric.value)());
      }
    }
  }
}

void node_families(std::string& out, const std::vector<ObservedNode>& nodes) {
  Family connected(out, "penstock_node_connected", "gauge", "1 while the node's session is up.");
  for (const ObservedNode& n : nodes) connected.sample({{"node", n.id}}, n.connected ? 1 : 0);
  Family packets(out, "penstock_node_decap_packets_total", "counter", "Packets that the node decapsulated.");
  for (const ObservedNode& n : nodes) {
    if (!n.connected || !n.status) continue;
    for (const proto::NodeServiceStats& s : n.status->services()) {
      const VipKey key = ports_of(s);
      const std::string protocol = key.protocol_text();
      const std::string port = key.port_text();
      packets.sample({{"node", n.id}, {"vip", s.vip()}, {"protocol", protocol}, {"port", port}}, s.packets());
    }
  }
}

}  // namespace

std::string metrics_text(const DesiredState& state, const std::vector<ObservedGateway>& gateways,
                         const std::vector<ObservedNode>& nodes, const HealthSnapshot& health) {
  std::string out;
  Family(out, "penstock_generation", "gauge", "Generation of the desired state.")
      .sample({}, state.generation);
  gateway_families(out, gateways);
  gateway_outcomes(out, gateways);
  lcore_families(out, gateways);
  backend_counter(
      out, "penstock_service_packets_total", "Packets sent to a backend.",
      [](const proto::BackendStats& b) -> std::uint64_t { return b.packets(); }, gateways);
  backend_counter(
      out, "penstock_service_bytes_total", "Bytes sent to a backend, without encapsulation.",
      [](const proto::BackendStats& b) -> std::uint64_t { return b.bytes(); }, gateways);
  backend_counter(
      out, "penstock_service_new_flows_total", "Flows first seen and given to a backend.",
      [](const proto::BackendStats& b) -> std::uint64_t { return b.new_flows(); }, gateways);
  flow_families(out, state, gateways);
  probe_families(out, gateways);
  announcement_families(out, gateways);
  sync_families(out, gateways);
  node_families(out, nodes);
  hop_families(out, nodes);
  verdict_families(out, health);
  backend_health_families(out, gateways);
  load_families(out, nodes);
  telemetry_families(out, nodes);
  return out;
}

}  // namespace penstock
