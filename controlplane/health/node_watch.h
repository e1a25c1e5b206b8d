// Whether a node lives, from two witnesses that fail apart: its agent's stream to the control plane, and the
// gateways whose probes its kernel answers.
//
//   agent \ probes   answered     not answered   nobody says
//   talks            up           path_lost      up
//   silent           agent_lost   dead           unknown
#pragma once

#include <cstdint>

#include "penstock/base/units.h"

namespace penstock {

enum class NodeState : std::uint8_t { kUnknown, kUp, kAgentLost, kPathLost, kDead };

/// "unknown", "up", "agent_lost", "path_lost", "dead"
[[nodiscard]] const char* node_state_name(NodeState state);

/// An agent reports every second; this long after its last message it counts as silent.
inline constexpr Nanoseconds kAgentSilence = Nanoseconds::from_seconds(3);
/// What was lost counts as back after so long without a gap, so that a stream that flaps is one event.
inline constexpr Nanoseconds kSteady = Nanoseconds::from_seconds(2);

/// Gateways by what their probes of a node meet.
struct PathVotes {
  std::uint32_t heard = 0;
  std::uint32_t unheard = 0;
  std::uint32_t doubting = 0;  // hear nothing, and doubt their own links

  bool operator==(const PathVotes&) const = default;
};

/// One node. Time never runs backwards; nothing else is needed of the caller. Pure.
class NodeWatch {
 public:
  /// agent_last: when the latest message of its agent came. True when the state changed.
  bool update(Nanoseconds agent_last, const PathVotes& votes, Nanoseconds now);

  [[nodiscard]] NodeState state() const { return state_; }
  [[nodiscard]] Nanoseconds since() const { return since_; }
  [[nodiscard]] bool agent_talks() const { return talks_; }

 private:
  enum class Path : std::uint8_t { kUnknown, kHeard, kUnheard, kDoubted };

  void hear_agent(Nanoseconds last, Nanoseconds now);
  void hear_gateways(const PathVotes& votes, Nanoseconds now);
  [[nodiscard]] NodeState next() const;

  bool known_ = false;  // update() was called
  bool talks_ = false;
  Nanoseconds agent_began_;  // of the messages without a gap
  Nanoseconds agent_last_;
  Path path_ = Path::kUnknown;
  Path said_ = Path::kUnknown;  // by the votes, before it has held for long enough
  Nanoseconds said_since_;
  Nanoseconds lost_since_;  // the path
  NodeState state_ = NodeState::kUnknown;
  Nanoseconds since_;
};

}  // namespace penstock
