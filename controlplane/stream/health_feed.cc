#include "controlplane/stream/health_feed.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "penstock/base/clock.h"

namespace penstock {
namespace {

constexpr std::chrono::milliseconds kInterval{250};

std::uint64_t unix_milliseconds() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

}  // namespace

HealthFeed::HealthFeed(const GatewayTable& gateways, const NodeTable& nodes, Publisher& publisher)
    : gateways_(gateways),
      nodes_(nodes),
      publisher_(publisher),
      told_(std::make_shared<FleetWord>()),
      snapshot_(evaluation_.snapshot()),
      thread_([this] { run(); }) {}

HealthFeed::~HealthFeed() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void HealthFeed::follow(DesiredSnapshot state) {
  const std::lock_guard lock(mutex_);
  state_.swap(state);
}

std::shared_ptr<const HealthSnapshot> HealthFeed::now() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

void HealthFeed::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    DesiredSnapshot state = state_;
    lock.unlock();
    const auto began = std::chrono::steady_clock::now();
    evaluation_.step(observed(std::move(state)));
    tell();
    const auto took = std::chrono::steady_clock::now() - began;
    auto snapshot = evaluation_.snapshot();
    lock.lock();
    snapshot_.swap(snapshot);
    if (snapshot.use_count() == 1) {
      lock.unlock();
      snapshot.reset();  // may be large: not under the lock
      lock.lock();
    }
    // Half of a CPU at most, however large the site: the next look finds more news at once.
    wake_.wait_for(lock, std::max<std::chrono::nanoseconds>(kInterval, took), [this] { return stopping_; });
  }
}

HealthInputs HealthFeed::observed(DesiredSnapshot state) const {
  HealthInputs out;
  out.state = std::move(state);
  for (ObservedGateway& gateway : gateways_.all()) {
    out.gateways.push_back(
        {std::move(gateway.id), gateway.connected, gateway.status_at, std::move(gateway.status)});
  }
  for (ObservedNode& node : nodes_.all()) {
    out.nodes.push_back({std::move(node.id), node.last_seen, std::move(node.addresses)});
  }
  out.now = monotonic_now();
  out.unix_ms = unix_milliseconds();
  return out;
}

void HealthFeed::tell() {
  proto::GatewayDirective directive;
  *directive.mutable_fleet() = evaluation_.fleet();
  const bool empty = directive.fleet().verdicts().empty();
  // A word without verdicts is the same word whoever votes.
  if (empty) directive.mutable_fleet()->Clear();
  std::string bytes = directive.SerializeAsString();
  if (bytes == told_->bytes || (empty && told_->number == 0)) return;
  auto word = std::make_shared<FleetWord>();
  word->number = told_->number + 1;
  word->empty = empty;
  word->bytes = std::move(bytes);
  if (directive.fleet().verdicts_size() == kMaxFleetVerdicts) {
    spdlog::warn("more than {} backends are dead or in doubt; gateways are told of the first of them only",
                 kMaxFleetVerdicts);
  }
  told_ = word;
  publisher_.tell(std::move(word));
}

}  // namespace penstock
