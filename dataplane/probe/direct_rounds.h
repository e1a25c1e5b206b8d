// Direct checks: what this gateway asks backends without an agent, through its data path. No thread and no
// clock of its own: whoever calls run() says what time it is.
//
// Theory of operation: a check in progress has a port of the channel's for itself, so answers find it without
// a search, and there are never more of them than ports. TCP without a stack: a SYN whose sequence number is
// a keyed cookie; the SYN-ACK that acknowledges it passes TCP_CONNECT; HTTP gets the request in the very
// segment that acknowledges, and is judged by the first segment with data. A reset of ours ends all of them,
// so that the backend keeps nothing. One packet that is lost fails a check: that is what `fall` is for.
//
// Silence is not failure while this gateway may be deaf: a check fails by time only when the worker sent its
// packet, and everything that had arrived until the timeout has been seen. Otherwise it ends without a
// verdict.
//
// Backends whose hosts answer probes are left alone (DirectChecks::kAuto), others are checked once they have
// had kWaitForProbes to answer one.
//
// One thread, but for counters().
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <unordered_map>
#include <vector>

#include "dataplane/config/next_hops.h"
#include "dataplane/own/own_traffic.h"
#include "dataplane/probe/direct_frame.h"
#include "dataplane/probe/direct_plan.h"
#include "dataplane/probe/direct_reply.h"
#include "dataplane/probe/probe_counters.h"
#include "penstock/abi/siphash.h"
#include "penstock/base/units.h"

namespace penstock {

class DirectRounds {
 public:
  static constexpr Nanoseconds kWaitForProbes = Nanoseconds::from_seconds(5);
  static constexpr std::size_t kBegunAtOnce = 64;  // by one run()

  struct Listeners {
    std::function<void(BackendIndex, bool passed, Nanoseconds now)> ended;
    std::function<bool(BackendIndex)> answers_probes;
  };

  /// key: random, for cookies. `channel` must outlive this, and is this one's alone.
  DirectRounds(const siphash_key& key, OwnChannel& channel, Listeners listeners);

  /// Backends that stay keep their turn, and their check in progress if it is still the same one.
  void follow(DirectPlan plan, Nanoseconds now);
  void reach(std::shared_ptr<const NextHops> hops);
  /// Hears, judges, asks. Call it every millisecond while busy(), else every few.
  void run(Nanoseconds now);
  [[nodiscard]] bool busy() const { return in_progress_ != 0; }

  [[nodiscard]] DirectCounters counters() const;

 private:
  enum class Step : std::uint8_t { kFree, kOpening, kAsking };
  struct Check {
    Step step = Step::kFree;
    std::uint32_t target = 0;
    std::uint32_t cookie = 0;
    std::uint64_t number = 0;     // the slot in its lower 16 bits; never 0
    std::uint32_t next_byte = 0;  // of the backend's, once it has opened
    IpAddr source;
    Nanoseconds sent;  // zero: not known to have left
    Nanoseconds gives_up;
    std::uint64_t dropped = 0;  // the channel's, when it began
  };
  struct Turn {
    Nanoseconds due;
    std::uint32_t target;
    bool operator<(const Turn& other) const { return due > other.due; }  // the earliest on top
  };

  void reap();
  void keep_checks(const DirectPlan& before, const std::unordered_map<BackendIndex, std::uint32_t>& places);
  void receive(const InFrame& frame, Nanoseconds now);
  void receive_segment(Check& check, std::size_t slot, const InFrame& frame, Nanoseconds now);
  void receive_first_segment(Check& check, std::size_t slot, const TcpSegment& segment, Nanoseconds now);
  void expire(Nanoseconds heard, Nanoseconds now);
  void begin_due(Nanoseconds now);
  bool begin(std::uint32_t target, std::size_t slot, Nanoseconds now);
  /// The packet of `slot`'s check with these TCP fields; false: there is no room or no way.
  bool send(std::size_t slot, DirectPacket packet, bool timed);
  void reset(std::size_t slot, std::uint32_t sequence);
  void end(Check& check, std::size_t slot, bool passed, Nanoseconds now);
  void free(Check& check, std::size_t slot);
  [[nodiscard]] const DirectService& service_of(const Check& check) const {
    return plan_.services[plan_.targets[check.target].service];
  }
  [[nodiscard]] const IpAddr* source_for(const DirectTarget& target) const;
  static void count(std::atomic<std::uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  const siphash_key key_;
  OwnChannel& channel_;
  const Listeners listeners_;
  DirectPlan plan_;
  struct Known {
    Nanoseconds since;
    Nanoseconds due;  // the next check
  };
  std::vector<Known> known_;  // of plan_.targets
  std::shared_ptr<const NextHops> hops_;
  std::array<const IpAddr*, 2> any_source_{};  // into *hops_, by family
  std::vector<Check> checks_;                  // by port
  std::deque<std::uint16_t> free_;             // ports rest as long as they can
  std::size_t in_progress_ = 0;
  std::uint64_t begun_ = 0;
  Nanoseconds next_expiry_;
  std::priority_queue<Turn> turns_;
  std::atomic<std::uint64_t> begun_count_{0}, passed_{0}, failed_{0}, refused_{0};
};

}  // namespace penstock
