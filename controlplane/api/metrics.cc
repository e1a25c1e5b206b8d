#include "controlplane/api/metrics.h"

#include <initializer_list>
#include <utility>

#include "controlplane/model/wire.h"

namespace penstock {
namespace {

/// One metric family: HELP and TYPE once, then its samples.
class Family {
 public:
  using Labels = std::initializer_list<std::pair<const char*, const std::string&>>;

  Family(std::string& out, std::string name, const char* type, const char* help)
      : out_(out), name_(std::move(name)) {
    out_ += "# HELP " + name_ + " " + help + "\n# TYPE " + name_ + " " + type + "\n";
  }

  void sample(Labels labels, std::uint64_t value) {
    out_ += name_;
    char open = '{';
    for (const auto& [label, text] : labels) {
      out_ += open + std::string(label) + "=\"" + escape(text) + "\"";
      open = ',';
    }
    if (open == ',') out_ += '}';
    out_ += " " + std::to_string(value) + "\n";
  }

 private:
  static std::string escape(const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c == '\n') {
        out += "\\n";
        continue;
      }
      if (c == '\\' || c == '"') out += '\\';
      out += c;
    }
    return out;
  }

  std::string& out_;
  std::string name_;
};

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

std::string metrics_text(std::uint64_t generation, const std::vector<ObservedGateway>& gateways,
                         const std::vector<ObservedNode>& nodes) {
  std::string out;
  Family(out, "penstock_generation", "gauge", "Generation of the desired state.").sample({}, generation);
  gateway_families(out, gateways);
  backend_counter(
      out, "penstock_service_packets_total", "Packets sent to a backend.",
      [](const proto::BackendStats& b) -> std::uint64_t { return b.packets(); }, gateways);
  backend_counter(
      out, "penstock_service_bytes_total", "Bytes sent to a backend, without encapsulation.",
      [](const proto::BackendStats& b) -> std::uint64_t { return b.bytes(); }, gateways);
  backend_counter(
      out, "penstock_service_new_flows_total", "Flows first seen and given to a backend.",
      [](const proto::BackendStats& b) -> std::uint64_t { return b.new_flows(); }, gateways);
  node_families(out, nodes);
  return out;
}

}  // namespace penstock
