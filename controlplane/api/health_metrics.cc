#include "controlplane/api/health_metrics.h"

#include "controlplane/api/metric_family.h"
#include "controlplane/api/node_measures.h"
#include "controlplane/api/observed_walk.h"

namespace penstock {
namespace {

/// One family of what every gateway says of every backend; `sample` puts what there is.
template <class F>
void backend_family(std::string& out, const char* name, const char* type, const char* help,
                    const std::vector<ObservedGateway>& gateways, F sample) {
  Family family(out, name, type, help);
  each_backend(gateways, [&](const std::string& gateway, const std::string& service,
                             const proto::BackendStats& backend) {
    if (backend.has_health()) sample(family, gateway, service, backend.backend(), backend.health());
  });
}

using Text = std::string;
using Health = proto::BackendHealth;

void telemetry_quantiles(std::string& out, const char* name, const char* help, const ServiceMeasure& median,
                         const ServiceMeasure& p99, const std::vector<ObservedNode>& nodes) {
  Family family(out, name, "gauge", help);
  each_status(nodes, [&](const Text& node, const proto::NodeStatus& status) {
    for (const proto::NodeServiceStats& s : status.services()) {
      for (const auto& [measure, quantile] : {std::pair(&median, "0.5"), std::pair(&p99, "0.99")}) {
        if (!s.has_telemetry() || !(s.telemetry().*measure->has)()) continue;
        family.real({{"service", s.service()}, {"node", node}, {"quantile", quantile}},
                    (s.telemetry().*measure->get)().value() * measure->unit);
      }
    }
  });
}

void check_family(std::string& out, const std::vector<ObservedNode>& nodes) {
  Family family(out, "penstock_check_passing", "gauge", "1 while the node's check passes, 0 while it fails.");
  each_status(nodes, [&](const Text& node, const proto::NodeStatus& status) {
    const auto put = [&](const Text& service, const auto& checks) {
      for (const proto::CheckStatus& check : checks) {
        if (check.state() == proto::CheckStatus::UNCHECKED) continue;
        family.sample({{"service", service}, {"node", node}, {"check", check.name()}},
                      check.state() == proto::CheckStatus::PASSING ? 1 : 0);
      }
    };
    for (const proto::NodeServiceStats& s : status.services()) put(s.service(), s.checks());
    for (const proto::NatTargetStatus& target : status.nat_targets()) put(target.service(), target.checks());
  });
}

}  // namespace

void verdict_families(std::string& out, const HealthSnapshot& health) {
  {
    Family family(out, "penstock_backend_health", "gauge",
                  "1 while most gateways with an opinion find the backend alive, 0 while they find it dead.");
    for (const auto& [service, verdicts] : health.services) {
      for (const BackendVerdict& backend : verdicts->backends) {
        if (backend.verdict == Verdict::kUnknown) continue;
        family.sample({{"service", service}, {"backend", backend.id}},
                      backend.verdict == Verdict::kAlive ? 1 : 0);
      }
    }
  }
  Family all_down(out, "penstock_service_all_down", "gauge",
                  "1 while the gateway has no living backend for new flows.");
  for (const auto& [service, verdicts] : health.services) {
    for (const std::string& gateway : verdicts->all_down) {
      all_down.sample({{"service", service}, {"gateway", gateway}}, 1);
    }
  }
  Family state(out, "penstock_node_state", "gauge", "1 for the state of the node.");
  for (const auto& [id, node] : health.nodes) {
    state.sample({{"node", id}, {"state", node_state_name(node.state)}}, 1);
  }
}

void backend_health_families(std::string& out, const std::vector<ObservedGateway>& gateways) {
  const auto family = [&](const char* name, const char* type, const char* help, auto sample) {
    backend_family(out, name, type, help, gateways, sample);
  };
  using F = Family;
  family(
      "penstock_backend_breaker_state", "gauge", "0 closed, 1 open, 2 half-open.",
      [](F& f, const Text& g, const Text& s, const Text& b, const Health& h) {
        f.sample({{"service", s}, {"backend", b}, {"gateway", g}}, static_cast<std::uint64_t>(h.breaker()));
      });
  family("penstock_backend_admitted_ratio", "gauge", "Of the new flows that its slots would give it.",
         [](F& f, const Text& g, const Text& s, const Text& b, const Health& h) {
           f.real({{"service", s}, {"backend", b}, {"gateway", g}}, h.admitted_percent() / 100.0);
         });
  family("penstock_backend_hot", "gauge", "1 while new flows go to a cooler backend if there is one.",
         [](F& f, const Text& g, const Text& s, const Text& b, const Health& h) {
           f.sample({{"service", s}, {"backend", b}, {"gateway", g}, {"kind", "late"}}, h.late() ? 1 : 0);
           f.sample({{"service", s}, {"backend", b}, {"gateway", g}, {"kind", "busy"}}, h.busy() ? 1 : 0);
         });
  family("penstock_backend_probe_rtt_seconds", "gauge", "Of the last answer.",
         [](F& f, const Text& g, const Text& s, const Text& b, const Health& h) {
           if (h.probe_rtt_us() == 0) return;
           f.real({{"service", s}, {"backend", b}, {"gateway", g}}, h.probe_rtt_us() * kMicroseconds);
         });
  family("penstock_backend_probe_loss_ratio", "gauge", "Of the last 20 probes.",
         [](F& f, const Text& g, const Text& s, const Text& b, const Health& h) {
           if (h.probe_rtt_us() == 0) return;
           f.real({{"service", s}, {"backend", b}, {"gateway", g}}, h.probe_loss_percent() / 100.0);
         });
  family("penstock_backend_falls_total", "counter", "Times it went down.",
         [](F& f, const Text& g, const Text& s, const Text& b, const Health& h) {
           f.sample({{"service", s}, {"backend", b}, {"gateway", g}}, h.falls());
         });
  family("penstock_backend_breaker_trips_total", "counter", "Times its breaker opened.",
         [](F& f, const Text& g, const Text& s, const Text& b, const Health& h) {
           f.sample({{"service", s}, {"backend", b}, {"gateway", g}}, h.trips());
         });
}

void load_families(std::string& out, const std::vector<ObservedNode>& nodes) {
  for (const NodeMeasure& measure : kNodeMeasures) {
    Family family(out, measure.metric, "gauge", measure.help);
    each_status(nodes, [&](const Text& node, const proto::NodeStatus& status) {
      if ((status.load().*measure.has)()) {
        family.real({{"node", node}}, (status.load().*measure.get)().value());
      }
    });
  }
  Family named(out, "penstock_node_named_metric", "gauge", "What applications on the node say, by its name.");
  each_status(nodes, [&](const Text& node, const proto::NodeStatus& status) {
    for (const auto& [name, measured] : status.load().named_metrics()) {
      named.real({{"node", node}, {"name", name}}, measured.value());
    }
  });
}

void telemetry_families(std::string& out, const std::vector<ObservedNode>& nodes) {
  const auto each = [&](auto take) {
    each_status(nodes, [&](const Text& node, const proto::NodeStatus& status) {
      for (const proto::NodeServiceStats& s : status.services()) {
        if (s.has_telemetry()) take(node, s.service(), s.telemetry());
      }
    });
  };
  using Telemetry = proto::ServiceTelemetry;
  for (const ServiceCounter& counter : kServiceCounters) {
    Family family(out, std::string("penstock_service_telemetry_") + counter.name + "_total", "counter",
                  counter.help);
    each([&](const Text& node, const Text& service, const Telemetry& telemetry) {
      family.sample({{"service", service}, {"node", node}}, (telemetry.*counter.get)());
    });
  }
  {
    Family family(out, "penstock_service_telemetry_established", "gauge", "Connections now.");
    each([&](const Text& node, const Text& service, const Telemetry& telemetry) {
      family.sample({{"service", service}, {"node", node}}, telemetry.established());
    });
  }
  for (const ServiceMeasure& measure : kServiceMeasures) {
    if (measure.metric == nullptr) continue;
    Family family(out, measure.metric, "gauge", measure.help);
    each([&](const Text& node, const Text& service, const Telemetry& telemetry) {
      if (!(telemetry.*measure.has)()) return;
      family.real({{"service", service}, {"node", node}}, (telemetry.*measure.get)().value() * measure.unit);
    });
  }
  telemetry_quantiles(out, "penstock_service_telemetry_handshake_seconds",
                      "SYN to the end of the handshake, in the last second.", kServiceMeasures[0],
                      kServiceMeasures[1], nodes);
  telemetry_quantiles(out, "penstock_service_telemetry_response_seconds",
                      "Request to first byte of the response, in the last second.", kServiceMeasures[2],
                      kServiceMeasures[3], nodes);
  check_family(out, nodes);
}

}  // namespace penstock
