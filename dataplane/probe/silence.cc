#include "dataplane/probe/silence.h"

#include <algorithm>

namespace penstock {
namespace {

// Messages of one round, under two keys or of many services, are answered within this.
constexpr Nanoseconds kSameRound = Nanoseconds::from_millis(5);

void count_round(AddressSilence& a, bool lost) noexcept {
  a.losses = a.losses << 1 | std::uint32_t{lost};
  if (a.rounds < kLossRounds) ++a.rounds;
}

std::uint16_t next(std::uint16_t n) noexcept {
  return n == UINT16_MAX ? n : static_cast<std::uint16_t>(n + 1);
}

}  // namespace

void LinkDoubt::add(const AddressSilence& a) noexcept {
  expected_ += a.heard && !a.given_up;
  suspects_ += a.is_suspect();
}

void LinkDoubt::subtract(const AddressSilence& a) noexcept {
  expected_ -= a.heard && !a.given_up;
  suspects_ -= a.is_suspect();
}

void LinkDoubt::answered(AddressSilence& a, Nanoseconds now) noexcept {
  if (a.heard && a.lost == 0 && now < a.counted_at + kSameRound) return;
  subtract(a);
  a.heard = true;
  a.given_up = false;
  a.lost = 0;
  a.answered = next(a.answered);
  a.counted_at = now;
  count_round(a, false);
  add(a);
}

void LinkDoubt::lost(AddressSilence& a, Nanoseconds now) noexcept {
  if (!a.heard) return;
  subtract(a);
  if (a.lost == 0) a.silent_since = now;
  a.lost = next(a.lost);
  a.answered = 0;
  count_round(a, true);
  if (!doubts_ && a.is_suspect() && now > a.silent_since + kGivenUpAfter) a.given_up = true;
  add(a);
}

LinkDoubt::Change LinkDoubt::update(Nanoseconds now) noexcept {
  const bool most_silent = expected_ >= kFewest && suspects_ * 2 > expected_;
  if (!doubts_) {
    if (!most_silent) return Change::kNone;
    doubts_ = true;
    began_ = heard_none_at_ = now;
    return Change::kBegan;
  }
  if (suspects_ == expected_) heard_none_at_ = now;
  if (!most_silent && now >= began_ + kShortestDoubt) {
    doubts_ = false;
    return Change::kEnded;
  }
  if (now < heard_none_at_ + kLongestDoubt) return Change::kNone;
  doubts_ = false;
  return Change::kBelieved;
}

void LinkDoubt::forgive(AddressSilence& a) noexcept {
  if (!a.heard || a.given_up) return;
  subtract(a);
  a.lost = 0;
  add(a);
}

void LinkDoubt::give_up(AddressSilence& a) noexcept {
  if (!a.is_suspect()) return;
  subtract(a);
  a.given_up = true;
  add(a);
}

}  // namespace penstock
