// Tells peers of the flows in this gateway's tables: those that second chance cannot save, confirmed, and
// older than a second. Scans the tables, which any thread may; the workers do nothing for it.
//
// How old a flow is is not written in its entry. Each scan remembers what it saw (SeenFilter), and a flow is
// old enough if a scan of at least a second ago saw it; one in a hundred is told of early, which does no
// harm.
//
// Replication thread only.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "dataplane/flow/flow_census.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/sync/backend_names.h"
#include "dataplane/sync/flow_record.h"
#include "dataplane/sync/record.h"
#include "dataplane/sync/seen_filter.h"

namespace penstock {

/// Calls its argument with the running snapshot, which stays for that long.
using WithSnapshot = std::function<void(const std::function<void(const Snapshot&)>&)>;

class FlowSource final : public SyncSource {
 public:
  static constexpr Nanoseconds kMinAge = Nanoseconds::from_seconds(1);
  /// Smaller tables do not give back whole digests (FlowBuckets::flow_name). Buckets, and the flows that such
  /// a table is made for.
  static constexpr std::size_t kLeastBuckets = 65'537;
  static constexpr std::size_t kLeastFlows = 278'533;

  /// tables: at least kLeastBuckets each. census: fed by every scan; may be null. All must outlive this.
  FlowSource(std::vector<const FlowTable*> tables, WithSnapshot with_snapshot, BackendNames& names,
             FlowCensus* census);

  void collect(Nanoseconds now, const std::function<void(const SyncRecord&)>& tell) override;

 private:
  struct Scan {
    Nanoseconds at;
    SeenFilter seen;
  };

  [[nodiscard]] const SeenFilter* old_enough(Nanoseconds now) const noexcept;
  void scan(const FlowTable& table, std::size_t first, const Snapshot& snapshot, const SeenFilter* before);

  const std::vector<const FlowTable*> tables_;
  const WithSnapshot with_snapshot_;
  BackendNames& names_;
  FlowCensus* const census_;
  std::array<Scan, 6> scans_;  // a ring: at four a second the oldest is over a second old
  std::size_t current_ = 0;
  std::size_t candidates_ = 0;  // of the last scan
  std::vector<ToldFlow> told_;
};

}  // namespace penstock
