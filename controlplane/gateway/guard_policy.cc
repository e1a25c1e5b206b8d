#include "controlplane/gateway/guard_policy.h"

namespace penstock {
namespace {

constexpr Nanoseconds kNever{~std::uint64_t{0}};

}  // namespace

GuardPolicy::GuardPolicy(const GuardTiming& timing, Nanoseconds now)
    : timing_(timing), silence_ends_(now + timing.start_grace) {}

void GuardPolicy::beat(Nanoseconds when, BeatFacts facts) {
  if (!facts.configured) {
    state_ = State::kDead;
    return;
  }
  // A beat may be read late, after the silence was judged; it then opens a new hold time.
  if (state_ == State::kStarting || state_ == State::kDead) {
    state_ = State::kReturning;
    alive_from_ = when + timing_.hold;
    synced_by_ = when + timing_.sync_grace;
  } else if (state_ == State::kReturning && when >= alive_from_ && (!facts.fetching || when >= synced_by_)) {
    state_ = State::kAlive;
  }
  silence_ends_ = when + timing_.heartbeat_timeout;
  forgiven_ = false;
}

void GuardPolicy::tick(Nanoseconds now) {
  if (state_ == State::kDead || now < silence_ends_) return;
  if (now > silence_ends_ + kOverslept && !forgiven_) {
    forgiven_ = true;
    silence_ends_ = now + timing_.heartbeat_interval;
    return;
  }
  state_ = State::kDead;
}

Nanoseconds GuardPolicy::deadline() const { return state_ == State::kDead ? kNever : silence_ends_; }

const char* text(GuardPolicy::State state) {
  switch (state) {
    case GuardPolicy::State::kStarting:
      return "starting";
    case GuardPolicy::State::kReturning:
      return "returning";
    case GuardPolicy::State::kAlive:
      return "alive";
    case GuardPolicy::State::kDead:
      break;
  }
  return "dead";
}

}  // namespace penstock
