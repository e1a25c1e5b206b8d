// Who is asked when, and which answers are believed. No socket and no clock of its own: the prober (or a
// test) says what time it is, sends what it is given, and hands in what arrives.
//
// Theory of operation: every address is asked once an interval, the addresses evenly spread over it. When an
// address is asked again, the interval before is judged; so whoever calls send_due() must have handed in
// first what had arrived. After a pause of the caller the questions are spread anew rather than caught up, so
// that each has at least half an interval to be answered.
//
// A request is remembered by its nonce, which nobody can guess (SipHash of a counter under a key that lives
// as long as the process), until it is answered once or four intervals old.
//
// One thread, but for counters().
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "dataplane/probe/liveness_judge.h"
#include "dataplane/probe/probe_counters.h"
#include "dataplane/probe/probe_plan.h"
#include "dataplane/probe/probe_wire.h"
#include "penstock/base/units.h"

namespace penstock {

inline constexpr unsigned kReplyIntervals = 4;  // a reply that is later is stale
inline constexpr Nanoseconds kOldKeyLife = Nanoseconds::from_seconds(60);

class ProbeRounds {
 public:
  using Send = std::function<void(const IpAddr& to, std::span<const std::uint8_t> datagram)>;

  /// `nonce_key`: secret and new in every process.
  ProbeRounds(Nanoseconds interval, BackendStates& states, const siphash_key& nonce_key)
      : interval_(interval), judge_(states), nonce_key_(nonce_key) {}

  void follow(ProbePlan plan, Nanoseconds now);

  /// When send_due() has something to do; nothing while there is nobody to ask.
  [[nodiscard]] std::optional<Nanoseconds> next_due() const;
  void send_due(Nanoseconds now, const Send& send);
  void receive(const IpAddr& from, std::span<const std::uint8_t> datagram, Nanoseconds now);

  [[nodiscard]] ProbeCounters counters() const;

 private:
  struct Target {
    std::size_t position = 0;  // in the plan
    Nanoseconds due;
    bool asked = false;  // an interval is running
  };
  struct Question {
    std::size_t position;  // in the plan
    std::size_t first;     // service
    std::size_t count;
    siphash_key key;
    bool new_key;
  };
  struct AtomicCounters {
    std::atomic<std::uint64_t> sent{0}, answered{0}, malformed{0}, authentication{0}, stale{0}, stranger{0};
  };

  void take_key(const siphash_key& key, Nanoseconds now);
  void ask(Target& target, Nanoseconds now, const Send& send);
  void ask_under(const siphash_key& key, bool new_key, std::size_t position, Nanoseconds now,
                 const Send& send);
  void forget_old(Nanoseconds now);
  std::uint64_t next_nonce();
  static void count(std::atomic<std::uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

  const Nanoseconds interval_;
  LivenessJudge judge_;
  const siphash_key nonce_key_;
  std::uint64_t nonces_ = 0;
  std::optional<siphash_key> key_;
  std::optional<siphash_key> old_key_;
  Nanoseconds old_key_ends_;
  std::vector<ProbedAddress> addresses_;  // the plan's
  std::vector<bool> knows_new_key_;       // of `addresses_`: answered under key_ while there is an old one
  std::vector<Target> targets_;           // due in this order, from cursor_ on
  std::size_t cursor_ = 0;
  std::unordered_map<std::uint64_t, Question> outstanding_;  // by nonce
  std::deque<std::pair<Nanoseconds, std::uint64_t>> by_age_;
  AtomicCounters counters_;
};

}  // namespace penstock
