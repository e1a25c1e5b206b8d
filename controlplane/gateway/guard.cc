#include "controlplane/gateway/guard.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "controlplane/gateway/realtime.h"
#include "penstock/base/clock.h"

namespace penstock {
namespace {

// How often the kernel's routes are compared although nothing happened: somebody may have deleted one.
constexpr Nanoseconds kReconcile = Nanoseconds::from_millis(1000);
constexpr Nanoseconds kRetry = Nanoseconds::from_millis(100);
constexpr std::size_t kMaxEvents = 100;

// CLOCK_MONOTONIC is what steady_clock reads too.
std::chrono::steady_clock::time_point at(Nanoseconds t) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(t.count()));
}

}  // namespace

Guard::Guard(const GuardTiming& timing, std::unique_ptr<VipRoutes> routes, OnAnnounced on_announced)
    : on_announced_(std::move(on_announced)), routes_(std::move(routes)), policy_(timing, monotonic_now()) {
  if (auto adopted = routes_->announced()) snapshot_.announced = std::move(*adopted);
  thread_ = std::thread([this] { run(); });
}

Guard::~Guard() { stop(Leave::kRoutes); }

void Guard::on_beat(Nanoseconds when, BeatFacts facts) {
  {
    const std::lock_guard lock(mutex_);
    beat_ = Beat{when, facts};
  }
  wake_.notify_one();
}

void Guard::on_gone() {
  {
    const std::lock_guard lock(mutex_);
    beat_.reset();
    gone_ = true;
  }
  wake_.notify_one();
}

void Guard::set_wanted(Announcements vips) {
  {
    const std::lock_guard lock(mutex_);
    wanted_changed_ |= !wanted_ || *wanted_ != vips;
    wanted_ = std::move(vips);
  }
  wake_.notify_one();
}

Guard::Snapshot Guard::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

std::vector<Guard::Event> Guard::take_events() {
  const std::lock_guard lock(mutex_);
  return std::exchange(events_, {});
}

void Guard::stop(Leave leave) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) stopping_ = leave;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Guard::say(bool error, std::string sentence) {
  const std::lock_guard lock(mutex_);
  if (events_.size() < kMaxEvents) events_.push_back({error, std::move(sentence)});
}

void Guard::run() {
  prefer_this_thread("guard");
  Nanoseconds next_reconcile = monotonic_now() + kReconcile;
  for (;;) {
    std::unique_lock lock(mutex_);
    const auto due = at(std::min(policy_.deadline(), next_reconcile));
    wake_.wait_until(lock, due, [this] { return beat_ || gone_ || wanted_changed_ || stopping_; });
    const auto beat = std::exchange(beat_, std::nullopt);
    const bool gone = std::exchange(gone_, false);
    const bool changed = std::exchange(wanted_changed_, false);
    const auto stopping = stopping_;
    lock.unlock();

    if (stopping) {
      if (*stopping == Leave::kNothing) reconcile(true);
      return;
    }
    const auto before = policy_.state();
    if (gone) policy_.gone();
    if (beat) policy_.beat(beat->when, beat->facts);
    const Nanoseconds now = monotonic_now();
    policy_.tick(now);
    const auto state = policy_.state();
    if (state != before || changed || now >= next_reconcile) {
      if (state == GuardPolicy::State::kDead || state == GuardPolicy::State::kAlive) {
        reconcile(state == GuardPolicy::State::kDead);
      }
      next_reconcile = monotonic_now() + (last_error_.empty() ? kReconcile : kRetry);
    }
    if (state != before) say(false, std::string("dataplane ") + text(state) + ", was " + text(before));
    lock.lock();
    snapshot_.state = state;
    snapshot_.beating = policy_.beating();
  }
}

void Guard::reconcile(bool withdraw) {
  Announcements target;
  if (!withdraw) {
    const std::lock_guard lock(mutex_);
    if (!wanted_) return;
    target = *wanted_;
  }
  auto change = routes_->set(target);
  std::string error = change ? std::string() : change.error().text();
  if (!error.empty()) {
    if (auto present = routes_->announced()) target = std::move(*present);
    if (error != last_error_) say(true, error);
  } else if (change->added + change->deleted > 0) {
    say(false, "VIP routes: " + std::to_string(change->added) + " added, " + std::to_string(change->deleted) +
                   " deleted, " + std::to_string(target.size()) + " announced");
  }
  last_error_ = std::move(error);
  on_announced_(target);
  const std::lock_guard lock(mutex_);
  snapshot_.announced = std::move(target);
}

}  // namespace penstock
