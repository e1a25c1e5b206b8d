#include "controlplane/stream/publisher.h"

#include <spdlog/spdlog.h>

#include <optional>
#include <utility>

#include "controlplane/model/wire.h"
#include "controlplane/stream/gateway_directives.h"
#include "controlplane/stream/serialise.h"
#include "controlplane/stream/sync_peers.h"

namespace penstock {
namespace {

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

void Publisher::greet() {
  {
    const std::lock_guard lock(mutex_);
    due_ = true;
  }
  changed_.notify_one();
}

void Publisher::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return due_ || stopping_; });
    if (stopping_) return;
    due_ = false;
    DesiredSnapshot state = latest_;
    lock.unlock();
    if (state != nullptr && state->generation != 0) deliver(*state);
    state.reset();
    lock.lock();
  }
}

void Publisher::deliver(const DesiredState& state) {
  deliver_to_gateways(state);
  deliver_to_nodes(state);
}

// A generation goes whole to every gateway. When only orders or peers changed, as when a gateway comes or
// goes, those that have the configuration are spared it.
void Publisher::deliver_to_gateways(const DesiredState& state) {
  GatewayDirectives directives(state, sync_addresses(gateways_.all()));
  for (const auto& session : gateways_.streams()) {
    Offered& offered = session->offered();
    std::string orders = directives.orders_for(session->id());
    const bool newer = offered.generation != state.generation;
    if (!newer && orders == offered.rest) continue;
    const auto observed = gateways_.find(session->id());
    if (offered.generation == 0) warn_of_older_store(observed, state);
    const bool with_config = newer || session->waiting() || !runs(observed, state);
    session->offer(directives.directive(orders, with_config));
    offered = {state.generation, std::move(orders)};
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
