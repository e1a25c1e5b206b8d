#include "controlplane/gateway/weight_relay.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

namespace penstock {
namespace {

using namespace std::chrono_literals;

ConfigId base_of(const proto::UpdateWeightsRequest& word) { return {word.epoch(), word.base_generation()}; }

ConfigId running_in(const proto::ApplyConfigResponse& response) {
  return {response.running_epoch(), response.running_generation()};
}

bool is_older(const proto::UpdateWeightsRequest& word, const proto::UpdateWeightsRequest& than) {
  if (word.epoch() != than.epoch()) return false;
  if (word.base_generation() != than.base_generation())
    return word.base_generation() < than.base_generation();
  return word.version() < than.version();
}

}  // namespace

WeightRelay::WeightRelay(DataplaneClient& dataplane)
    : dataplane_(dataplane), backoff_(50ms, 1000ms), thread_([this] { run(); }) {}

WeightRelay::~WeightRelay() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  dataplane_.cancel();
  thread_.join();
}

void WeightRelay::submit(proto::UpdateWeightsRequest word) {
  {
    const std::lock_guard lock(mutex_);
    if (word_ && is_older(word, *word_)) {
      ++counts_.late;
      return;
    }
    word_ = std::move(word);
    settled_ = false;
  }
  wake_.notify_one();
}

void WeightRelay::observe(ConfigId running) {
  {
    const std::lock_guard lock(mutex_);
    if (running_ == running) return;
    running_ = running;
    settled_ = false;
  }
  wake_.notify_one();
}

void WeightRelay::reconnected() {
  const std::lock_guard lock(mutex_);
  running_ = {};  // until its first beat
}

std::vector<std::string> WeightRelay::services() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  if (!word_) return out;
  for (const proto::ServiceWeights& service : word_->services()) out.push_back(service.service());
  return out;
}

WeightRelay::Counts WeightRelay::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

bool WeightRelay::is_due() const { return word_ && !settled_ && running_ == base_of(*word_); }

void WeightRelay::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || is_due(); });
    if (stopping_) return;
    // Whatever changes during the call clears it again.
    settled_ = true;
    const proto::UpdateWeightsRequest word = *word_;
    lock.unlock();
    const Outcome outcome = lay(word);
    lock.lock();
    if (outcome == Outcome::kSettled) {
      backoff_.reset();
      continue;
    }
    settled_ = false;
    wake_.wait_for(lock, backoff_.next(), [this] { return stopping_; });
  }
}

WeightRelay::Outcome WeightRelay::lay(const proto::UpdateWeightsRequest& word) {
  const auto response = dataplane_.update_weights(word);
  const bool too_old = !response && response.error().code == ErrorCode::kFailedPrecondition;
  if (!response && !too_old) {
    if (const std::lock_guard lock(mutex_); stopping_) return Outcome::kSettled;
    complain(response.error().text());
    return Outcome::kTryAgain;
  }
  const bool taken = response && response->accepted();
  // Another configuration has come to run meanwhile; its beats will say so.
  if (response && !taken && running_in(*response) != base_of(word)) return Outcome::kSettled;
  {
    const std::lock_guard lock(mutex_);
    ++(taken ? counts_.taken : counts_.refused);
  }
  if (taken) {
    if (!std::exchange(complaint_, {}).empty()) spdlog::info("the dataplane takes weights again");
  } else if (too_old) {
    complain(response.error().text());
  } else {
    complain(response->refusals().empty()
                 ? "refused without a reason"
                 : response->refusals(0).field() + ": " + response->refusals(0).message());
  }
  return Outcome::kSettled;
}

void WeightRelay::complain(const std::string& why) {
  if (why == complaint_) return;
  complaint_ = why;
  spdlog::warn("weights of the control plane do not reach the dataplane: {}", why);
}

}  // namespace penstock
