#include "controlplane/stream/weight_feed.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "penstock/base/clock.h"
#include "penstock/proto/gateway.pb.h"

namespace penstock {
namespace {

constexpr std::chrono::milliseconds kInterval{100};
constexpr Nanoseconds kGatewaysComeBack = Nanoseconds::from_seconds(6);  // they pause 5 s at most
constexpr Nanoseconds kRunningCounts = Nanoseconds::from_seconds(60);  // then they are too old to begin with

double seconds(Nanoseconds time) { return static_cast<double>(time.count()) * 1e-9; }

std::uint64_t unix_microseconds() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

/// Of what its dataplane said last, in loads or status; 0: the configured weights are in force.
std::uint64_t version_in_force(const ObservedGateway& gateway) {
  const bool loads_last = gateway.loads && gateway.loads_at >= gateway.status_at;
  if (loads_last) return gateway.loads->weights_version();
  return gateway.status ? gateway.status->stats().weights_version() : 0;
}

/// In the order of their coming, as LoadObservation wants them.
std::vector<GatewayLoads> loads_of(const std::vector<ObservedGateway>& gateways) {
  std::vector<GatewayLoads> out;
  for (const ObservedGateway& gateway : gateways) {
    if (!gateway.connected) continue;
    if (gateway.status) {
      const proto::DataplaneStats& stats = gateway.status->stats();
      out.push_back({gateway.id, true, gateway.status_at, stats.uptime_ns(), &stats.services()});
    }
    if (gateway.loads) {
      const proto::BackendLoads& loads = *gateway.loads;
      out.push_back({gateway.id, false, gateway.loads_at, loads.uptime_ns(), &loads.services()});
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  return out;
}

}  // namespace

WeightFeed::WeightFeed(const GatewayTable& gateways, const NodeTable& nodes, const HealthFeed& health,
                       Publisher& publisher, Planning planning, Show show)
    : gateways_(gateways),
      nodes_(nodes),
      health_(health),
      publisher_(publisher),
      planning_(std::move(planning)),
      show_(std::move(show)),
      thread_([this] { run(); }) {}

WeightFeed::~WeightFeed() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void WeightFeed::follow(DesiredSnapshot state) {
  const std::lock_guard lock(mutex_);
  state_.swap(state);
}

void WeightFeed::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    DesiredSnapshot state = state_;
    lock.unlock();
    const auto began = std::chrono::steady_clock::now();
    if (state && state->generation != 0) step(*state);
    state.reset();
    const auto took = std::chrono::steady_clock::now() - began;
    lock.lock();
    // Half of a CPU at most, however large the site.
    const auto pause = std::max<std::chrono::nanoseconds>(kInterval - took, took);
    wake_.wait_for(lock, pause, [this] { return stopping_; });
  }
}

void WeightFeed::step(const DesiredState& state) {
  const bool moves = has_moving_weights(state);
  const std::vector<ObservedGateway> gateways = gateways_.all();
  if (moves) {
    plan(state, gateways);
    return;
  }
  if (fleet_) {
    fleet_.reset();
    observation_.follow({}, 0);
    show_(std::make_shared<WeightSnapshot>());
  }
  // Also what a control plane before this one told must be taken back.
  const bool some_lie = std::any_of(gateways.begin(), gateways.end(),
                                    [](const auto& gateway) { return version_in_force(gateway) != 0; });
  if (version_ != 0 || some_lie) tell(state, {}, gateways);
}

/// Weights of a control plane before this one are in force as long as nobody tells others: who began at the
/// configured ones would jump there and back. So nothing is planned until a gateway has said what it uses,
/// those that are away are waited for as long as they take to come back, and one that runs nothing has
/// nothing to say.
bool WeightFeed::learn_what_runs(const std::vector<ObservedGateway>& gateways) {
  if (knows_what_runs_) return true;
  const Nanoseconds now = monotonic_now();
  if (began_ == Nanoseconds{}) began_ = now;
  const ObservedGateway* newest = nullptr;
  bool waits = true;
  for (const ObservedGateway& gateway : gateways) {
    if (!gateway.connected || !gateway.takes_weights) continue;
    const bool said = gateway.status || gateway.loads;
    waits = waits && !said && gateway.hello_generation != 0;
    if (said && (newest == nullptr || version_in_force(gateway) > version_in_force(*newest)))
      newest = &gateway;
  }
  if (waits && now - began_ < kGatewaysComeBack) return false;
  knows_what_runs_ = true;
  if (newest == nullptr || version_in_force(*newest) == 0) return true;
  const auto& services = newest->loads && newest->loads_at >= newest->status_at
                             ? newest->loads->services()
                             : newest->status->stats().services();
  for (const proto::ServiceStats& service : services) {
    for (const proto::BackendStats& backend : service.backends()) {
      if (backend.has_weight()) running_[{service.service(), backend.backend()}] = backend.weight();
    }
  }
  return true;
}

void WeightFeed::plan(const DesiredState& state, const std::vector<ObservedGateway>& gateways) {
  if (!learn_what_runs(gateways)) return;
  const auto health = health_.now();
  const std::vector<ObservedNode> nodes = nodes_.all();
  PlannedFleet planned = planned_fleet(state, nodes, [&](const Service& service, std::size_t backend) {
    return is_usable(*health, service, backend);
  });
  const std::vector<AgentLoad> agents = std::move(planned.agents);
  if (monotonic_now() - began_ > kRunningCounts) running_.clear();
  for (load::PlannerBackend& backend : planned.fleet.backends) {
    const auto runs = running_.find({planned.fleet.services[backend.service].id, backend.id});
    if (runs != running_.end()) backend.running_weight = runs->second;
  }
  if (!fleet_ || !same_fleet(*fleet_, planned.fleet)) take_fleet(std::move(planned));
  const Nanoseconds now = monotonic_now();
  for (const load::NodeReport& report : observation_.observe(loads_of(gateways), agents, now)) {
    planning_.report(report);
  }
  const load::Plan& plan = planning_.step(seconds(now));
  const double took = seconds(monotonic_now()) - seconds(now);
  tell(state, weights_of(*fleet_, plan), gateways);
  show(state, gateways, plan, took);
}

void WeightFeed::take_fleet(PlannedFleet planned) {
  fleet_ = std::make_shared<const load::PlannerFleet>(planned.fleet);
  places_ = planned.places;
  observation_.follow(std::move(planned.places), planned.fleet.nodes.size());
  planning_.configure(std::move(planned.fleet));
}

bool WeightFeed::is_usable(const HealthSnapshot& health, const Service& service, std::size_t backend) const {
  const auto place = places_.find({service.id, service.backends[backend].id});
  if (place != places_.end() && observation_.breaker_open(place->second.placement)) return false;
  const auto found = health.services.find(service.id);
  if (found == health.services.end() || backend >= found->second->backends.size()) return true;
  const BackendVerdict& verdict = found->second->backends[backend];
  return verdict.id != service.backends[backend].id || verdict.verdict != Verdict::kDead;
}

// Versions grow over restarts of the control plane: by the clock, and if that was set back by what gateways
// say.
void WeightFeed::tell(const DesiredState& state, proto::UpdateWeightsRequest weights,
                      const std::vector<ObservedGateway>& gateways) {
  weights.set_epoch(state.epoch);
  weights.set_base_generation(state.generation);
  std::string bytes = weights.SerializeAsString();
  std::uint64_t highest = version_;
  for (const ObservedGateway& gateway : gateways) highest = std::max(highest, version_in_force(gateway));
  if (bytes == told_ && highest == version_) return;
  version_ = std::max(highest + 1, version_ == 0 ? unix_microseconds() : 0);
  told_ = std::move(bytes);
  weights.set_version(version_);
  proto::GatewayDirective directive;
  *directive.mutable_weights() = std::move(weights);
  auto word = std::make_shared<WeightWord>();
  word->version = version_;
  word->bytes = directive.SerializeAsString();
  publisher_.tell(std::move(word));
}

void WeightFeed::show(const DesiredState& state, const std::vector<ObservedGateway>& gateways,
                      const load::Plan& plan, double step_seconds) {
  auto snapshot = std::make_shared<WeightSnapshot>();
  snapshot->epoch = state.epoch;
  snapshot->generation = state.generation;
  snapshot->planned_at = monotonic_now();
  snapshot->unix_ms = unix_microseconds() / 1000;
  snapshot->step_seconds = step_seconds;
  snapshot->version = version_;
  for (const ObservedGateway& gateway : gateways) {
    if (!gateway.connected || !gateway.takes_weights) continue;
    ++snapshot->gateways;
    snapshot->in_force += version_in_force(gateway) == version_;
  }
  snapshot->fleet = fleet_;
  snapshot->plan = plan;
  show_(std::move(snapshot));
}

}  // namespace penstock
