#include "controlplane/api/continuity_metrics.h"

#include <algorithm>

#include "controlplane/api/gateway_status.h"
#include "controlplane/api/metric_family.h"
#include "controlplane/api/observed_walk.h"

namespace penstock {
namespace {

bool is_drained(const DesiredState& state, const std::string& service, const std::string& id) {
  const auto found = state.services.find(service);
  if (found == state.services.end()) return false;
  const auto& backends = found->second->backends;
  return std::any_of(backends.begin(), backends.end(),
                     [&](const Backend& backend) { return backend.drain && backend.id == id; });
}

template <class Message>
struct Metric {
  const char* name;
  const char* type;
  const char* help;
  std::uint64_t (Message::*value)() const;
};

constexpr Metric<proto::SyncStats> kSyncMetrics[] = {
    {"penstock_sync_replicated_flows", "gauge", "Own flows that other gateways are told of.",
     &proto::SyncStats::replicated_flows},
    {"penstock_sync_foreign_flows", "gauge", "Flows known from other gateways.",
     &proto::SyncStats::foreign_flows},
    {"penstock_sync_foreign_capacity", "gauge", "Flows of others that there is room for.",
     &proto::SyncStats::foreign_capacity},
};

constexpr Metric<proto::SyncPeerStats> kPeerMetrics[] = {
    {"penstock_sync_sent_datagrams_total", "counter", "Datagrams of replication sent to the peer.",
     &proto::SyncPeerStats::sent_datagrams},
    {"penstock_sync_received_datagrams_total", "counter", "Datagrams of replication from the peer.",
     &proto::SyncPeerStats::received_datagrams},
    {"penstock_sync_lost_datagrams_total", "counter", "Gaps in the peer's sequence.",
     &proto::SyncPeerStats::lost_datagrams},
    {"penstock_sync_recovered_datagrams_total", "counter", "Of these, those restored from parity.",
     &proto::SyncPeerStats::recovered_datagrams},
    {"penstock_sync_repaired_flows_total", "counter", "Flows learnt from the peer by digest and repair.",
     &proto::SyncPeerStats::repaired_flows},
    {"penstock_sync_peer_flows", "gauge", "Flows known from the peer.", &proto::SyncPeerStats::foreign_flows},
};

void sync_peer_families(std::string& out, const std::vector<ObservedGateway>& gateways) {
  for (const Metric<proto::SyncPeerStats>& metric : kPeerMetrics) {
    Family family(out, metric.name, metric.type, metric.help);
    each_status(gateways, [&](const std::string& gateway, const proto::GatewayStatus& status) {
      for (const proto::SyncPeerStats& peer : status.stats().sync().peers()) {
        family.sample({{"gateway", gateway}, {"peer", peer.gateway()}}, (peer.*metric.value)());
      }
    });
  }
  Family silent(out, "penstock_sync_peer_silent_seconds", "gauge",
                "Since the peer's last datagram that was believed.");
  each_status(gateways, [&](const std::string& gateway, const proto::GatewayStatus& status) {
    for (const proto::SyncPeerStats& peer : status.stats().sync().peers()) {
      silent.seconds({{"gateway", gateway}, {"peer", peer.gateway()}}, peer.silent_ms());
    }
  });
}

}  // namespace

void flow_families(std::string& out, const DesiredState& state,
                   const std::vector<ObservedGateway>& gateways) {
  using Text = std::string;
  Family flows(out, "penstock_backend_flows", "gauge", "Flows that the backend has now.");
  each_backend(gateways, [&](const Text& gateway, const Text& service, const proto::BackendStats& b) {
    flows.sample({{"service", service}, {"backend", b.backend()}, {"gateway", gateway}}, b.flows());
  });
  Family left(out, "penstock_drained_backend_flows", "gauge", "Flows left at a backend that is drained.");
  each_backend(gateways, [&](const Text& gateway, const Text& service, const proto::BackendStats& b) {
    if (!is_drained(state, service, b.backend())) return;
    left.sample({{"service", service}, {"backend", b.backend()}, {"gateway", gateway}}, b.flows());
  });
  Family up(out, "penstock_backend_up", "gauge",
            "1 while the backend answers the gateway's probes, 0 if not.");
  each_backend(gateways, [&](const Text& gateway, const Text& service, const proto::BackendStats& b) {
    if (b.liveness() == proto::LIVENESS_UNKNOWN) return;
    up.sample({{"service", service}, {"backend", b.backend()}, {"gateway", gateway}},
              b.liveness() == proto::LIVENESS_UP ? 1 : 0);
  });
}

void probe_families(std::string& out, const std::vector<ObservedGateway>& gateways) {
  using Said = proto::GatewayStatus;
  Family sent(out, "penstock_probes_sent_total", "counter", "Probes of backends that the gateway sent.");
  each_status(gateways, [&](const std::string& gateway, const Said& status) {
    sent.sample({{"gateway", gateway}}, status.stats().probes().sent());
  });
  Family answered(out, "penstock_probes_answered_total", "counter", "Of these, those answered.");
  each_status(gateways, [&](const std::string& gateway, const Said& status) {
    answered.sample({{"gateway", gateway}}, status.stats().probes().answered());
  });
  Family lost(out, "penstock_probes_lost_total", "counter", "Of these, those not answered in time.");
  each_status(gateways, [&](const std::string& gateway, const proto::GatewayStatus& status) {
    lost.sample({{"gateway", gateway}}, status.stats().probes().lost());
  });
  Family direct(out, "penstock_direct_checks_total", "counter", "Checks of backends by the gateway itself.");
  each_status(gateways, [&](const std::string& gateway, const proto::GatewayStatus& status) {
    const proto::ProbeStats& probes = status.stats().probes();
    direct.sample({{"gateway", gateway}, {"result", "passed"}}, probes.direct_passed());
    direct.sample({{"gateway", gateway}, {"result", "failed"}}, probes.direct_failed());
  });
  Family refused(out, "penstock_probe_replies_refused_total", "counter", "Replies to probes not believed.");
  each_status(gateways, [&](const std::string& gateway, const Said& status) {
    const proto::ProbeStats& probes = status.stats().probes();
    refused.sample({{"gateway", gateway}, {"reason", "malformed"}}, probes.refused_malformed());
    refused.sample({{"gateway", gateway}, {"reason", "authentication"}}, probes.refused_authentication());
    refused.sample({{"gateway", gateway}, {"reason", "stale"}}, probes.refused_stale());
    refused.sample({{"gateway", gateway}, {"reason", "stranger"}}, probes.refused_stranger());
  });
}

void announcement_families(std::string& out, const std::vector<ObservedGateway>& gateways) {
  using Text = std::string;
  using Said = proto::GatewayStatus;
  Family med(out, "penstock_gateway_announced_med", "gauge", "MED of a VIP that the gateway announces.");
  each_status(gateways, [&](const Text& gateway, const Said& status) {
    for (const proto::AnnouncedVip& vip : status.announcements()) {
      const std::string drained = vip.drained() ? "true" : "false";
      med.sample({{"gateway", gateway}, {"vip", vip.vip()}, {"drained", drained}}, vip.med());
    }
  });
  Family error(out, "penstock_gateway_routing_error", "gauge",
               "1 while the routing daemon does not do what was asked.");
  each_status(gateways, [&](const Text& gateway, const Said& status) {
    error.sample({{"gateway", gateway}}, status.routing_error().empty() ? 0 : 1);
  });
  Family drain(out, "penstock_gateway_drain_phase", "gauge", "1 for the phase of the gateway's drain.");
  each_status(gateways, [&](const Text& gateway, const Said& status) {
    drain.sample({{"gateway", gateway}, {"phase", phase_name(status.drain().phase())}}, 1);
  });
  Family flows(out, "penstock_gateway_drain_flows", "gauge", "Flows left at a gateway that is drained.");
  each_status(gateways, [&](const Text& gateway, const Said& status) {
    if (status.drain().phase() == proto::GatewayDrain::NONE) return;
    flows.sample({{"gateway", gateway}}, status.drain().flows());
  });
  Family upgrade(out, "penstock_gateway_upgrade_phase", "gauge", "1 for the phase of the last upgrade.");
  each_status(gateways, [&](const Text& gateway, const Said& status) {
    upgrade.sample({{"gateway", gateway}, {"phase", phase_name(status.upgrade().phase())}}, 1);
  });
}

void sync_families(std::string& out, const std::vector<ObservedGateway>& gateways) {
  for (const Metric<proto::SyncStats>& metric : kSyncMetrics) {
    Family family(out, metric.name, metric.type, metric.help);
    each_status(gateways, [&](const std::string& gateway, const proto::GatewayStatus& status) {
      family.sample({{"gateway", gateway}}, (status.stats().sync().*metric.value)());
    });
  }
  Family ready(out, "penstock_sync_ready", "gauge", "1 while the gateway knows the flows of its peers.");
  each_status(gateways, [&](const std::string& gateway, const proto::GatewayStatus& status) {
    ready.sample({{"gateway", gateway}}, status.stats().sync().state() == proto::SYNC_READY ? 1 : 0);
  });
  Family refused(out, "penstock_sync_refused_total", "counter", "Datagrams and connections not believed.");
  each_status(gateways, [&](const std::string& gateway, const proto::GatewayStatus& status) {
    const proto::SyncStats& sync = status.stats().sync();
    refused.sample({{"gateway", gateway}, {"reason", "malformed"}}, sync.refused_malformed());
    refused.sample({{"gateway", gateway}, {"reason", "authentication"}}, sync.refused_authentication());
    refused.sample({{"gateway", gateway}, {"reason", "replay"}}, sync.refused_replay());
    refused.sample({{"gateway", gateway}, {"reason", "stranger"}}, sync.refused_stranger());
  });
  sync_peer_families(out, gateways);
}

void hop_families(std::string& out, const std::vector<ObservedNode>& nodes) {
  const auto each = [&](auto take) {
    for (const ObservedNode& n : nodes) {
      if (n.connected && n.status) take(n.id, *n.status);
    }
  };
  Family hops(out, "penstock_node_hop_packets_total", "counter",
              "Packets with a hop list, by position in it and by what became of them.");
  each([&](const std::string& node, const proto::NodeStatus& status) {
    for (const proto::HopStats& h : status.hops()) {
      const std::string hop = std::to_string(h.hop());
      hops.sample({{"node", node}, {"hop", hop}, {"what", "known"}}, h.known());
      hops.sample({{"node", node}, {"hop", hop}, {"what", "begun"}}, h.begun());
      hops.sample({{"node", node}, {"hop", hop}, {"what", "last"}}, h.last());
      hops.sample({{"node", node}, {"hop", hop}, {"what", "passed_on"}}, h.passed_on());
    }
  });
  Family answered(out, "penstock_node_probes_answered_total", "counter", "Probes of gateways answered.");
  each([&](const std::string& node, const proto::NodeStatus& status) {
    answered.sample({{"node", node}}, status.probes().answered());
  });
  Family refused(out, "penstock_node_probes_refused_total", "counter", "Probes not believed.");
  each([&](const std::string& node, const proto::NodeStatus& status) {
    const proto::ProbeResponderStats& probes = status.probes();
    refused.sample({{"node", node}, {"reason", "malformed"}}, probes.refused_malformed());
    refused.sample({{"node", node}, {"reason", "authentication"}}, probes.refused_authentication());
    refused.sample({{"node", node}, {"reason", "stale"}}, probes.refused_stale());
  });
}

}  // namespace penstock
