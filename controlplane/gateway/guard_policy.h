// When the VIPs of this host may be announced: the state machine of the guard, without clock, thread or
// kernel.
//
//             beat            hold time of timely beats, and the peers' flows known
//   starting ─────► returning ───────────────────────────────► alive
//      │                │  ▲                                     │
//      │ start grace    │  │ beat                                │ no beat in time, a beat that says that
//      ▼                ▼  │                                     ▼ nothing is configured, or nobody there
//     dead ◄───────────────┴─────────────────────────────────────┘
//
// A dataplane that fetches its peers' flows is not announced before it has them, at most `sync_grace` long.
// starting and returning leave the routes as they are: a restarted gateway must not interrupt a dataplane
// that has been forwarding all along. dead has none. Not thread safe.
#pragma once

#include "penstock/base/units.h"

namespace penstock {

struct GuardTiming {
  Nanoseconds heartbeat_interval = Nanoseconds::from_millis(20);
  Nanoseconds heartbeat_timeout = Nanoseconds::from_millis(100);
  Nanoseconds hold = Nanoseconds::from_millis(200);
  Nanoseconds start_grace = Nanoseconds::from_millis(1000);
  Nanoseconds sync_grace = Nanoseconds::from_millis(5000);
};

/// What a beat says.
struct BeatFacts {
  bool configured = false;  // the dataplane runs some configuration
  bool fetching = false;    // and still learns the flows of its peers
};

class GuardPolicy {
 public:
  enum class State { kStarting, kReturning, kAlive, kDead };

  GuardPolicy(const GuardTiming& timing, Nanoseconds now);

  void beat(Nanoseconds when, BeatFacts facts);

  /// Nobody listens at the dataplane's socket: no beat can come any more.
  void gone() { state_ = State::kDead; }

  /// Judges the time that has passed. Due at deadline(); a caller that comes more than kOverslept after it
  /// was itself not running, and so perhaps was the reader of the beats: that is forgiven once, for one
  /// interval.
  void tick(Nanoseconds now);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool beating() const { return state_ == State::kAlive || state_ == State::kReturning; }
  /// The next moment at which tick() may change the state. Far away while dead.
  [[nodiscard]] Nanoseconds deadline() const;

  static constexpr Nanoseconds kOverslept = Nanoseconds::from_millis(10);

 private:
  GuardTiming timing_;
  State state_ = State::kStarting;
  Nanoseconds silence_ends_;   // dead when reached without a beat
  Nanoseconds alive_from_{0};  // end of the hold time, while returning
  Nanoseconds synced_by_{0};   // end of the patience with a dataplane that fetches, while returning
  bool forgiven_ = false;      // since the last beat
};

const char* text(GuardPolicy::State state);

}  // namespace penstock
