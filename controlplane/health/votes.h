// What one gateway's report says of a backend, as a ballot, and what the fleet makes of all ballots.
#pragma once

#include <cstdint>

#include "penstock/proto/dataplane.pb.h"

namespace penstock {

enum class Verdict : std::uint8_t { kUnknown, kAlive, kDead };

/// "unknown", "alive", "dead"
[[nodiscard]] const char* verdict_name(Verdict verdict);
/// "none", "no_listener" …: a gateway's reason as documents show it.
[[nodiscard]] const char* reason_name(proto::BackendHealth::Reason reason);

enum class Vote : std::uint8_t {
  kNone,  // no opinion of its own
  kUp,
  kDown,
  kAbstains,  // has one that is about something else than life: a hold, a breaker
};

/// Whether a gateway's probes of the backend's host are answered.
enum class Hearing : std::uint8_t { kUnknown, kHeard, kUnheard };

struct Ballot {
  Vote vote = Vote::kNone;
  Hearing hearing = Hearing::kUnknown;
  bool doubts = false;      // the gateway doubts its own link
  std::uint8_t reason = 0;  // proto::BackendHealth::Reason

  /// It follows what the fleet said, so its word is no evidence.
  [[nodiscard]] bool follows() const { return reason == proto::BackendHealth::FLEET; }
};

/// A doubting gateway, one that follows the fleet and one whose operator took the backend out have no vote.
/// A dataplane that sends no BackendHealth votes by its liveness alone.
[[nodiscard]] Ballot ballot_of(const proto::BackendStats& stats);

struct Votes {
  std::uint32_t up = 0;
  std::uint32_t down = 0;
  std::uint32_t abstaining = 0;
  std::uint32_t doubting = 0;
  std::uint32_t following = 0;

  bool operator==(const Votes&) const = default;
};

/// The majority; a tie keeps the former verdict, and so do abstentions alone. Nobody with an opinion:
/// unknown.
[[nodiscard]] Verdict decide(const Votes& votes, Verdict former);

}  // namespace penstock
