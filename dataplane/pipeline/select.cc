#include <array>
#include <span>

#include "dataplane/pipeline/special.h"
#include "dataplane/pipeline/stages.h"

namespace penstock {

namespace {

// May this packet go on to the backend that the flow table names? The entry may be older than the snapshot:
// the backend gone, or (by a digest's false match) another service's. And a SYN begins a connection anew,
// which a drained backend must not get even if it had the same 5-tuple before.
bool stays(const Snapshot& s, const PacketView& p, BackendIndex backend) noexcept {
  if (!s.holds(backend)) return false;  // kNoBackend, too
  const BackendRecord& record = s.backend(backend);
  return record.service == p.service &&
         (p.kind != PacketKind::kSyn || record.has(BackendRecord::kTakesNewFlows));
}

// The backend of a packet without a usable flow entry. Enters the flow.
void choose(const Snapshot& s, FlowTable& flows, LcoreCounters& counters, PacketView& p) noexcept {
  const ServiceRecord& service = s.service(p.service);
  if (service.owners == nullptr) [[unlikely]] {
    // An entry that named a removed backend would be refreshed for ever, beyond its index's quarantine.
    flows.erase(p.hash);
    p.outcome = Outcome::kNoBackendLeft;
    return;
  }
  p.backend = service.backends[*service.slot(slot_hash(service, p))];
  switch (flows.insert(p.hash, p.backend, p.kind, service.idle)) {
    case InsertResult::kFull:
      counters.flow_table_full.add(1);
      p.new_flow = p.kind == PacketKind::kSyn;  // later packets come here as well: count the flow once
      break;
    case InsertResult::kIgnored:
      flows.erase(p.hash);  // as above
      break;
    default:
      p.new_flow = true;
  }
}

// What encap and account will read.
void prefetch_backend(const Snapshot& s, const LcoreCounters& counters, BackendIndex backend) noexcept {
  __builtin_prefetch(&s.backend(backend));
  __builtin_prefetch(&counters.backend(backend), 1);
}

struct Misses {
  std::array<std::uint8_t, kMaxBurst> packets;
  std::uint32_t count = 0;
};

// Hits get their backend; the others' Maglev slots are asked for.
Misses take_hits(const Snapshot& s, const LcoreCounters& counters, Burst& b,
                 std::span<const FlowLookup> lookups) noexcept {
  Misses misses;
  for (const FlowLookup& lookup : lookups) {
    if (s.holds(lookup.backend)) prefetch_backend(s, counters, lookup.backend);
  }
  for (std::size_t n = 0; n < lookups.size(); ++n) {
    PacketView& p = b.packets[b.live[n]];
    if (stays(s, p, lookups[n].backend)) {
      p.backend = lookups[n].backend;
      continue;
    }
    const ServiceRecord& service = s.service(p.service);
    if (service.owners != nullptr) __builtin_prefetch(service.slot(p.hash));
    misses.packets[misses.count++] = b.live[n];
  }
  return misses;
}

void take_misses(const Snapshot& s, FlowTable& flows, LcoreCounters& counters, Burst& b,
                 const Misses& misses) noexcept {
  // Two packets of one new flow may share a burst: the second finds the entry of the first. One bit per hash
  // tells most packets that there was no first.
  std::uint64_t seen = 0;
  for (std::uint32_t n = 0; n < misses.count; ++n) {
    PacketView& p = b.packets[misses.packets[n]];
    const std::uint64_t bit = std::uint64_t{1} << (p.hash & 63);
    if ((seen & bit) != 0) {
      const BackendIndex found = flows.find_and_refresh(p.hash, p.kind, s.service(p.service).idle);
      if (stays(s, p, found)) {
        p.backend = found;
        continue;
      }
    }
    seen |= bit;
    choose(s, flows, counters, p);
    if (s.holds(p.backend)) prefetch_backend(s, counters, p.backend);
  }
}

void drop_refused(Burst& b) noexcept {
  std::uint32_t live = 0;
  for (std::uint32_t n = 0; n < b.live_count; ++n) {
    const std::uint8_t i = b.live[n];
    b.live[live] = i;
    live += b.packets[i].outcome == kPending;
  }
  b.live_count = live;
}

}  // namespace

void select_one(const Snapshot& snapshot, FlowTable& flows, LcoreCounters& counters, PacketView& p) noexcept {
  const BackendIndex found = flows.find_and_refresh(p.hash, p.kind, snapshot.service(p.service).idle);
  if (stays(snapshot, p, found)) {
    p.backend = found;
  } else {
    choose(snapshot, flows, counters, p);
  }
}

void select_unnoticed(const Snapshot& snapshot, const FlowTable& flows, PacketView& p) noexcept {
  const BackendIndex found = flows.find(p.hash);
  const ServiceRecord& service = snapshot.service(p.service);
  if (stays(snapshot, p, found)) {
    p.backend = found;
  } else if (service.owners != nullptr) {
    p.backend = service.backends[*service.slot(slot_hash(service, p))];
  } else {
    p.outcome = Outcome::kNoBackendLeft;
  }
}

void select(const Snapshot& snapshot, FlowTable& flows, LcoreCounters& counters, Burst& burst) noexcept {
  const std::span<FlowLookup> live(burst.lookups.data(), burst.live_count);
  flows.find_bulk(live);

  const Misses misses = take_hits(snapshot, counters, burst, live);
  if (misses.count != 0) {
    take_misses(snapshot, flows, counters, burst, misses);
    drop_refused(burst);
  }
}

}  // namespace penstock
