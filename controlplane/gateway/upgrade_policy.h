// The restart of the dataplane that the control plane asks for, step by step: the state machine without
// clock, thread, command or disk. Each id is carried out once, whatever becomes of it.
//
//   draining ──► restarting ──► verifying ──► announcing ──► done
//      │ quiet, or no longer     │ command      │ all of it     │ the routes say
//      │ worth waiting for       │ succeeded    │ holds         │ what is planned
//      └────────────┴────────────┴──────► failed (detail says why)
//
// From draining to verifying the gateway is drained; afterwards it is announced as the policy says, also when
// the upgrade failed: whether the dataplane is fit for that is the guard's to judge. Not thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "controlplane/gateway/drain_policy.h"
#include "penstock/base/units.h"

namespace penstock {

/// What tick() has to know of the world.
struct UpgradeFacts {
  struct CommandEnd {
    bool ok = false;
    std::string detail;
  };
  DrainPolicy::Phase drain = DrainPolicy::Phase::kNone;
  Nanoseconds drain_in_phase{0};
  std::optional<CommandEnd> command;  // set once the restart command has ended
  /// What is still missing for the dataplane to take traffic; empty: nothing.
  std::string unfit;
  /// The kernel's routes say what is planned.
  bool announced_as_planned = false;
};

class UpgradePolicy {
 public:
  enum class Phase { kNone, kDraining, kRestarting, kVerifying, kAnnouncing, kDone, kFailed };

  /// Where an upgrade stands, as it is reported and kept on disk.
  struct State {
    std::uint64_t id = 0;
    Phase phase = Phase::kNone;
    std::string detail;

    bool operator==(const State&) const = default;
  };

  /// From what an earlier process left: one that had begun to restart goes on with verifying.
  void resume(const State& state, Nanoseconds now);

  /// Begins with draining. The caller has made sure that this id is new.
  void begin(std::uint64_t id, Nanoseconds now);
  /// Counts as carried out without a beginning.
  void refuse(std::uint64_t id, std::string why, Nanoseconds now);

  void tick(const UpgradeFacts& facts, Nanoseconds now);

  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] bool active() const;
  /// While true, the gateway drains and stays withdrawn.
  [[nodiscard]] bool wants_drain() const;
  [[nodiscard]] Nanoseconds elapsed(Nanoseconds now) const;

  // A router that still sends although nothing is announced is waited for only so long.
  static constexpr Nanoseconds kLastPackets = Nanoseconds::from_millis(3000);
  static constexpr Nanoseconds kVerifyTime = Nanoseconds::from_millis(30'000);
  static constexpr Nanoseconds kAnnounceTime = Nanoseconds::from_millis(10'000);

 private:
  void enter(Phase phase, Nanoseconds now, std::string detail = {});

  State state_;
  Nanoseconds began_{0};
  Nanoseconds phase_began_{0};
  Nanoseconds ended_{0};
};

const char* text(UpgradePolicy::Phase phase);
std::optional<UpgradePolicy::Phase> upgrade_phase(const std::string& text);

}  // namespace penstock
