#include "dataplane/config/hop_candidates.h"

namespace penstock {

namespace {

// Whose drain is over has no flows any more.
void add(const Snapshot& snapshot, BackendIndex backend, HopCandidates& out) noexcept {
  if (!snapshot.backend(backend).has(BackendRecord::kDrainOver)) out.add(backend);
}

// What every gateway knows. `out` may hold the slot's owner already.
void add_from_tables(const Snapshot& snapshot, const ServiceRecord& service, std::uint32_t slot,
                     HopCandidates& out) noexcept {
  const HopSource& hops = *service.hops;
  add(snapshot, hops.by_rank[hops.base_owners[slot]], out);
  if (service.table != nullptr) add(snapshot, service.backends[service.table->alternate(slot)], out);
}

}  // namespace

HopCandidates hop_candidates(const Snapshot& snapshot, ServiceIndex index, std::uint32_t slot) noexcept {
  const ServiceRecord& service = snapshot.service(index);
  HopCandidates out;
  if (service.owners != nullptr) out.add(service.backends[service.owners[slot]]);
  if (service.hops->history != nullptr) {
    for (const BackendIndex owner : service.hops->history->owners_before(slot)) {
      // It may have left the service since.
      if (snapshot.holds(owner) && snapshot.backend(owner).service == index) add(snapshot, owner, out);
    }
  }
  add_from_tables(snapshot, service, slot, out);
  return out;
}

bool every_gateway_finds(const Snapshot& snapshot, BackendIndex backend, std::uint64_t digest) noexcept {
  if (!snapshot.holds(backend)) return false;
  const BackendRecord& record = snapshot.backend(backend);
  if (!record.has(BackendRecord::kLive)) return false;
  const ServiceRecord& service = snapshot.service(record.service);
  // By source, the digest does not tell the slot. Without an owner nothing is said of the outer family.
  if (service.hops == nullptr || service.by_source || service.owners == nullptr) return false;
  const std::uint32_t slot = slot_of(digest, service.table_size);
  HopCandidates found;
  const BackendIndex primary = service.backends[service.owners[slot]];
  found.add(primary);
  add_from_tables(snapshot, service, slot, found);
  return found.holds(backend) &&
         snapshot.backend(primary).has(BackendRecord::kOuterV6) == record.has(BackendRecord::kOuterV6);
}

}  // namespace penstock
