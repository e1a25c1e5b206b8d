#include "bpf/agent/status_report.h"

namespace penstock {
namespace {

void fill_services(proto::NodeStatus& status, const DecapStats& stats, const NodeServices* in_force) {
  for (const auto& [service, counters] : stats.services) {
    auto* out = status.add_services();
    out->set_vip(service.vip_text());
    out->set_protocol(static_cast<proto::Protocol>(service.protocol));
    out->set_port(service.port);
    out->set_last_port(service.last_port);
    out->set_packets(counters.packets);
    out->set_bytes(counters.bytes);
    if (in_force == nullptr) continue;
    if (const auto id = in_force->ids.find(service); id != in_force->ids.end()) out->set_service(id->second);
  }
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

void fill_status(proto::NodeStatus& status, const DecapProgram& program, const NodeServices* in_force) {
  for (const AttachedInterface& interface : program.interfaces()) {
    auto* out = status.add_interfaces();
    out->set_name(interface.name);
    out->set_xdp_mode(interface.mode);
  }
  const DecapStats stats = program.stats();
  fill_services(status, stats, in_force);
  status.set_decap_dropped(stats.dropped);
  fill_hops(status, stats);
  auto* probes = status.mutable_probes();
  probes->set_answered(stats.probes_answered);
  probes->set_refused_malformed(stats.probes_malformed);
  probes->set_refused_authentication(stats.probes_forged);
  probes->set_refused_stale(stats.probes_replayed);
}

}  // namespace penstock
