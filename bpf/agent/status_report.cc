#include "bpf/agent/status_report.h"

namespace penstock {
namespace {

std::vector<VipKey> fill_services(proto::NodeStatus& status, const DecapStats& stats) {
  std::vector<VipKey> keys;
  for (const auto& [service, counters] : stats.services) {
    auto* out = status.add_services();
    out->set_vip(service.vip_text());
    out->set_protocol(static_cast<proto::Protocol>(service.protocol));
    out->set_port(service.port);
    out->set_last_port(service.last_port);
    out->set_packets(counters.packets);
    out->set_bytes(counters.bytes);
    keys.push_back(service);
  }
  return keys;
}

void fill_hops(proto::NodeStatus& status, const DecapStats& stats) {
  for (std::uint32_t hop = 0; hop < stats.hops.size(); ++hop) {
    auto* out = status.add_hops();
    out->set_hop(hop);
    out->set_known(stats.hops[hop].known);
    out->set_begun(stats.hops[hop].begun);
    out->set_last(stats.hops[hop].last);
    out->set_passed_on(stats.hops[hop].passed_on);
  }
}

}  // namespace

std::vector<VipKey> fill_status(proto::NodeStatus& status, const DecapProgram& program) {
  for (const AttachedInterface& interface : program.interfaces()) {
    auto* out = status.add_interfaces();
    out->set_name(interface.name);
    out->set_xdp_mode(interface.mode);
  }
  const DecapStats stats = program.stats();
  std::vector<VipKey> keys = fill_services(status, stats);
  status.set_decap_dropped(stats.dropped);
  fill_hops(status, stats);
  auto* probes = status.mutable_probes();
  probes->set_answered(stats.probes_answered);
  probes->set_refused_malformed(stats.probes_malformed);
  probes->set_refused_authentication(stats.probes_forged);
  probes->set_refused_stale(stats.probes_replayed);
  return keys;
}

}  // namespace penstock
