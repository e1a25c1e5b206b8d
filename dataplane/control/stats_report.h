// Counters -> DataplaneStats, flow tables -> Flow messages. Off the hot path, any thread.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "dataplane/config/snapshot.h"
#include "dataplane/control/engine_view.h"

namespace penstock::proto {
class DataplaneStats;
class Flow;
class SyncStats;
enum SyncState : int;
}  // namespace penstock::proto

namespace penstock {

/// Fills everything but uptime and weights_version. Totals and lcores list every outcome; services only those
/// that occurred, since there may be ten thousand of them.
void report_stats(const Snapshot& snapshot, const EngineView& engine, proto::DataplaneStats& out);

/// Epoch, generation and these services, those that do not run left out.
void report_services_only(const Snapshot& snapshot, const EngineView& engine,
                          const std::set<std::string, std::less<>>& services, proto::DataplaneStats& out);

[[nodiscard]] proto::SyncState sync_state(SyncStage stage);
/// replication: null is off.
void report_sync(const Replication* replication, proto::SyncStats& out);

/// The flows in `count` buckets of one lcore's table from `first` on, those of `service` only unless it is
/// empty. Flows whose backend is gone are left out: the packet path treats them as unknown.
std::vector<proto::Flow> report_flows(const Snapshot& snapshot, const EngineView& engine, std::size_t lcore,
                                      std::size_t first, std::size_t count, const std::string& service);

}  // namespace penstock
