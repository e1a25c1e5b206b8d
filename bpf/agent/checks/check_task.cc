#include "bpf/agent/checks/check_task.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "penstock/base/clock.h"

namespace penstock {
namespace {

using boost::system::error_code;
using std::chrono::milliseconds;

constexpr milliseconds kLongestFirstWait{1000};
constexpr std::size_t kMaxDetail = 200;

/// Peers and scripts write into it, and protobuf takes nothing but UTF-8.
std::string printable(std::string text) {
  if (text.size() > kMaxDetail) text.resize(kMaxDetail);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace

CheckTask::CheckTask(boost::asio::io_context& io, CheckTaskOwner& owner, std::minstd_rand& random,
                     CheckedService of, CheckSpec spec)
    : owner_(owner),
      random_(random),
      of_(std::move(of)),
      spec_(std::move(spec)),
      state_({spec_.rise, spec_.fall, spec_.hold_ms, spec_.max_hold_ms}),
      next_(io),
      limit_(io) {
  result_.name = spec_.name;
  result_.detail = spec_.problem;
}

void CheckTask::begin() {
  if (spec_.kind == CheckKind::kUnsupported) return;
  const auto most = std::min(milliseconds(spec_.interval_ms), kLongestFirstWait).count();
  arm(Clock::now() + milliseconds(std::uniform_int_distribution<std::int64_t>(0, most)(random_)));
}

void CheckTask::drop() {
  dropped_ = true;
  ++armed_;
  next_.cancel();
  limit_.cancel();
  if (run_) run_->cancel();
}

/// The interval, shortened at random by up to a tenth.
CheckTask::Clock::duration CheckTask::rhythm() {
  const std::int64_t most_us = std::int64_t{spec_.interval_ms} * 1000;
  return std::chrono::microseconds(std::uniform_int_distribution(most_us - most_us / 10, most_us)(random_));
}

void CheckTask::arm(Clock::time_point when) {
  next_.expires_at(when);
  next_.async_wait([self = shared_from_this(), number = ++armed_](error_code) {
    if (number == self->armed_) self->due();
  });
}

void CheckTask::due() {
  if (!run_) return owner_.request_place(shared_from_this());
  if (overdue_) record({false, "the run before does not end"});
  overdue_ = true;
  arm(Clock::now() + rhythm());
}

void CheckTask::run() {
  started_ = Clock::now();
  judged_ = false;
  limit_.expires_at(started_ + milliseconds(spec_.timeout_ms));
  limit_.async_wait([self = shared_from_this(), number = ++number_](error_code) {
    if (number == self->number_) self->expire();
  });
  run_ = owner_.start_run(spec_,
                          [self = shared_from_this()](const CheckOutcome& outcome) { self->end(outcome); });
}

void CheckTask::expire() {
  if (!run_ || judged_ || dropped_) return;
  judged_ = true;
  record({false, "no answer within " + std::to_string(spec_.timeout_ms) + " ms"});
  arm(std::max(Clock::now(), started_ + rhythm()));
  run_->cancel();
}

void CheckTask::end(const CheckOutcome& outcome) {
  run_.reset();
  limit_.cancel();
  owner_.leave_place(*this);
  if (dropped_) return;
  if (!judged_) {
    record(outcome);
    arm(std::max(Clock::now(), started_ + rhythm()));
  }
  if (std::exchange(overdue_, false)) arm(Clock::now());
}

void CheckTask::record(const CheckOutcome& outcome) {
  const Nanoseconds now = monotonic_now();
  if (outcome.passed) {
    state_.passed(now);
  } else {
    state_.failed(now);
    ++result_.failures;
  }
  ++result_.runs;
  result_.verdict = state_.verdict();
  result_.detail = printable(outcome.detail);
  result_.since = state_.since();
  result_.ended = now;
  result_.duration = Nanoseconds(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - started_).count()));
  result_.damped = state_.damped();
  owner_.publish(*this);
}

}  // namespace penstock
