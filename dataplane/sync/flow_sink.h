// Believes what peers tell of flows: puts them where the workers look (ForeignFlows), under the backend
// indexes of this process. A flow of a backend that runs nowhere here is not entered; should it come to run,
// the renewal of all that peers tell enters it (SyncEngine::renew_soon).
//
// Replication thread only.
#pragma once

#include "dataplane/flow/foreign_flows.h"
#include "dataplane/sync/backend_names.h"
#include "dataplane/sync/flow_source.h"
#include "dataplane/sync/record.h"

namespace penstock {

class FlowSink final : public SyncSink {
 public:
  /// What a lease is longer than the idle timeout of its flow: a living peer renews it every 10 s.
  static constexpr std::uint32_t kRenewalSeconds = 15;

  FlowSink(ForeignFlows& flows, WithSnapshot with_snapshot, BackendNames& names)
      : flows_(flows), with_snapshot_(std::move(with_snapshot)), names_(names) {}

  [[nodiscard]] SyncRecordType type() const noexcept override { return SyncRecordType::kFlow; }
  bool put(const SyncRecord& record, std::uint8_t peer, Nanoseconds now) override;
  void erase(std::uint64_t key, std::uint8_t peer) override { flows_.erase(key, peer); }
  void collect(const std::function<void(const SyncRecord&)>& tell) override;
  bool tick(Nanoseconds now) override;

 private:
  void drop_renamed();

  ForeignFlows& flows_;
  const WithSnapshot with_snapshot_;
  BackendNames& names_;
  std::vector<std::uint64_t> entered_as_;  // by BackendIndex: the name under which its entries were made
  std::uint64_t seen_changes_ = 0;
  Tick now_ = 0;
};

}  // namespace penstock
