#include "dataplane/sync/flow_source.h"

#include <algorithm>

namespace penstock {
namespace {

// How long one look holds up a change of configuration: about a millisecond.
constexpr std::size_t kBucketsPerLook = 4096;
constexpr std::size_t kLeastFilter = 65'536;

}  // namespace

FlowSource::FlowSource(std::vector<const FlowTable*> tables, WithSnapshot with_snapshot, BackendNames& names,
                       FlowCensus* census)
    : tables_(std::move(tables)), with_snapshot_(std::move(with_snapshot)), names_(names), census_(census) {}

// The latest scan that is old enough: what it saw has lived since.
const SeenFilter* FlowSource::old_enough(Nanoseconds now) const noexcept {
  const Scan* best = nullptr;
  for (const Scan& scan : scans_) {
    if (scan.at == Nanoseconds() || scan.at + kMinAge > now || &scan == &scans_[current_]) continue;
    if (best == nullptr || scan.at > best->at) best = &scan;
  }
  return best != nullptr ? &best->seen : nullptr;
}

void FlowSource::collect(Nanoseconds now, const std::function<void(const SyncRecord&)>& tell) {
  current_ = (current_ + 1) % scans_.size();
  scans_[current_].at = now;
  scans_[current_].seen.begin(std::max(kLeastFilter, candidates_ * 2));
  candidates_ = 0;
  const SeenFilter* before = old_enough(now);
  for (const FlowTable* table : tables_) {
    for (std::size_t first = 0; first < table->bucket_count(); first += kBucketsPerLook) {
      told_.clear();
      with_snapshot_([&](const Snapshot& snapshot) {
        names_.refresh(snapshot);
        scan(*table, first, snapshot, before);
      });
      for (const ToldFlow& flow : told_) tell(flow.record());
    }
  }
  if (census_ != nullptr) census_->publish();
}

void FlowSource::scan(const FlowTable& table, std::size_t first, const Snapshot& snapshot,
                      const SeenFilter* before) {
  const std::size_t end = std::min(first + kBucketsPerLook, table.bucket_count());
  SeenFilter& seen = scans_[current_].seen;
  std::array<FlowRecord, kSlotsPerBucket> flows;
  for (std::size_t bucket = first; bucket < end; ++bucket) {
    const std::size_t found = table.read_bucket(bucket, flows);
    for (const FlowRecord& flow : std::span(flows).first(found)) {
      if (census_ != nullptr) census_->count(flow.backend);
      const BackendNames::Entry* backend = names_.of(flow.backend);
      if (backend == nullptr || !is_confirmed(flow.state)) continue;
      if (!is_replicated(snapshot, *backend, flow.name, flow.backend)) continue;
      ++candidates_;
      seen.add(flow.name);
      if (before == nullptr || !before->holds(flow.name)) continue;
      const std::uint32_t idle = backend->idle_seconds[static_cast<std::size_t>(idle_class(flow.state))];
      told_.push_back({flow.name, backend->name, idle});
    }
  }
}

}  // namespace penstock
