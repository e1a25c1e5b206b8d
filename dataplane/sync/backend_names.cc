#include "dataplane/sync/backend_names.h"

#include <xxhash.h>

#include <algorithm>

#include "dataplane/config/hop_candidates.h"

namespace penstock {
namespace {

constexpr char kSeparator = '\n';  // occurs in no id and no address, as in compiler.cc

ReplicatedFlows replicated_of(const ServiceDocument& service) noexcept {
  if (service.encap == Encap::kNat || service.one_shot) return ReplicatedFlows::kNone;
  return service.has_hops() ? ReplicatedFlows::kDeviating : ReplicatedFlows::kAll;
}

std::array<std::uint32_t, 4> idle_of(const IdleTimeoutSeconds& idle) noexcept {
  std::array<std::uint32_t, 4> out{};
  out[static_cast<std::size_t>(IdleClass::kClosing)] = idle.tcp_closing;
  out[static_cast<std::size_t>(IdleClass::kEstablished)] = idle.tcp_established;
  out[static_cast<std::size_t>(IdleClass::kSyn)] = idle.tcp_syn;
  out[static_cast<std::size_t>(IdleClass::kUdp)] = idle.udp;
  return out;
}

}  // namespace

std::uint64_t BackendNames::name_of(const ServiceDocument& service, const BackendDocument& backend) {
  const std::string text = service.id + kSeparator + backend.id + kSeparator + backend.address.text();
  const std::uint64_t hash = XXH3_64bits(text.data(), text.size());
  return hash != 0 ? hash : 1;
}

void BackendNames::refresh(const Snapshot& snapshot) {
  if (known_ && epoch_ == snapshot.epoch() && generation_ == snapshot.generation()) return;
  known_ = true;
  epoch_ = snapshot.epoch();
  generation_ = snapshot.generation();
  std::vector<Entry> entries;
  std::unordered_map<std::uint64_t, BackendIndex> indexes;
  for (const auto& service : snapshot.services()) {
    const ReplicatedFlows replicated = replicated_of(service->document);
    const auto idle = idle_of(service->document.idle);
    for (std::size_t i = 0; i < service->backends.size(); ++i) {
      const BackendIndex index = service->backends[i];
      if (index >= entries.size()) entries.resize(index + 1);
      entries[index] = {name_of(service->document, service->document.backends[i]), replicated, idle};
      indexes[entries[index].name] = index;
    }
  }
  const bool same = std::ranges::equal(entries_, entries, {}, &Entry::name, &Entry::name);
  if (!same) ++changes_;
  entries_ = std::move(entries);
  indexes_ = std::move(indexes);
}

bool is_replicated(const Snapshot& snapshot, const BackendNames::Entry& backend, std::uint64_t digest,
                   BackendIndex index) noexcept {
  if (backend.replicated != ReplicatedFlows::kDeviating) return backend.replicated == ReplicatedFlows::kAll;
  return !every_gateway_finds(snapshot, index, digest);
}

}  // namespace penstock
