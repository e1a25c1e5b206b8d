#include "dataplane/sync/flow_sink.h"

#include <algorithm>

#include "dataplane/sync/flow_record.h"
#include "penstock/config/limits.h"

namespace penstock {
namespace {

Tick ticks_of(std::uint32_t seconds) noexcept { return tick_of(Nanoseconds::from_seconds(seconds)); }

}  // namespace

bool FlowSink::put(const SyncRecord& record, std::uint8_t peer, Nanoseconds now) {
  const auto flow = ToldFlow::read(record);
  if (!flow) return false;
  const BackendIndex backend = names_.index_of(flow->backend);
  if (backend == kNoBackend) {
    flows_.erase(record.key, peer);  // it may have had another backend before
    return false;
  }
  if (backend >= entered_as_.size()) entered_as_.resize(backend + 1);
  entered_as_[backend] = flow->backend;
  now_ = tick_of(now);
  const std::uint32_t idle = std::min<std::uint32_t>(flow->idle_seconds, kMaxIdleTimeoutSeconds);
  return flows_.put(record.key, backend, peer, now_ + ticks_of(idle + kRenewalSeconds) + 1);
}

void FlowSink::collect(const std::function<void(const SyncRecord&)>& tell) {
  flows_.for_each([&](const ForeignFlow& flow) {
    const BackendNames::Entry* backend = names_.of(flow.backend);
    const auto left = static_cast<std::int32_t>(flow.lease_ends - now_);
    if (backend == nullptr || left <= 0) return;
    const auto seconds = static_cast<std::uint32_t>((std::uint64_t(left) << kTickShift) / 1'000'000'000);
    const std::uint32_t idle = seconds > kRenewalSeconds ? seconds - kRenewalSeconds : 1;
    tell(ToldFlow{flow.digest, backend->name, idle}.record());
  });
}

bool FlowSink::tick(Nanoseconds now) {
  now_ = tick_of(now);
  with_snapshot_([this](const Snapshot& snapshot) { names_.refresh(snapshot); });
  const bool changed = names_.changes() != seen_changes_;
  if (changed) drop_renamed();
  seen_changes_ = names_.changes();
  flows_.sweep(now_);
  return changed;
}

// An index that another backend has now must not pass for the one that was told: the leases of silent peers
// may be longer than the compiler keeps an index out of use.
void FlowSink::drop_renamed() {
  bool any = false;
  for (std::size_t i = 0; i < entered_as_.size(); ++i) {
    const BackendNames::Entry* backend = names_.of(static_cast<BackendIndex>(i));
    any = any || (entered_as_[i] != 0 && (backend == nullptr || backend->name != entered_as_[i]));
  }
  if (!any) return;
  std::vector<ForeignFlow> gone;
  flows_.for_each([&](const ForeignFlow& flow) {
    const BackendNames::Entry* backend = names_.of(flow.backend);
    if (backend == nullptr || backend->name != entered_as_[flow.backend]) gone.push_back(flow);
  });
  for (const ForeignFlow& flow : gone) flows_.erase(flow.digest, flow.peer);
  for (std::size_t i = 0; i < entered_as_.size(); ++i) {
    const BackendNames::Entry* backend = names_.of(static_cast<BackendIndex>(i));
    if (backend == nullptr || backend->name != entered_as_[i]) entered_as_[i] = 0;
  }
}

}  // namespace penstock
