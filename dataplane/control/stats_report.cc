#include "dataplane/control/stats_report.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "dataplane/control/health_stats.h"
#include "penstock/proto/dataplane.pb.h"

namespace penstock {
namespace {

using Outcomes = std::array<std::uint64_t, kOutcomeCount>;

template <class Message>
void write_outcomes(const Outcomes& counts, bool with_zeros, Message& out) {
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    if (counts[i] == 0 && !with_zeros) continue;
    auto* outcome = out.add_outcomes();
    outcome->set_outcome(std::string(kOutcomeMetrics[i]));
    outcome->set_packets(counts[i]);
  }
}

void add(Outcomes& sums, const std::array<Counter, kOutcomeCount>& counters) {
  for (std::size_t i = 0; i < kOutcomeCount; ++i) sums[i] += counters[i].read();
}

void report_lcores(const EngineView& engine, proto::DataplaneStats& out) {
  Outcomes totals{};
  std::uint64_t received = 0;
  for (std::size_t i = 0; i < engine.counters.size(); ++i) {
    const LcoreCounters& counters = *engine.counters[i];
    auto& lcore = *out.add_lcores();
    Outcomes outcomes{};
    add(outcomes, counters.outcomes);
    add(totals, counters.outcomes);
    // The sum of what was read, not the counter beside it: those two may be a burst apart while packets flow,
    // and whoever reads a report may rely on the identity.
    std::uint64_t sum = 0;
    for (const std::uint64_t count : outcomes) sum += count;
    received += sum;
    lcore.set_lcore(static_cast<std::uint32_t>(i));
    lcore.set_received_packets(sum);
    write_outcomes(outcomes, true, lcore);
    lcore.set_busy_cycles(counters.busy_cycles.read());
    lcore.set_idle_cycles(counters.idle_cycles.read());
    for (const Counter& size : counters.burst_sizes) lcore.add_burst_sizes(size.read());
    lcore.set_flows(engine.flows[i]->stats().size);
    lcore.set_flow_capacity(engine.flows[i]->capacity());
    if (i < engine.flow_origins.size()) lcore.set_flow_table(engine.flow_origins[i]);
    lcore.set_flow_table_full(counters.flow_table_full.read());
    lcore.set_fragments_released(counters.fragments_released.read());
    lcore.set_fragments_lost(counters.fragments_lost.read());
    lcore.set_extra_sent(counters.extra_sent.read());
    lcore.set_extra_dropped(counters.extra_dropped.read());
    lcore.set_second_chance(counters.second_chance.read());
    lcore.set_foreign_flows(counters.foreign_flows.read());
    lcore.set_avoided(counters.avoided.read());
    lcore.set_withheld(counters.withheld.read());
    lcore.set_cooler(counters.cooler.read());
    lcore.set_nat_sessions(counters.nat_sessions.read());
    lcore.set_nat_capacity(counters.nat_capacity.read());
    lcore.set_nat_adopted(counters.nat_adopted.read());
  }
  out.set_received_packets(received);
  write_outcomes(totals, true, out);
}

proto::Liveness liveness_of(const EngineView& engine, BackendIndex backend) {
  if (engine.states == nullptr) return proto::LIVENESS_UNKNOWN;
  const BackendState state = engine.states->backend(backend);
  if (state.down()) return proto::LIVENESS_DOWN;
  return state.known() ? proto::LIVENESS_UP : proto::LIVENESS_UNKNOWN;
}

void report_backend(const Snapshot& snapshot, const EngineView& engine, const BackendDocument& backend,
                    BackendIndex index, const BackendReport* health, proto::BackendStats& out) {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t new_flows = 0;
  for (const LcoreCounters* counters : engine.counters) {
    const BackendCounters& c = counters->backend(index);
    packets += c.packets.read();
    bytes += c.bytes.read();
    new_flows += c.new_flows.read();
  }
  out.set_backend(backend.id);
  out.set_weight(backend.effective_weight());
  out.set_packets(packets);
  out.set_bytes(bytes);
  out.set_new_flows(new_flows);
  out.set_liveness(liveness_of(engine, index));
  if (health != nullptr) report_health(*health, *out.mutable_health());
  // Entries of a backend whose drain is over are flows no more: their next packet is reset, if one comes.
  const bool over = snapshot.backend(index).has(BackendRecord::kDrainOver);
  if (engine.census != nullptr && !over) out.set_flows(engine.census->flows(index));
  if (const auto mac = snapshot.backend(index).next_hop_mac()) out.set_next_hop(mac->text());
}

/// only: null for all.
void report_services(const Snapshot& snapshot, const EngineView& engine,
                     const std::set<std::string, std::less<>>* only, proto::DataplaneStats& out) {
  std::vector<BackendReport> health;
  for (const auto& service : snapshot.services()) {
    if (only != nullptr && !only->contains(service->document.id)) continue;
    if (engine.health) engine.health(service->backends, health);
    auto& report = *out.add_services();
    report.set_service(service->document.id);
    Outcomes outcomes{};
    for (const LcoreCounters* counters : engine.counters)
      add(outcomes, counters->service(service->index).outcomes);
    write_outcomes(outcomes, false, report);
    report.set_all_down(engine.states != nullptr &&
                        engine.states->service(service->index) != ServiceState::kAlive);
    for (std::size_t i = 0; i < service->backends.size(); ++i) {
      report_backend(snapshot, engine, service->document.backends[i], service->backends[i],
                     engine.health ? &health[i] : nullptr, *report.add_backends());
    }
  }
}

void report_probes(const EngineView& engine, proto::DataplaneStats& out) {
  const ProbeCounters probes = engine.probes ? engine.probes() : ProbeCounters{};
  auto& report = *out.mutable_probes();
  report.set_sent(probes.sent);
  report.set_not_sent(probes.not_sent);
  report.set_answered(probes.answered);
  report.set_lost(probes.lost);
  report.set_refused_malformed(probes.refused_malformed);
  report.set_refused_authentication(probes.refused_authentication);
  report.set_refused_stale(probes.refused_stale);
  report.set_refused_stranger(probes.refused_stranger);
  const DirectCounters direct = engine.direct ? engine.direct() : DirectCounters{};
  report.set_direct_sent(direct.begun);
  report.set_direct_passed(direct.passed);
  report.set_direct_failed(direct.failed);
  report.set_direct_refused(direct.refused);
}

void report_ports(const EngineView& engine, proto::DataplaneStats& out) {
  for (const PortView& port : engine.ports()) {
    auto& report = *out.add_ports();
    report.set_name(port.name);
    report.set_rx_packets(port.rx_packets);
    report.set_tx_packets(port.tx_packets);
    report.set_rx_missed(port.rx_missed);
    report.set_rx_errors(port.rx_errors);
    report.set_tx_errors(port.tx_errors);
    report.set_steered(port.steered);
    report.set_passed(port.passed);
  }
}

std::uint32_t idle_seconds(const Snapshot& snapshot, const CompiledService& service, const FlowRecord& flow) {
  const Tick idle = snapshot.service(service.index).idle.of(idle_class(flow.state));
  const Tick silent = idle > flow.remaining ? idle - flow.remaining : 0;
  return static_cast<std::uint32_t>((std::uint64_t{silent} << kTickShift) / 1'000'000'000);
}

}  // namespace

void report_stats(const Snapshot& snapshot, const EngineView& engine, proto::DataplaneStats& out) {
  out.set_epoch(snapshot.epoch());
  out.set_generation(snapshot.generation());
  report_lcores(engine, out);
  report_services(snapshot, engine, nullptr, out);
  report_ports(engine, out);
  report_probes(engine, out);
}

void report_services_only(const Snapshot& snapshot, const EngineView& engine,
                          const std::set<std::string, std::less<>>& services, proto::DataplaneStats& out) {
  out.set_epoch(snapshot.epoch());
  out.set_generation(snapshot.generation());
  report_services(snapshot, engine, &services, out);
}

proto::SyncState sync_state(SyncStage stage) {
  switch (stage) {
    case SyncStage::kOff:
      return proto::SYNC_OFF;
    case SyncStage::kFetching:
      return proto::SYNC_FETCHING;
    case SyncStage::kReady:
      return proto::SYNC_READY;
  }
  return proto::SYNC_UNKNOWN;
}

void report_sync(const Replication* replication, proto::SyncStats& out) {
  out.set_state(proto::SYNC_OFF);
  if (replication == nullptr) return;
  const ReplicationView view = replication->view();
  const auto refused = [&](Refusal why) { return view.report.refused[static_cast<std::size_t>(why)]; };
  out.set_state(sync_state(view.stage));
  out.set_replicated_flows(view.report.replicated);
  out.set_foreign_flows(view.foreign_flows);
  out.set_foreign_capacity(view.foreign_capacity);
  out.set_refused_malformed(refused(Refusal::kMalformed));
  out.set_refused_authentication(refused(Refusal::kAuthentication));
  out.set_refused_replay(refused(Refusal::kReplay));
  out.set_refused_stranger(refused(Refusal::kStranger));
  for (const SyncPeerReport& peer : view.report.peers) {
    auto& report = *out.add_peers();
    report.set_gateway(peer.peer.gateway);
    report.set_address(peer.peer.address.text());
    report.set_sent_datagrams(peer.sent);
    report.set_received_datagrams(peer.received);
    report.set_lost_datagrams(peer.lost);
    report.set_recovered_datagrams(peer.recovered);
    report.set_repaired_flows(peer.repaired);
    report.set_foreign_flows(peer.records);
    report.set_silent_ms(peer.silent_ms);
  }
}

std::vector<proto::Flow> report_flows(const Snapshot& snapshot, const EngineView& engine, std::size_t lcore,
                                      std::size_t first, std::size_t count, const std::string& service) {
  std::vector<proto::Flow> flows;
  const FlowTable& table = *engine.flows[lcore];
  const std::size_t end = std::min(first + count, table.bucket_count());
  for (std::size_t bucket = first; bucket < end; ++bucket) {
    std::array<FlowRecord, kSlotsPerBucket> records;
    const std::size_t found = table.read_bucket(bucket, records);
    for (std::size_t i = 0; i < found; ++i) {
      const auto place = snapshot.find_backend(records[i].backend);
      if (place.service == nullptr) continue;
      const ServiceDocument& document = place.service->document;
      if (!service.empty() && document.id != service) continue;
      auto& flow = flows.emplace_back();
      flow.set_lcore(static_cast<std::uint32_t>(lcore));
      flow.set_digest(records[i].name);
      flow.set_service(document.id);
      flow.set_backend(document.backends[place.position].id);
      flow.set_state(std::string(flow_state_text(records[i].state)));
      flow.set_idle_seconds(idle_seconds(snapshot, *place.service, records[i]));
    }
  }
  return flows;
}

}  // namespace penstock
