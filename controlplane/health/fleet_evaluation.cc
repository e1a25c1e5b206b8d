#include "controlplane/health/fleet_evaluation.h"

#include <algorithm>
#include <array>
#include <utility>

namespace penstock {
namespace {

using proto::BackendHealth;

// Of a node, as one gateway's probes of all its backends meet it.
constexpr std::uint8_t kHeard = 1;
constexpr std::uint8_t kUnheard = 2;
constexpr std::uint8_t kDoubtful = 4;  // unheard, by a gateway that doubts its own link

bool is_fresh(Nanoseconds then, Nanoseconds now) { return now <= then || now - then <= kBallotAge; }

bool has_vote(const HealthInputs::Gateway& gateway, Nanoseconds now) {
  return gateway.connected && gateway.status && gateway.status->dataplane_alive() &&
         is_fresh(gateway.status_at, now);
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

/// Why a node is in its state, for people.
std::string witnesses(const NodeWatch& watch, const PathVotes& paths) {
  std::string out = watch.agent_talks() ? "agent talks" : "agent silent";
  out += ", probes answered at " + std::to_string(paths.heard) + " and lost at " +
         std::to_string(paths.unheard) + " gateways";
  if (paths.doubting != 0) out += ", " + std::to_string(paths.doubting) + " doubt their links";
  return out;
}

}  // namespace

FleetEvaluation::FleetEvaluation() { publish(); }

void FleetEvaluation::step(const HealthInputs& inputs) {
  bool changed = state_ != inputs.state;
  if (changed && inputs.state) box_.follow(*inputs.state);
  state_ = inputs.state;
  changed |= take_gateways(inputs);
  changed |= take_nodes(inputs);
  if (changed) count(inputs);
  changed |= watch_nodes(inputs);
  if (changed) publish();
}

bool FleetEvaluation::take_gateways(const HealthInputs& inputs) {
  bool changed = false;
  std::vector<bool> present(gateways_.size(), false);
  for (const HealthInputs::Gateway& gateway : inputs.gateways) {
    const auto [known, fresh] = slots_.try_emplace(gateway.id, 0);
    if (fresh) {
      const auto free = std::find(gateways_.begin(), gateways_.end(), std::string());
      known->second = static_cast<std::size_t>(free - gateways_.begin());
      if (free == gateways_.end()) {
        gateways_.emplace_back();
        entered_.emplace_back();
        entered_at_.emplace_back();
        present.push_back(false);
      }
      gateways_[known->second] = gateway.id;
    }
    const std::size_t slot = known->second;
    present[slot] = true;
    auto status = has_vote(gateway, inputs.now) ? gateway.status : nullptr;
    // A dataplane that was too busy to say anything this time has not changed its mind.
    if (status && !status->has_stats()) {
      status = is_fresh(entered_at_[slot], inputs.now) ? entered_[slot] : nullptr;
    }
    if (status == entered_[slot]) continue;
    entered_[slot] = status;
    entered_at_[slot] = gateway.status_at;
    changed = true;
    if (status) {
      box_.enter(slot, status->stats());
    } else {
      box_.discard(slot);
    }
  }
  for (std::size_t slot = 0; slot < gateways_.size(); ++slot) {
    if (present[slot] || gateways_[slot].empty()) continue;
    box_.discard(slot);
    changed = true;
    entered_[slot].reset();
    slots_.erase(std::exchange(gateways_[slot], {}));
  }
  return changed;
}

bool FleetEvaluation::take_nodes(const HealthInputs& inputs) {
  bool changed = false;
  for (auto& [id, node] : nodes_) node.present = false;
  for (const HealthInputs::Node& said : inputs.nodes) {
    Node& node = nodes_[said.id];
    node.present = true;
    if (node.addresses == said.addresses) continue;
    node.addresses = said.addresses;
    changed = true;
  }
  changed |= std::erase_if(nodes_, [](const auto& entry) { return !entry.second.present; }) != 0;
  if (!changed) return false;
  // An address that two nodes claim belongs to the one that spoke last.
  std::vector<const HealthInputs::Node*> order;
  for (const HealthInputs::Node& said : inputs.nodes) order.push_back(&said);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto* a, const auto* b) { return a->last_seen < b->last_seen; });
  node_at_.clear();
  for (const HealthInputs::Node* said : order) {
    for (const IpAddr& address : said->addresses) node_at_[address] = said->id;
  }
  return true;
}

void FleetEvaluation::count(const HealthInputs& inputs) {
  voted_.assign(gateways_.size(), 0);
  for (auto& [id, node] : nodes_) node.heard_by.assign(gateways_.size(), 0);
  fleet_.Clear();
  for (auto& [id, service] : box_.services()) {
    const bool backends = count_service(id, service, inputs);
    const bool all_down = count_all_down(id, service, inputs);
    if (!backends && !all_down && service.shown) continue;
    auto shown = std::make_shared<ServiceVerdicts>();
    shown->backends.reserve(service.backends.size());
    for (const BallotBox::Backend& backend : service.backends) shown->backends.push_back(backend.now);
    shown->all_down = service.all_down_at;
    service.shown = std::move(shown);
  }
  fleet_.set_gateways(static_cast<std::uint32_t>(std::count(voted_.begin(), voted_.end(), 1)));
  count_paths();
}

/// True when something about it changed.
bool FleetEvaluation::count_service(const std::string& id, BallotBox::Service& service,
                                    const HealthInputs& inputs) {
  bool changed = false;
  for (BallotBox::Backend& backend : service.backends) {
    const auto at = node_at_.find(backend.address);
    const auto node = at == node_at_.end() ? nodes_.end() : nodes_.find(at->second);
    BackendVerdict now = count_backend(backend, node == nodes_.end() ? nullptr : &node->second);
    if (node != nodes_.end()) now.node = node->first;
    BackendVerdict& former = backend.now;
    now.since = former.since;
    if (now.verdict != former.verdict) {
      now.since = inputs.now;
      // That a backend which was never heard of lives is no news; else a start would be nothing but news.
      if (now.verdict == Verdict::kDead || former.verdict == Verdict::kDead) {
        log(inputs, "backend", id + "/" + now.id, verdict_name(former.verdict), verdict_name(now.verdict),
            now.verdict == Verdict::kDead ? reason_name(now.reason) : "");
      }
    }
    changed |= now.verdict != former.verdict || now.votes != former.votes || now.reason != former.reason ||
               now.node != former.node;
    former = std::move(now);
    tell_fleet(id, former);
  }
  return changed;
}

/// True when the list of gateways changed.
bool FleetEvaluation::count_all_down(const std::string& id, BallotBox::Service& service,
                                     const HealthInputs& inputs) {
  std::vector<std::string> now;
  for (std::size_t slot = 0; slot < service.all_down.size(); ++slot) {
    if (box_.counts(slot, service.all_down[slot])) now.push_back(gateways_[slot]);
  }
  if (now == service.all_down_at) return false;
  if (now.empty() != service.all_down_at.empty()) {
    log(inputs, "service", id, now.empty() ? "all_down" : "alive", now.empty() ? "alive" : "all_down",
        now.empty() ? "" : "at " + joined(now));
  }
  service.all_down_at = std::move(now);
  return true;
}

BackendVerdict FleetEvaluation::count_backend(const BallotBox::Backend& backend, Node* node) {
  BackendVerdict out;
  out.id = backend.now.id;
  std::array<std::uint32_t, 16> against{};
  for (std::size_t slot = 0; slot < backend.cast.size(); ++slot) {
    if (!box_.counts(slot, backend.cast[slot].round)) continue;
    const Ballot& ballot = backend.cast[slot].ballot;
    out.votes.up += ballot.vote == Vote::kUp ? 1 : 0;
    out.votes.down += ballot.vote == Vote::kDown ? 1 : 0;
    out.votes.abstaining += ballot.vote == Vote::kAbstains ? 1 : 0;
    out.votes.doubting += ballot.doubts ? 1 : 0;
    out.votes.following += ballot.follows() ? 1 : 0;
    if (ballot.vote != Vote::kNone) voted_[slot] = 1;
    if (ballot.vote == Vote::kDown) ++against[ballot.reason % against.size()];
    if (node == nullptr || ballot.hearing == Hearing::kUnknown) continue;
    node->heard_by[slot] |= ballot.hearing == Hearing::kHeard ? kHeard : ballot.doubts ? kDoubtful : kUnheard;
  }
  out.verdict = decide(out.votes, backend.now.verdict);
  const auto most = std::max_element(against.begin(), against.end());
  if (*most != 0) out.reason = static_cast<BackendHealth::Reason>(most - against.begin());
  return out;
}

void FleetEvaluation::count_paths() {
  for (auto& [id, node] : nodes_) {
    node.paths = {};
    for (const std::uint8_t heard : node.heard_by) {
      if ((heard & kHeard) != 0) {
        ++node.paths.heard;
      } else if ((heard & kUnheard) != 0) {
        ++node.paths.unheard;
      } else if ((heard & kDoubtful) != 0) {
        ++node.paths.doubting;
      }
    }
  }
}

bool FleetEvaluation::watch_nodes(const HealthInputs& inputs) {
  bool changed = false;
  for (const HealthInputs::Node& said : inputs.nodes) {
    Node& node = nodes_[said.id];
    const bool known = node.watch.since() != Nanoseconds();
    const NodeState former = node.watch.state();
    const bool talked = node.watch.agent_talks();
    const bool news = node.watch.update(said.last_seen, node.paths, inputs.now);
    changed |= news || talked != node.watch.agent_talks();
    if (!news || !known) continue;
    log(inputs, "node", said.id, node_state_name(former), node_state_name(node.watch.state()),
        witnesses(node.watch, node.paths));
  }
  return changed;
}

void FleetEvaluation::tell_fleet(const std::string& service, const BackendVerdict& verdict) {
  const Votes& votes = verdict.votes;
  const bool unsure = votes.down != 0 || votes.doubting != 0 || votes.following != 0;
  const bool matters = verdict.verdict == Verdict::kDead || (verdict.verdict == Verdict::kAlive && unsure);
  if (!matters || fleet_.verdicts_size() >= kMaxFleetVerdicts) return;
  proto::FleetHealth::Verdict& told = *fleet_.add_verdicts();
  told.set_service(service);
  told.set_backend(verdict.id);
  told.set_alive(verdict.verdict == Verdict::kAlive);
}

void FleetEvaluation::log(const HealthInputs& inputs, const char* kind, std::string object, std::string from,
                          std::string to, std::string reason) {
  if (events_.size() == kMaxHealthEvents) events_.pop_front();
  events_.push_back({.unix_ms = inputs.unix_ms,
                     .kind = kind,
                     .object = std::move(object),
                     .from = std::move(from),
                     .to = std::move(to),
                     .reason = std::move(reason)});
  events_changed_ = true;
}

void FleetEvaluation::publish() {
  auto out = std::make_shared<HealthSnapshot>();
  for (const auto& [id, service] : box_.services()) {
    if (service.shown) out->services.emplace_hint(out->services.end(), id, service.shown);
  }
  for (const auto& [id, node] : nodes_) {
    out->nodes.emplace_hint(out->nodes.end(), id,
                            NodeHealth{.state = node.watch.state(),
                                       .since = node.watch.since(),
                                       .agent_talks = node.watch.agent_talks(),
                                       .paths = node.paths});
  }
  const bool same_events = snapshot_ && !std::exchange(events_changed_, false);
  out->events = same_events
                    ? snapshot_->events
                    : std::make_shared<const std::vector<HealthEvent>>(events_.begin(), events_.end());
  out->gateways = fleet_.gateways();
  snapshot_ = std::move(out);
}

}  // namespace penstock
