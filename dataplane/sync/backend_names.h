// Backends as gateways name them to each other: the indexes of one process mean nothing to another, so a
// backend goes by a hash of its service, id and address, the string by which the compiler knows it. Also what
// replication has to know of a backend's flows. The replication thread only.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "dataplane/config/snapshot.h"
#include "dataplane/flow/flow_bucket.h"

namespace penstock {

/// Which flows of a service peers are told of.
enum class ReplicatedFlows : std::uint8_t {
  kNone,       // NAT: its sessions are told instead
  kDeviating,  // those that second chance does not save: no present table yields their backend
  kAll,
};

class BackendNames {
 public:
  struct Entry {
    std::uint64_t name = 0;  // 0: the index is not in use
    ReplicatedFlows replicated = ReplicatedFlows::kNone;
    std::array<std::uint32_t, 4> idle_seconds{};  // by IdleClass
  };

  /// XXH3-64 of service id, backend id and address.
  [[nodiscard]] static std::uint64_t name_of(const ServiceDocument& service, const BackendDocument& backend);

  /// Learns the names of this snapshot, if it is not the one before.
  void refresh(const Snapshot& snapshot);

  /// Null: not in use.
  [[nodiscard]] const Entry* of(BackendIndex index) const noexcept {
    return index < entries_.size() && entries_[index].name != 0 ? &entries_[index] : nullptr;
  }
  /// kNoBackend: no running service has it.
  [[nodiscard]] BackendIndex index_of(std::uint64_t name) const noexcept {
    const auto at = indexes_.find(name);
    return at == indexes_.end() ? kNoBackend : at->second;
  }
  /// How often an index has come to have another name than before, or the first.
  [[nodiscard]] std::uint64_t changes() const noexcept { return changes_; }

 private:
  std::uint64_t epoch_ = 0, generation_ = 0;
  bool known_ = false;
  std::uint64_t changes_ = 0;
  std::vector<Entry> entries_;  // by BackendIndex
  std::unordered_map<std::uint64_t, BackendIndex> indexes_;
};

/// Whether peers must be told of a flow, by its digest and the backend that it has. Of services with second
/// chance only if their hops would not find it (every_gateway_finds).
[[nodiscard]] bool is_replicated(const Snapshot& snapshot, const BackendNames::Entry& backend,
                                 std::uint64_t digest, BackendIndex index) noexcept;

}  // namespace penstock
