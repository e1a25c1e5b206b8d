// All of replication that a process makes: the table of foreign flows that the workers read, what tells of
// own flows, what believes peers, and the thread between them. main() makes one where --sync-address is
// given.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/flow/flow_census.h"
#include "dataplane/flow/foreign_flows.h"
#include "dataplane/sync/flow_sink.h"
#include "dataplane/sync/flow_source.h"
#include "dataplane/sync/sync_thread.h"

namespace penstock {

/// What else replicates beside flows.
struct MoreReplicated {
  std::vector<SyncSource*> sources;
  std::vector<SyncSink*> sinks;
};

struct ReplicationView {
  SyncStage stage = SyncStage::kOff;
  SyncReport report;
  std::uint64_t foreign_flows = 0;
  std::uint64_t foreign_capacity = 0;
};

class Replication {
 public:
  /// Throws std::bad_alloc. The flows of peers are held up to settings.engine.capacity.
  explicit Replication(const SyncThreadSettings& settings)
      : settings_(settings), foreign_(settings.engine.capacity) {}

  /// What the workers look up. Outlives them.
  [[nodiscard]] const ForeignFlows& foreign() const noexcept { return foreign_; }

  /// tables: of all workers. census: may be null. Everything given must live until stop().
  Status start(std::vector<const FlowTable*> tables, WithSnapshot with_snapshot, FlowCensus* census,
               const MoreReplicated& more = {});
  void stop() { thread_.reset(); }

  // Any thread, between start() and stop().

  /// A configuration with this hash key is running.
  void follow(std::span<const std::uint8_t> hash_key);
  /// SyncThread::set_peers().
  [[nodiscard]] std::vector<Error> set_peers(const std::vector<std::pair<std::string, std::string>>& peers) {
    return thread_->set_peers(peers);
  }
  [[nodiscard]] SyncStage stage() const noexcept { return thread_->stage(); }
  [[nodiscard]] ReplicationView view() const;
  [[nodiscard]] const SyncAddress& address() const noexcept { return thread_->address(); }

 private:
  const SyncThreadSettings settings_;
  ForeignFlows foreign_;
  BackendNames names_;
  std::unique_ptr<FlowSource> source_;
  std::unique_ptr<FlowSink> sink_;
  std::unique_ptr<SyncThread> thread_;
};

}  // namespace penstock
