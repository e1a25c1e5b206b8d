#include "dataplane/pipeline/second_chance.h"

#include "dataplane/config/hop_candidates.h"
#include "dataplane/pipeline/special.h"

namespace penstock {

namespace {

HopCandidates candidates_of(const Snapshot& s, const PacketView& p) noexcept {
  const ServiceRecord& service = s.service(p.service);
  return hop_candidates(s, p.service, slot_of(slot_hash(service, p), service.table_size));
}

// The living ones first, else in order.
HopCandidates sorted(const BackendStates& states, const HopCandidates& candidates) noexcept {
  HopCandidates out;
  for (const BackendIndex backend : candidates.all()) {
    if (!states.backend(backend).down()) out.add(backend);
  }
  for (const BackendIndex backend : candidates.all()) out.add(backend);
  return out;
}

void put_living_first(const BackendStates* states, HopCandidates& candidates) noexcept {
  if (states == nullptr) return;
  bool any_down = false;
  for (const BackendIndex backend : candidates.all()) any_down |= states->backend(backend).down();
  if (any_down) [[unlikely]]
    candidates = sorted(*states, candidates);
}

// A list of at most `most` of the candidates that are not p.backend, and of its family. Counted by
// Pipeline::account.
HopList& list_hops(const Snapshot& s, const HopCandidates& candidates, std::uint32_t most, Burst& b,
                   const PacketView& p) noexcept {
  HopList& list = b.hop_lists[b.hop_list_count];
  list.packet = static_cast<std::uint8_t>(&p - b.packets.data());
  list.count = 0;
  const bool v6 = s.backend(p.backend).has(BackendRecord::kOuterV6);
  for (const BackendIndex backend : candidates.all()) {
    if (list.count == most) break;
    if (backend == p.backend || s.backend(backend).has(BackendRecord::kOuterV6) != v6) continue;
    list.backends[list.count++] = backend;
  }
  return list;
}

void send_with_hops(Burst& b, PacketView& p) noexcept {
  ++b.hop_list_count;
  p.outcome = kWithHops;
}

}  // namespace

Sought seek(const Snapshot& s, const BackendStates* states, Burst& b, PacketView& p) noexcept {
  HopCandidates candidates = candidates_of(s, p);
  put_living_first(states, candidates);
  if (candidates.all().empty()) return Sought::kNobody;
  p.backend = candidates.all().front();
  if (candidates.all().size() == 1) return Sought::kOnlyOne;
  const HopList& list = list_hops(s, candidates, kMaxHops, b, p);
  if (list.count != 0) send_with_hops(b, p);
  return Sought::kHops;
}

void seek_and_return(const Snapshot& s, const BackendStates* states, Burst& b, PacketView& p) noexcept {
  HopCandidates candidates = candidates_of(s, p);
  put_living_first(states, candidates);
  HopList& list = list_hops(s, candidates, kMaxHops - 1, b, p);
  if (list.count == 0) return;
  list.backends[list.count++] = p.backend;
  send_with_hops(b, p);
}

}  // namespace penstock
