#include "bpf/agent/checks/check_state.h"

#include <algorithm>

namespace penstock {

void CheckState::decide(CheckVerdict verdict, Nanoseconds now) {
  verdict_ = verdict;
  since_ = now;
  in_a_row_ = 0;
}

void CheckState::fall(Nanoseconds now) {
  const Nanoseconds memory = hold_until_ + Nanoseconds::from_millis(rules_.max_hold_ms);
  const bool again = hold_until_ != Nanoseconds() && now <= memory;
  hold_ms_ = again ? std::min<std::uint64_t>(hold_ms_ * 2, rules_.max_hold_ms) : rules_.hold_ms;
  hold_until_ = now + Nanoseconds::from_millis(hold_ms_);
  decide(CheckVerdict::kFailing, now);
}

bool CheckState::passed(Nanoseconds now) {
  if (verdict_ == CheckVerdict::kPassing) {
    in_a_row_ = 0;
    return false;
  }
  if (verdict_ == CheckVerdict::kFailing) {
    in_a_row_ = std::min(in_a_row_ + 1, rules_.rise);
    if (in_a_row_ < rules_.rise || now < hold_until_) return false;
  }
  decide(CheckVerdict::kPassing, now);
  return true;
}

bool CheckState::failed(Nanoseconds now) {
  switch (verdict_) {
    case CheckVerdict::kFailing:
      in_a_row_ = 0;
      return false;
    case CheckVerdict::kUnchecked:
      decide(CheckVerdict::kFailing, now);
      return true;
    case CheckVerdict::kPassing:
      if (++in_a_row_ < rules_.fall) return false;
      fall(now);
      return true;
  }
  return false;
}

bool CheckState::damped() const { return verdict_ == CheckVerdict::kFailing && in_a_row_ >= rules_.rise; }

}  // namespace penstock
