// One generation of configuration as the packet path reads it. Immutable: workers read it without locks, the
// control thread publishes the next one and retires this one after quiescence (publisher.h). Parts that did
// not change (Maglev tables, backend records, the classifier) are shared between consecutive snapshots.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/config/backend_record.h"
#include "dataplane/config/document.h"
#include "dataplane/config/slot_history.h"
#include "dataplane/config/vip_classifier.h"
#include "dataplane/flow/flow_bucket.h"
#include "dataplane/flow/flow_clock.h"
#include "dataplane/hash/flow_hash.h"
#include "dataplane/hash/maglev.h"

namespace penstock {

class QuicRouter;  // dataplane/quic/quic_router.h

/// Where a backend in NAT mode listens.
struct NatTarget {
  IpAddr address;
  std::uint16_t port = 0;  // 0: the packet's own destination port
  std::uint64_t name = 0;  // XXH3-64 of what keeps a backend's index: service id, backend id, address
};

/// What only some services have. Its packets leave the fast path at the first branch (ServiceIndex with
/// kSpecialService set, see vip_classifier.h).
struct SpecialService {
  bool by_addresses = false;  // SCTP and unknown protocols: addresses and protocol alone name the flow
  bool one_shot = false;      // no flow entry
  bool nat = false;           // goes through dataplane/nat
  bool proxy_protocol = false;
  bool seeks_udp = false;        // UDP with second chance: all its packets carry hops
  std::uint8_t affinity_v4 = 0;  // bits of the client's address that choose the backend; 0 = the flow does
  std::uint8_t affinity_v6 = 0;
  std::vector<NatTarget> nat_targets;      // nat: of the backends, in the document's order
  std::shared_ptr<const QuicRouter> quic;  // null: not by connection ID

  [[nodiscard]] std::uint8_t affinity_of(bool v6) const noexcept { return v6 ? affinity_v6 : affinity_v4; }
  [[nodiscard]] bool any() const {
    return by_addresses || one_shot || nat || seeks_udp || affinity_v4 != 0 || affinity_v6 != 0 ||
           quic != nullptr;
  }
};

/// Where hop lists come from (hop_candidates.h).
struct HopSource {
  std::span<const std::uint16_t> base_owners;  // slot -> rank in the table of configured weights
  std::vector<BackendIndex> by_rank;
  std::shared_ptr<SlotHistory> history;  // null: no slot has changed hands yet
};

/// A service as compiled, for readers off the hot path (stats, dumps, the next compilation).
struct CompiledService {
  ServiceDocument document;
  ServiceIndex index = kNoServiceIndex;
  std::vector<BackendIndex> backends;  // of document.backends, in the same order; what Maglev owners index
  std::uint32_t longest_idle_seconds = 0;  // the longest idle timeout that it ever had
  std::shared_ptr<const MaglevBase> base;
  std::shared_ptr<const MaglevTable> table;  // null when no backend takes new flows
  SpecialService special;
  HopSource hops;  // empty unless document.has_hops()
};

/// A service as select reads it. Points into the CompiledService that the snapshot keeps alive.
struct alignas(64) ServiceRecord {
  const std::uint16_t* owners = nullptr;    // Maglev slots; null: no backend takes new flows
  const BackendIndex* backends = nullptr;   // owner -> BackendIndex
  const MaglevTable* table = nullptr;       // whose owners these are
  const SpecialService* special = nullptr;  // never null in a service of a compiled snapshot
  const HopSource* hops = nullptr;          // null: no second chance
  std::uint32_t table_size = 0;             // also where `owners` is null, if there are hops
  IdleTicks idle;
  bool by_source = false;  // source affinity: not the flow's hash picks the slot
  bool gentle = false;     // its weights follow load: heat takes only a part of new flows (new_flow.h)

  /// Precondition: owners != nullptr.
  [[nodiscard]] const std::uint16_t* slot(std::uint64_t hash) const noexcept {
    return owners + slot_of(hash, table_size);
  }
};
static_assert(sizeof(ServiceRecord) == 64, "one cache line a service");

using BackendRecords = std::vector<BackendRecord>;

class Snapshot {
 public:
  /// No service: every packet is kNotVip. What a worker runs before the first configuration.
  Snapshot();

  // The hot path.
  [[nodiscard]] const VipClassifier& classifier() const noexcept { return *classifier_; }
  [[nodiscard]] const HashSecret& secret() const noexcept { return secret_; }
  [[nodiscard]] const ServiceRecord& service(ServiceIndex index) const noexcept { return services_[index]; }
  [[nodiscard]] const BackendRecord& backend(BackendIndex index) const noexcept { return backends_[index]; }
  /// The flow table may name an index that this snapshot has never heard of.
  [[nodiscard]] bool holds(BackendIndex index) const noexcept { return index < backend_count_; }

  // Off the hot path.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
  [[nodiscard]] std::span<const std::shared_ptr<const CompiledService>> services() const noexcept {
    return compiled_;
  }
  /// The service of a living backend and its position there; {nullptr, 0} if the index is not in use.
  struct BackendPlace {
    const CompiledService* service;
    std::size_t position;
  };
  [[nodiscard]] BackendPlace find_backend(BackendIndex index) const;
  /// Indexes that have a new owner since the snapshot before: their counters start at zero (Publisher does
  /// it).
  [[nodiscard]] std::span<const ServiceIndex> fresh_services() const noexcept { return fresh_services_; }
  [[nodiscard]] std::span<const BackendIndex> fresh_backends() const noexcept { return fresh_backends_; }

 private:
  friend class Compiler;

  const BackendRecord* backends_ = nullptr;
  std::size_t backend_count_ = 0;
  std::vector<ServiceRecord> services_;
  std::shared_ptr<const VipClassifier> classifier_;
  HashSecret secret_;

  std::uint64_t epoch_ = 0;
  std::uint64_t generation_ = 0;
  std::shared_ptr<const BackendRecords> records_;
  std::vector<std::shared_ptr<const CompiledService>> compiled_;
  std::vector<ServiceIndex> fresh_services_;
  std::vector<BackendIndex> fresh_backends_;
};

}  // namespace penstock
