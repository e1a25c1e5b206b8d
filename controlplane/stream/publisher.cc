#include "controlplane/stream/publisher.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>
#include <utility>

#include "controlplane/model/wire.h"
#include "controlplane/stream/gateway_directives.h"
#include "controlplane/stream/serialise.h"
#include "controlplane/stream/sync_peers.h"
#include "penstock/base/clock.h"

namespace penstock {
namespace {

// How often words are looked at that may have to be repeated.
constexpr std::chrono::milliseconds kLook{250};

/// Whether a gateway has said, in this session, that it runs this generation. Until then one more directive
/// might replace the configuration before it was looked at.
bool runs(const std::optional<ObservedGateway>& gateway, const DesiredState& state) {
  if (!gateway) return false;
  const auto same = [&](std::uint64_t epoch, std::uint64_t generation) {
    return epoch == state.epoch && generation == state.generation;
  };
  const auto* applied = gateway->applied.get();
  return same(gateway->hello_epoch, gateway->hello_generation) ||
         (gateway->status && same(gateway->status->epoch(), gateway->status->generation())) ||
         (applied != nullptr && same(applied->running_epoch(), applied->running_generation()));
}

/// For a gateway that connected, and runs what this store has not reached.
void warn_of_older_store(const std::optional<ObservedGateway>& gateway, const DesiredState& state) {
  if (!gateway || gateway->hello_epoch != state.epoch || gateway->hello_generation <= state.generation)
    return;
  spdlog::error(
      "gateway {} runs generation {}, but the store is at {}: it was restored from an older copy. The "
      "gateway keeps what it has until the store has passed it",
      gateway->id, gateway->hello_generation, state.generation);
}

/// Whether a gateway has not heard this word, or not for so long that its dataplane would soon forget it.
bool is_due(const FleetWord& word, const Offered& offered) {
  if (word.empty) return offered.fleet != 0 && offered.fleet != word.number;
  return offered.fleet != word.number || monotonic_now() - offered.fleet_at >= Publisher::kFleetRepeat;
}

std::string services_of(proto::NodeDirective directive) {
  directive.clear_generation();
  return directive.SerializeAsString();
}

}  // namespace

Publisher::Publisher(const GatewayTable& gateways, const NodeTable& nodes)
    : gateways_(gateways), nodes_(nodes), thread_([this] { run(); }) {}

Publisher::~Publisher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Publisher::publish(DesiredSnapshot latest) {
  {
    const std::lock_guard lock(mutex_);
    latest_.swap(latest);
    due_ = true;
  }
  changed_.notify_one();
}

void Publisher::tell(std::shared_ptr<const FleetWord> word) {
  {
    const std::lock_guard lock(mutex_);
    word_.swap(word);
    word_due_ = true;
  }
  changed_.notify_one();
}

void Publisher::tell(std::shared_ptr<const WeightWord> word) {
  {
    const std::lock_guard lock(mutex_);
    weights_.swap(word);
    word_due_ = true;
  }
  changed_.notify_one();
}

void Publisher::greet() {
  {
    const std::lock_guard lock(mutex_);
    due_ = true;
  }
  changed_.notify_one();
}

void Publisher::run() {
  const auto woken = [this] { return due_ || word_due_ || stopping_; };
  std::unique_lock lock(mutex_);
  for (;;) {
    if (word_->empty && weights_->version == 0) {
      changed_.wait(lock, woken);
    } else {
      changed_.wait_for(lock, kLook, woken);
    }
    if (stopping_) return;
    const bool for_everybody = std::exchange(due_, false);
    word_due_ = false;
    DesiredSnapshot state = latest_;
    const auto word = word_;
    const auto weights = weights_;
    lock.unlock();
    if (state != nullptr && state->generation != 0) {
      deliver_to_gateways(*state, *word, *weights);
      if (for_everybody) deliver_to_nodes(*state);
    }
    state.reset();
    lock.lock();
  }
}

// A generation goes whole to every gateway. When only orders or peers changed, as when a gateway comes or
// goes, those that have the configuration are spared it. A word on the fleet's health, or weights, never
// bring it: they travel beside the orders that are known, and not at all while something else waits. What
// replaces something that waits brings weights again, for they may have been in that.
void Publisher::deliver_to_gateways(const DesiredState& state, const FleetWord& word,
                                    const WeightWord& weights) {
  GatewayDirectives directives(state, sync_addresses(gateways_.all()));
  for (const auto& session : gateways_.streams()) {
    Offered& offered = session->offered();
    std::string orders = directives.orders_for(session->id());
    const bool newer = offered.generation != state.generation;
    const bool word_due = session->takes_fleet_health() && is_due(word, offered);
    const bool takes_weights = session->takes_weights() && weights.version != 0;
    const bool weights_due = takes_weights && offered.weights != weights.version;
    const bool waiting = session->waiting();
    std::string rest = word_due ? orders + word.bytes : orders;
    if (!newer && orders == offered.rest) {
      if (!(word_due || weights_due) || waiting) continue;
      session->offer(directives.directive(weights_due ? rest + weights.bytes : rest, false));
    } else {
      const auto observed = gateways_.find(session->id());
      if (offered.generation == 0) warn_of_older_store(observed, state);
      const bool with_config = newer || waiting || !runs(observed, state);
      if (weights_due || (takes_weights && waiting)) rest += weights.bytes;
      session->offer(directives.directive(rest, with_config));
      offered.generation = state.generation;
      offered.rest = std::move(orders);
    }
    if (takes_weights) offered.weights = weights.version;
    if (!word_due) continue;
    offered.fleet = word.number;
    offered.fleet_at = monotonic_now();
  }
}

// A node hears of a generation only when it changes what the node has to do: with weights moving every
// second, all others would be 5,000 messages that say nothing new.
void Publisher::deliver_to_nodes(const DesiredState& state) {
  std::optional<NodeIndex> index;
  for (const auto& session : nodes_.streams()) {
    Offered& offered = session->offered();
    if (offered.generation == state.generation) continue;
    if (!index) index.emplace(state);
    const proto::NodeDirective directive = index->directive(session->addresses());
    std::string services = services_of(directive);
    const bool first = offered.generation == 0;
    offered.generation = state.generation;
    if (!first && services == offered.rest) continue;
    offered.rest = std::move(services);
    session->offer(serialise(directive));
  }
}

}  // namespace penstock
