// Who is asked when, which answers are believed, and what silence means. No socket and no clock of its own:
// the prober (or a test) says what time it is, sends what it is given, and hands in what arrives.
//
// Theory of operation: every address is asked once an interval, the addresses evenly spread over it; what one
// address is asked at a time is a round: a message for every eight services, and in doubt the same under the
// old key or in the old version. After a pause of the caller all that follows is later by the pause, so that
// nothing is caught up in a burst.
//
// Silence. judge() is told until when this gateway is known to have heard everything. A message is lost when
// nothing had answered it `patience` after it left; so neither a message that never left, nor a worker or a
// prober that stood still, makes anybody look dead. A round is lost when none of its messages was answered
// and at least one was lost.
//
// Nonces are 40 bits of the process and 24 that count; a message is remembered until it has been answered, or
// for four intervals.
//
// One thread, but for counters().
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/probe/probe_counters.h"
#include "dataplane/probe/probe_plan.h"
#include "dataplane/probe/probe_questions.h"
#include "dataplane/probe/probe_sink.h"
#include "dataplane/probe/probe_wire.h"
#include "penstock/base/units.h"

namespace penstock {

inline constexpr unsigned kReplyIntervals = 4;  // a reply that is later is stale
inline constexpr Nanoseconds kOldKeyLife = Nanoseconds::from_seconds(60);
inline constexpr unsigned kRoundsPerOtherVersion = 8;
inline constexpr unsigned kLostRoundsToForgetVersion = 20;

struct ProbeRoundsSettings {
  Nanoseconds interval;
  Nanoseconds patience;          // from a message's departure to its loss
  std::uint64_t process = 0;     // of nonces: the lower 40 bits, random, new in every process
  Nanoseconds unix_minus_now{};  // added to monotonic time it yields the time since 1970
};

class ProbeRounds {
 public:
  /// `message` names what is sent, for transmitted() and not_transmitted(). False: it cannot be sent.
  using Send =
      std::function<bool(std::size_t address, std::uint64_t message, std::span<const std::uint8_t> datagram)>;

  ProbeRounds(const ProbeRoundsSettings& settings, ProbeSink& sink);

  void follow(ProbePlan plan, Nanoseconds now);

  /// When send_due() has something to do; nothing while there is nobody to ask.
  [[nodiscard]] std::optional<Nanoseconds> next_due() const;
  void send_due(Nanoseconds now, const Send& send);
  /// What was sent left at that time, or did not. Each once, in any order.
  void transmitted(std::uint64_t message, Nanoseconds at);
  void not_transmitted(std::uint64_t message);
  /// arrived: by the clock of transmitted().
  void receive(const IpAddr& from, std::span<const std::uint8_t> datagram, Nanoseconds arrived,
               Nanoseconds now);
  /// Answers to what has been asked may have been dropped on this gateway: none of it is lost.
  void excuse();
  /// All that had arrived before `heard` has been handed in.
  void judge(Nanoseconds heard, Nanoseconds now);

  [[nodiscard]] ProbeCounters counters() const;

 private:
  enum class Speaks : std::uint8_t { kUnknown, kOldest, kNewest };
  struct Target {
    Nanoseconds due;  // without shift_
    std::uint32_t rounds = 0;
    std::uint32_t lost_in_a_row = 0;
    Speaks speaks = Speaks::kUnknown;
    bool knows_new_key = false;  // answered under the newest key while there is an older one
  };
  struct Key {
    siphash_key key{};
    std::uint32_t id = 0;
  };
  struct AtomicCounters {
    std::atomic<std::uint64_t> sent{0}, not_sent{0}, answered{0}, lost{0}, malformed{0}, authentication{0},
        stale{0}, stranger{0};
  };

  void take_key(const siphash_key& key, Nanoseconds now);
  void keep_questions(const std::vector<ProbedAddress>& before, const std::vector<std::uint32_t>& places);
  void ask(std::uint32_t position, Nanoseconds now, const Send& send);
  void ask_under(const Key& key, std::uint8_t version, std::uint32_t position, Nanoseconds now,
                 const Send& send);
  void believe(ProbeQuestion& question, const ProbeReply& reply, Nanoseconds arrived, Nanoseconds now);
  void end_round(std::uint32_t position, Nanoseconds now);
  [[nodiscard]] const siphash_key* find_key(std::uint32_t id) const;
  [[nodiscard]] std::size_t messages_per_round() const;
  static void count(std::atomic<std::uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  const ProbeRoundsSettings settings_;
  const Nanoseconds memory_;  // for how long a message is remembered
  ProbeSink& sink_;
  std::optional<Key> key_;
  std::optional<Key> old_key_;
  // Since 1970, of the last message to anybody: two addresses may be one host, which has one memory of us.
  std::uint64_t last_sent_ns_ = 0;
  Nanoseconds old_key_ends_;
  std::uint32_t keys_ = 0;
  std::vector<ProbedAddress> addresses_;  // the plan's
  std::vector<Target> targets_;           // of `addresses_`
  std::vector<std::uint32_t> order_;      // positions, due one after the other, from cursor_ on
  std::size_t cursor_ = 0;
  Nanoseconds shift_;
  ProbeQuestions questions_;
  std::uint64_t judged_ = 0;  // the first message that judge() has not ended
  bool round_answered_ = false;
  bool round_lost_ = false;
  AtomicCounters counters_;
};

}  // namespace penstock
