// The packet path: parse -> classify -> select -> encap, run to completion on one lcore.
//
//   parse     finds addresses, ports and lengths; reads nothing but the packet (inlined into classify)
//   classify  (VIP, protocol, port) -> service; everything not for a VIP leaves here as kNotVip
//   select    flow table, or Maglev slot for a packet without an entry
//   aside     the rare: fragments, ICMP, NAT, what is balanced by less or more than its 5-tuple
//   encap     outer headers into the headroom, DSCP/ECN copied, inner TTL less one
//
// What is for no VIP may be an answer to the gateway itself (dataplane/own): looked at last, and only then.
//
// Each stage walks the burst and prefetches what the next one reads, so that the misses of 32 packets
// overlap. No stage allocates, logs, locks or reads a clock.
//
// A worker's loop:
//
//   burst.packets[i].set(frame, length, headroom) for each packet; burst.count = n;
//   pipeline.run(publisher.current(), burst, now);
//   ... send the kForwarded ones; those that the port did not take become Outcome::kTxFull ...
//   pipeline.account(burst);
//   ... report a quiescent state ...
#pragma once

#include "dataplane/config/snapshot.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/pipeline/packet.h"
#include "dataplane/pipeline/rare_state.h"
#include "dataplane/pipeline/reports.h"
#include "dataplane/stats/lcore_counters.h"
#include "penstock/base/units.h"

namespace penstock {

/// One per worker. Not thread-safe; references must outlive it.
class Pipeline {
 public:
  Pipeline(FlowTable& flows, LcoreCounters& counters, const RareSettings& rare = {},
           const Reports& reports = {})
      : flows_(flows), counters_(counters), reports_(reports), rare_(rare) {
    counters.nat_capacity.set(rare_.nat.table().capacity());
  }

  /// Decides and rewrites every packet of the burst. `now`: monotonic, the same clock on every call.
  void run(const Snapshot& snapshot, Burst& burst, Nanoseconds now) noexcept;

  /// While there are no packets: what must go on without them.
  void idle(const Snapshot& snapshot, Nanoseconds now) noexcept;

  /// Counts the burst's outcomes; exactly once per burst, after transmission, so that received = sum of
  /// outcomes.
  void account(const Burst& burst) noexcept;

 private:
  void count_sessions() noexcept;

  FlowTable& flows_;
  LcoreCounters& counters_;
  const Reports reports_;
  RareState rare_;
};

}  // namespace penstock
