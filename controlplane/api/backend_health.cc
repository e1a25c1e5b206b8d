#include "controlplane/api/backend_health.h"

#include <algorithm>
#include <iterator>

#include "controlplane/api/gateway_status.h"
#include "controlplane/api/load_documents.h"
#include "controlplane/api/seconds_ago.h"

namespace penstock {
namespace {

using nlohmann::json;

// From well to ill.
constexpr proto::BreakerState kBreakers[] = {proto::BREAKER_CLOSED, proto::BREAKER_HALF_OPEN,
                                             proto::BREAKER_OPEN};

unsigned rank(proto::BreakerState state) {
  const auto* found = std::find(std::begin(kBreakers), std::end(kBreakers), state);
  return found == std::end(kBreakers) ? 0 : static_cast<unsigned>(found - std::begin(kBreakers));
}

void add_health(json& out, const proto::BackendHealth& health) {
  out["reason"] = reason_name(health.reason());
  out["since_seconds"] = static_cast<double>(health.since_ms()) / 1000;
  out["breaker"] = {{"state", breaker_name(health.breaker())},
                    {"cause", health.breaker_cause().empty() ? json() : json(health.breaker_cause())},
                    {"trips", health.trips()}};
  out["late"] = health.late();
  out["busy"] = health.busy();
  out["admitted_percent"] = health.admitted_percent();
  out["in_doubt"] = health.in_doubt();
  out["probe_loss_percent"] = health.probe_loss_percent();
  out["probe_rtt_us"] = health.probe_rtt_us() == 0 ? json() : json(health.probe_rtt_us());
  out["falls"] = health.falls();
}

}  // namespace

const char* breaker_name(proto::BreakerState state) {
  switch (state) {
    case proto::BREAKER_OPEN:
      return "open";
    case proto::BREAKER_HALF_OPEN:
      return "half_open";
    default:
      return "closed";
  }
}

json to_json(const ObservedGateway& gateway, const proto::BackendStats& stats) {
  json out = {{"gateway", gateway.id},
              {"connected", gateway.connected},
              {"age_seconds", seconds_ago(gateway.status_at)},
              {"liveness", liveness_name(stats.liveness())}};
  if (!stats.has_health()) return out;
  add_health(out, stats.health());
  if (stats.health().has_load()) out["load"] = to_json(stats.health().load(), gateway.status_at);
  return out;
}

void BackendHealthSummary::add(const ObservedGateway& gateway, const proto::BackendStats& stats) {
  if (!gateway.connected || !stats.has_health()) return;
  const proto::BackendHealth& health = stats.health();
  ++said_;
  breaker_ = std::max(breaker_, rank(health.breaker()));
  late_ |= health.late();
  busy_ |= health.busy();
  admitted_ += health.admitted_percent();
  if (!health.has_load()) return;
  const Nanoseconds age = Nanoseconds::from_millis(health.load().age_ms());
  const Nanoseconds measured = gateway.status_at > age ? gateway.status_at - age : Nanoseconds();
  if (load_ != nullptr && measured <= load_measured_) return;
  load_ = &health.load();
  load_at_ = gateway.status_at;
  load_measured_ = measured;
}

void BackendHealthSummary::add_to(json& out) const {
  out["breaker"] = said_ == 0 ? json() : json(breaker_name(kBreakers[breaker_]));
  out["hot"] = json::array();
  if (late_) out["hot"].push_back("late");
  if (busy_) out["hot"].push_back("busy");
  out["admitted_percent"] = said_ == 0 ? json() : json((admitted_ + said_ / 2) / said_);
  out["load"] = load_ == nullptr ? json() : to_json(*load_, load_at_);
}

void add_verdict(json& out, const BackendVerdict* verdict) {
  const BackendVerdict none;
  const BackendVerdict& v = verdict == nullptr ? none : *verdict;
  out["verdict"] = verdict_name(v.verdict);
  out["reason"] = v.verdict == Verdict::kDead ? json(reason_name(v.reason)) : json();
  out["since_seconds_ago"] = v.verdict == Verdict::kUnknown ? json() : json(seconds_ago(v.since));
  out["votes"] = {{"up", v.votes.up},
                  {"down", v.votes.down},
                  {"abstaining", v.votes.abstaining},
                  {"doubting", v.votes.doubting},
                  {"following", v.votes.following}};
}

}  // namespace penstock
