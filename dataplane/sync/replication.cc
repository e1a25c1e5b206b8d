#include "dataplane/sync/replication.h"

#include <algorithm>

#include "penstock/base/derived_key.h"

namespace penstock {

Status Replication::start(std::vector<const FlowTable*> tables, WithSnapshot with_snapshot,
                          FlowCensus* census, const MoreReplicated& more) {
  for (const FlowTable* table : tables) {
    if (table->bucket_count() < FlowSource::kLeastBuckets) {
      return invalid("flows", "replication needs flow tables for at least " +
                                  std::to_string(FlowSource::kLeastFlows) + " flows");
    }
  }
  source_ = std::make_unique<FlowSource>(std::move(tables), with_snapshot, names_, census);
  sink_ = std::make_unique<FlowSink>(foreign_, with_snapshot, names_);
  std::vector<SyncSource*> sources{source_.get()};
  std::vector<SyncSink*> sinks{sink_.get()};
  sources.insert(sources.end(), more.sources.begin(), more.sources.end());
  sinks.insert(sinks.end(), more.sinks.begin(), more.sinks.end());
  auto thread = SyncThread::start(settings_, std::move(sources), std::move(sinks));
  if (!thread) return thread.error();
  thread_ = std::move(*thread);
  return Ok{};
}

void Replication::follow(std::span<const std::uint8_t> hash_key) {
  thread_->set_key(derive_key(hash_key, kSyncKeyPurpose));
}

ReplicationView Replication::view() const {
  return {thread_->stage(), thread_->report(), foreign_.size(), foreign_.capacity()};
}

}  // namespace penstock
