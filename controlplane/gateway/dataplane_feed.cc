#include "controlplane/gateway/dataplane_feed.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "controlplane/gateway/eligible_vips.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
constexpr auto kStatsDeadline = 1000ms;

}  // namespace

DataplaneFeed::DataplaneFeed(DataplaneClient& dataplane, const LastGood& last_good, Outputs outputs)
    : dataplane_(dataplane), last_good_(last_good), outputs_(std::move(outputs)), backoff_(50ms, 1000ms) {
  auto loaded = last_good_.load();
  if (!loaded) {
    spdlog::error("{}", loaded.error().text());
  } else if (*loaded) {
    announce_ = (*loaded)->announce();
    desired_ = std::move(*(*loaded)->mutable_config());
    from_disk_ = true;
    saved_ = std::pair(id_of(*desired_), announce_);
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

ConfigId DataplaneFeed::running() const {
  const std::lock_guard lock(mutex_);
  return running_.value_or(ConfigId{});
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
    const auto woken = [this] { return stopping_ || inbox_ || recheck_; };
    if (last == Outcome::kSettled) {
      wake_.wait(lock, woken);
    } else {
      wake_.wait_for(lock, pause, woken);
    }
    if (stopping_) return;
    // A beat may have been sent before an apply and read after it, so it only makes us ask.
    if (std::exchange(recheck_, false)) running_.reset();
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
  announce_ = directive.announce();
  if (!directive.has_config()) return;
  from_disk_ = refused_ = stuck_ = false;
  answer_due_ = true;
  desired_ = std::move(*directive.mutable_config());
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
  const proto::DataplaneConfig* config = target();
  if (config == nullptr) return Outcome::kSettled;
  if (*running == id_of(*config)) {
    settle(*config);
    return Outcome::kSettled;
  }
  const bool newer_runs = running->epoch == config->epoch() && running->generation > config->generation();
  if (from_disk_ && newer_runs) {
    spdlog::info("the dataplane runs {}, newer than the one on disk; waiting for the control plane",
                 running->text());
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
  set_running(ConfigId{response->running_epoch(), response->running_generation()});
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
  return was_desired ? step() : Outcome::kSettled;
}

void DataplaneFeed::settle(const proto::DataplaneConfig& config) {
  const ConfigId id = id_of(config);
  if (!accepted_ || &config != &*accepted_) accepted_ = config;
  save();
  if (announced_ != std::pair(id, announce_)) {
    announced_ = std::pair(id, announce_);
    outputs_.announce(announce_ ? eligible_vips(*accepted_) : std::set<VipPrefix>{});
  }
  if (refused_ || !std::exchange(answer_due_, false)) return;
  proto::ApplyConfigResponse answer;
  answer.set_accepted(true);
  answer.set_running_epoch(id.epoch);
  answer.set_running_generation(id.generation);
  outputs_.report(answer);
}

void DataplaneFeed::save() {
  const std::pair now(id_of(*accepted_), announce_);
  if (saved_ == now) return;
  proto::GatewayDirective directive;
  *directive.mutable_config() = *accepted_;
  directive.set_announce(announce_);
  auto status = last_good_.save(directive);
  if (!status) {
    spdlog::error("{}; a restart without the control plane would use an older configuration",
                  status.error().text());
    return;
  }
  saved_ = now;
}

}  // namespace penstock
