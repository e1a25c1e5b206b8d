#include "controlplane/gateway/upgrade_policy.h"

#include <array>
#include <utility>

namespace penstock {
namespace {

using Phase = UpgradePolicy::Phase;
constexpr std::array<const char*, 7> kNames{"none",       "draining", "restarting", "verifying",
                                            "announcing", "done",     "failed"};

}  // namespace

void UpgradePolicy::resume(const State& state, Nanoseconds now) {
  state_ = state;
  began_ = phase_began_ = ended_ = now;
  if (active()) enter(Phase::kVerifying, now, "penstock-gateway was restarted meanwhile");
}

void UpgradePolicy::begin(std::uint64_t id, Nanoseconds now) {
  state_ = {id, Phase::kNone, {}};
  began_ = now;
  enter(Phase::kDraining, now);
}

void UpgradePolicy::refuse(std::uint64_t id, std::string why, Nanoseconds now) {
  state_ = {id, Phase::kNone, {}};
  began_ = now;
  enter(Phase::kFailed, now, std::move(why));
}

void UpgradePolicy::enter(Phase phase, Nanoseconds now, std::string detail) {
  state_.phase = phase;
  state_.detail = std::move(detail);
  phase_began_ = now;
  if (!active()) ended_ = now;
}

void UpgradePolicy::tick(const UpgradeFacts& facts, Nanoseconds now) {
  using Drain = DrainPolicy::Phase;
  switch (state_.phase) {
    case Phase::kDraining:
      if (facts.drain == Drain::kQuiet ||
          (facts.drain == Drain::kWithdrawn && facts.drain_in_phase >= kLastPackets)) {
        enter(Phase::kRestarting, now);
      }
      break;
    case Phase::kRestarting:
      if (!facts.command) break;
      enter(facts.command->ok ? Phase::kVerifying : Phase::kFailed, now, facts.command->detail);
      break;
    case Phase::kVerifying:
      state_.detail = facts.unfit;
      if (facts.unfit.empty()) {
        enter(Phase::kAnnouncing, now);
      } else if (now - phase_began_ >= kVerifyTime) {
        enter(Phase::kFailed, now, "the restarted dataplane is not fit for traffic: " + facts.unfit);
      }
      break;
    case Phase::kAnnouncing:
      if (facts.announced_as_planned) {
        enter(Phase::kDone, now);
      } else if (now - phase_began_ >= kAnnounceTime) {
        enter(Phase::kFailed, now, "the VIPs could not be announced again");
      }
      break;
    case Phase::kNone:
    case Phase::kDone:
    case Phase::kFailed:
      break;
  }
}

bool UpgradePolicy::active() const {
  return state_.phase != Phase::kNone && state_.phase != Phase::kDone && state_.phase != Phase::kFailed;
}

bool UpgradePolicy::wants_drain() const {
  return state_.phase == Phase::kDraining || state_.phase == Phase::kRestarting ||
         state_.phase == Phase::kVerifying;
}

Nanoseconds UpgradePolicy::elapsed(Nanoseconds now) const { return (active() ? now : ended_) - began_; }

const char* text(UpgradePolicy::Phase phase) { return kNames[static_cast<std::size_t>(phase)]; }

std::optional<UpgradePolicy::Phase> upgrade_phase(const std::string& text) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (text == kNames[i]) return static_cast<Phase>(i);
  }
  return std::nullopt;
}

}  // namespace penstock
