#include "controlplane/gateway/dataplane_feed.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "controlplane/gateway/eligible_vips.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
constexpr auto kStatsDeadline = 1000ms;

ConfigId id_of_running(const proto::ApplyConfigResponse& response) {
  return {response.running_epoch(), response.running_generation()};
}

}  // namespace

DataplaneFeed::DataplaneFeed(DataplaneClient& dataplane, const LastGood& last_good, Outputs outputs)
    : dataplane_(dataplane), last_good_(last_good), outputs_(std::move(outputs)), backoff_(50ms, 1000ms) {
  auto loaded = last_good_.load();
  if (!loaded) {
    spdlog::error("{}", loaded.error().text());
  } else if (*loaded) {
    desired_ = std::move(*(*loaded)->mutable_config());
    (*loaded)->clear_config();
    orders_ = std::move(**loaded);
    peers_ = {orders_->peers().begin(), orders_->peers().end()};
    peers_due_ = from_disk_ = true;
    saved_ = Settled(id_of(*desired_), orders_->SerializeAsString());
    spdlog::info("last good configuration on disk: {}", id_of(*desired_).text());
  }
  thread_ = std::thread([this] { run(); });
}

DataplaneFeed::~DataplaneFeed() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  dataplane_.cancel();
  thread_.join();
}

void DataplaneFeed::submit(proto::GatewayDirective directive) {
  {
    const std::lock_guard lock(mutex_);
    if (inbox_ && inbox_->has_config() && !directive.has_config()) {
      directive.mutable_config()->Swap(inbox_->mutable_config());
    }
    peers_ = {directive.peers().begin(), directive.peers().end()};
    inbox_ = std::move(directive);
  }
  wake_.notify_one();
}

void DataplaneFeed::observe(ConfigId running) {
  {
    const std::lock_guard lock(mutex_);
    if (running_ && *running_ == running) return;
    recheck_ = true;
  }
  wake_.notify_one();
}

void DataplaneFeed::reconnected() {
  {
    const std::lock_guard lock(mutex_);
    reconnected_ = true;
  }
  wake_.notify_one();
}

ConfigId DataplaneFeed::running() const {
  const std::lock_guard lock(mutex_);
  return running_.value_or(ConfigId{});
}

std::vector<proto::SyncPeer> DataplaneFeed::peers() const {
  const std::lock_guard lock(mutex_);
  return peers_;
}

void DataplaneFeed::set_running(std::optional<ConfigId> running) {
  const std::lock_guard lock(mutex_);
  running_ = running;
}

void DataplaneFeed::run() {
  Outcome last = desired_ ? Outcome::kTryAgain : Outcome::kSettled;
  auto pause = 0ms;
  for (;;) {
    std::unique_lock lock(mutex_);
    const auto woken = [this] { return stopping_ || inbox_ || recheck_ || reconnected_; };
    if (last == Outcome::kSettled) {
      wake_.wait(lock, woken);
    } else {
      wake_.wait_for(lock, pause, woken);
    }
    if (stopping_) return;
    // A beat may have been sent before an apply and read after it, so it only makes us ask.
    if (std::exchange(recheck_, false)) running_.reset();
    if (std::exchange(reconnected_, false)) peers_due_ = true;
    auto directive = std::exchange(inbox_, std::nullopt);
    lock.unlock();
    if (directive) take(std::move(*directive));
    last = step();
    if (last == Outcome::kSettled) {
      backoff_.reset();
    } else {
      pause = backoff_.next();
    }
  }
}

void DataplaneFeed::take(proto::GatewayDirective directive) {
  if (directive.has_config()) {
    from_disk_ = refused_ = stuck_ = false;
    answer_due_ = true;
    desired_ = std::move(*directive.mutable_config());
  }
  directive.clear_config();
  const auto peers = [](const proto::GatewayDirective& of) {
    proto::SetPeersRequest request;
    *request.mutable_peers() = of.peers();
    return request.SerializeAsString();
  };
  peers_due_ |= !orders_ || peers(*orders_) != peers(directive);
  orders_ = std::move(directive);
}

/// False: try again. A refusal is final, until the peers change or the dataplane restarts.
bool DataplaneFeed::push_peers() {
  if (!peers_due_ || !orders_) return true;
  auto response = dataplane_.set_peers(orders_->peers());
  if (!response) {
    if (std::exchange(reachable_, false)) spdlog::warn("{}", response.error().text());
    return false;
  }
  peers_due_ = false;
  for (const proto::Refusal& refusal : response->refusals()) {
    spdlog::error("peers refused by the dataplane: {}: {}", refusal.field(), refusal.message());
  }
  return true;
}

const proto::DataplaneConfig* DataplaneFeed::target() const {
  if (desired_ && !refused_) return &*desired_;
  return accepted_ && !stuck_ ? &*accepted_ : nullptr;
}

DataplaneFeed::Outcome DataplaneFeed::step() {
  std::optional<ConfigId> running;
  {
    const std::lock_guard lock(mutex_);
    running = running_;
  }
  if (!running) {
    auto stats = dataplane_.stats(kStatsDeadline);
    if (!stats) {
      if (std::exchange(reachable_, false)) spdlog::warn("{}", stats.error().text());
      return Outcome::kTryAgain;
    }
    if (!std::exchange(reachable_, true)) spdlog::info("the dataplane answers again");
    running = id_of(*stats);
    set_running(running);
    // A restarted dataplane may be another version, which accepts what its predecessor refused.
    if (running->none()) refused_ = stuck_ = false;
  }
  // Peers first: a dataplane that is to know their flows must not seem ready before it has heard of them.
  const bool peers_known = push_peers();
  const Outcome config = follow_config(*running);
  return peers_known ? config : Outcome::kTryAgain;
}

DataplaneFeed::Outcome DataplaneFeed::follow_config(ConfigId running) {
  const proto::DataplaneConfig* config = target();
  if (config == nullptr) return Outcome::kSettled;
  if (running == id_of(*config)) {
    settle(*config);
    return Outcome::kSettled;
  }
  const bool newer_runs = running.epoch == config->epoch() && running.generation > config->generation();
  if (from_disk_ && newer_runs) {
    spdlog::info("the dataplane runs {}, newer than the one on disk; waiting for the control plane",
                 running.text());
    return Outcome::kSettled;
  }
  return apply(*config);
}

DataplaneFeed::Outcome DataplaneFeed::apply(const proto::DataplaneConfig& config) {
  auto response = dataplane_.apply(config);
  if (!response) {
    if (std::exchange(reachable_, false)) spdlog::warn("{}", response.error().text());
    set_running(std::nullopt);
    return Outcome::kTryAgain;
  }
  set_running(id_of_running(*response));
  if (response->accepted()) {
    spdlog::info("{} applied, {} services", id_of(config).text(), config.services_size());
    settle(config);
    return Outcome::kSettled;
  }
  for (const proto::Refusal& refusal : response->refusals()) {
    spdlog::error("{} refused by the dataplane: {}: {}", id_of(config).text(), refusal.field(),
                  refusal.message());
  }
  const bool was_desired = desired_ && &config == &*desired_;
  (was_desired ? refused_ : stuck_) = true;
  if (was_desired && std::exchange(answer_due_, false)) outputs_.report(*response);
  return was_desired ? follow_config(id_of_running(*response)) : Outcome::kSettled;
}

void DataplaneFeed::settle(const proto::DataplaneConfig& config) {
  const ConfigId id = id_of(config);
  // By its id: weights bring a directive ten times a second, and a copy may have 100,000 backends.
  if (!accepted_ || id_of(*accepted_) != id) accepted_ = config;
  save();
  if (Settled now(id, orders_->SerializeAsString()); told_ != now) {
    told_ = std::move(now);
    outputs_.settled(eligible_vips(*accepted_), *orders_, id);
  }
  if (refused_ || !std::exchange(answer_due_, false)) return;
  proto::ApplyConfigResponse answer;
  answer.set_accepted(true);
  answer.set_running_epoch(id.epoch);
  answer.set_running_generation(id.generation);
  outputs_.report(answer);
}

void DataplaneFeed::save() {
  Settled now(id_of(*accepted_), orders_->SerializeAsString());
  if (saved_ == now) return;
  proto::GatewayDirective directive = *orders_;
  *directive.mutable_config() = *accepted_;
  auto status = last_good_.save(directive);
  if (!status) {
    spdlog::error("{}; a restart without the control plane would use an older configuration",
                  status.error().text());
    return;
  }
  saved_ = std::move(now);
}

}  // namespace penstock
