#include "controlplane/api/gateway_status.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <utility>

#include "controlplane/api/seconds_ago.h"

namespace penstock {
namespace {

using nlohmann::json;

std::string lower(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

double seconds(std::uint64_t milliseconds) { return static_cast<double>(milliseconds) / 1000; }

json refusals_of(const ObservedGateway& gateway) {
  json out = json::array();
  if (!gateway.applied || gateway.applied->accepted()) return out;
  for (const proto::Refusal& refusal : gateway.applied->refusals()) {
    out.push_back({{"field", refusal.field()}, {"detail", refusal.message()}});
  }
  return out;
}

json announcements_of(const proto::GatewayStatus& status) {
  json out = json::array();
  for (const proto::AnnouncedVip& vip : status.announcements()) {
    out.push_back({{"vip", vip.vip()}, {"med", vip.med()}, {"drained", vip.drained()}});
  }
  return out;
}

json to_json(const proto::GatewayDrain& drain) {
  return {{"phase", phase_name(drain.phase())},
          {"packets_per_second", drain.packets_per_second()},
          {"flows", drain.flows()},
          {"elapsed_seconds", seconds(drain.elapsed_ms())}};
}

json to_json(const proto::GatewayUpgrade& upgrade) {
  return {{"id", upgrade.id()},
          {"phase", phase_name(upgrade.phase())},
          {"detail", upgrade.detail()},
          {"elapsed_seconds", seconds(upgrade.elapsed_ms())}};
}

json to_json(const proto::SyncPeerStats& peer) {
  return {{"gateway", peer.gateway()},
          {"address", peer.address()},
          {"sent_datagrams", peer.sent_datagrams()},
          {"received_datagrams", peer.received_datagrams()},
          {"lost_datagrams", peer.lost_datagrams()},
          {"recovered_datagrams", peer.recovered_datagrams()},
          {"repaired_flows", peer.repaired_flows()},
          {"foreign_flows", peer.foreign_flows()},
          {"silent_seconds", seconds(peer.silent_ms())}};
}

std::string state_name(proto::SyncState state) {
  const std::string name = proto::SyncState_Name(state);  // "SYNC_READY", empty for one of a newer contract
  return name.empty() ? name : lower(name.substr(std::string_view("SYNC_").size()));
}

json to_json(const proto::SyncStats& sync) {
  json peers = json::array();
  for (const proto::SyncPeerStats& peer : sync.peers()) peers.push_back(to_json(peer));
  return {{"state", state_name(sync.state())},
          {"replicated_flows", sync.replicated_flows()},
          {"foreign_flows", sync.foreign_flows()},
          {"foreign_capacity", sync.foreign_capacity()},
          {"refused",
           {{"malformed", sync.refused_malformed()},
            {"authentication", sync.refused_authentication()},
            {"replay", sync.refused_replay()},
            {"stranger", sync.refused_stranger()}}},
          {"peers", std::move(peers)}};
}

json to_json(const proto::ProbeStats& probes) {
  return {{"sent", probes.sent()},
          {"answered", probes.answered()},
          {"refused",
           {{"malformed", probes.refused_malformed()},
            {"authentication", probes.refused_authentication()},
            {"stale", probes.refused_stale()},
            {"stranger", probes.refused_stranger()}}},
          {"lost", probes.lost()},
          {"direct",
           {{"sent", probes.direct_sent()},
            {"passed", probes.direct_passed()},
            {"failed", probes.direct_failed()},
            {"refused", probes.direct_refused()}}}};
}

/// Sums over the lcores; "flow_tables" says of each what became of its flow table when the process began.
json flows_of(const proto::DataplaneStats& stats) {
  std::uint64_t flows = 0, capacity = 0, second_chance = 0, foreign = 0, avoided = 0;
  std::uint64_t withheld = 0, cooler = 0;
  std::uint64_t sessions = 0, session_capacity = 0, adopted = 0;
  json tables = json::array();
  for (const proto::LcoreStats& lcore : stats.lcores()) {
    flows += lcore.flows();
    capacity += lcore.flow_capacity();
    second_chance += lcore.second_chance();
    foreign += lcore.foreign_flows();
    avoided += lcore.avoided();
    withheld += lcore.withheld();
    cooler += lcore.cooler();
    sessions += lcore.nat_sessions();
    session_capacity += lcore.nat_capacity();
    adopted += lcore.nat_adopted();
    tables.push_back(lcore.flow_table());
  }
  return {{"flows", flows},
          {"flow_capacity", capacity},
          {"nat_sessions", sessions},
          {"nat_capacity", session_capacity},
          {"second_chance_packets", second_chance},
          {"foreign_flows_adopted", foreign},
          {"nat_sessions_adopted", adopted},
          {"avoided_flows", avoided},
          {"withheld_flows", withheld},
          {"cooler_flows", cooler},
          {"flow_tables", std::move(tables)}};
}

void add_status(json& out, const proto::GatewayStatus& status) {
  out["generation"] = status.generation();
  out["dataplane_alive"] = status.dataplane_alive();
  for (const std::string& vip : status.announced_vips()) out["announced_vips"].push_back(vip);
  out["announcements"] = announcements_of(status);
  if (status.has_drain()) out["drain"] = to_json(status.drain());
  if (status.has_upgrade()) out["upgrade"] = to_json(status.upgrade());
  if (status.stats().has_sync()) out["sync"] = to_json(status.stats().sync());
  if (status.stats().has_probes()) out["probes"] = to_json(status.stats().probes());
  if (status.has_stats()) out["flows"] = flows_of(status.stats());
  out["routing_error"] = status.routing_error();
}

}  // namespace

std::string phase_name(proto::GatewayDrain::Phase phase) {
  return lower(proto::GatewayDrain::Phase_Name(phase));
}

std::string phase_name(proto::GatewayUpgrade::Phase phase) {
  return lower(proto::GatewayUpgrade::Phase_Name(phase));
}

const char* liveness_name(proto::Liveness liveness) {
  switch (liveness) {
    case proto::LIVENESS_UP:
      return "up";
    case proto::LIVENESS_DOWN:
      return "down";
    default:
      return "unknown";
  }
}

bool upgrades(const ObservedGateway& gateway) {
  if (!gateway.status) return false;
  const auto phase = gateway.status->upgrade().phase();
  return phase != proto::GatewayUpgrade::NONE && phase != proto::GatewayUpgrade::DONE &&
         phase != proto::GatewayUpgrade::FAILED;
}

void add_observed(json& out, const ObservedGateway* observed) {
  out["connected"] = observed != nullptr && observed->connected;
  out["dataplane_alive"] = false;
  out["announced_vips"] = out["announcements"] = out["refusals"] = json::array();
  for (const char* unknown : {"version", "generation", "routing", "routing_error", "sync_address", "drain",
                              "upgrade", "sync", "probes", "flows", "last_seen_seconds_ago"}) {
    out[unknown] = json();
  }
  if (observed == nullptr) return;
  out["version"] = observed->version;
  out["routing"] = observed->routing;
  out["sync_address"] = observed->sync_address;
  out["refusals"] = refusals_of(*observed);
  out["last_seen_seconds_ago"] = seconds_ago(observed->last_seen);
  if (observed->status) add_status(out, *observed->status);
}

}  // namespace penstock
