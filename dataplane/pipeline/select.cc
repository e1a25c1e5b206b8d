#include <array>
#include <span>

#include "dataplane/pipeline/new_flow.h"
#include "dataplane/pipeline/second_chance.h"
#include "dataplane/pipeline/special.h"
#include "dataplane/pipeline/stages.h"
#include "dataplane/pipeline/tcp_reset.h"

namespace penstock {

namespace {

bool takes_new_flows(const Selection& x, BackendIndex backend) noexcept {
  return x.snapshot.backend(backend).has(BackendRecord::kTakesNewFlows) && !is_down(x, backend);
}

bool belongs(const Snapshot& s, const PacketView& p, BackendIndex backend) noexcept {
  return s.holds(backend) && s.backend(backend).service == p.service;  // kNoBackend: no
}

// A client's own reset goes on to the backend.
bool ends(const Snapshot& s, const PacketView& p, BackendIndex backend) noexcept {
  return s.backend(backend).has(BackendRecord::kDrainOver) && p.kind != PacketKind::kRst;
}

// May this packet go on to the backend that the flow table names? The entry may be older than the snapshot:
// the backend gone, or (by a digest's false match) another service's. And a SYN begins a connection anew,
// which a drained or dead backend must not get even if it had the same 5-tuple before.
bool stays(const Selection& x, const PacketView& p, BackendIndex backend) noexcept {
  return belongs(x.snapshot, p, backend) && !ends(x.snapshot, p, backend) &&
         (p.kind != PacketKind::kSyn || takes_new_flows(x, backend));
}

// The packet's entry names a backend whose drain is over: the client learns that its connection has ended, by
// this packet and only once. Datagrams, and what cannot be answered, go on as if there were no entry.
[[gnu::cold, gnu::noinline]] bool end_flow(const Selection& x, PacketView& p) noexcept {
  const BackendIndex backend = x.flows.find(p.hash);
  if (p.kind == PacketKind::kSyn || !belongs(x.snapshot, p, backend) || !ends(x.snapshot, p, backend) ||
      !answer_reset(p))
    return false;
  x.flows.erase(p.hash);
  return true;
}

// Where a flow begins; kNoBackend: nowhere. Precondition: the service has owners.
BackendIndex first_backend(const Selection& x, const ServiceRecord& service, const PacketView& p) noexcept {
  const std::uint32_t slot = slot_of(slot_hash(service, p), service.table_size);
  const BackendIndex primary = service.backends[service.owners[slot]];
  const bool begins = p.kind == PacketKind::kSyn || p.kind == PacketKind::kUdp;
  if (!begins || state_of(x, primary).plain()) [[likely]]
    return primary;
  return place_new_flow(x, service, slot, p);
}

// Enters the flow, to p.backend.
void enter(const Selection& x, PacketView& p) noexcept {
  switch (x.flows.insert(p.hash, p.backend, p.kind, x.snapshot.service(p.service).idle)) {
    case InsertResult::kFull:
      x.counters.flow_table_full.add(1);
      p.new_flow = p.kind == PacketKind::kSyn;  // later packets come here as well: count the flow once
      break;
    case InsertResult::kIgnored:
      // An entry that named a removed backend would be refreshed for ever, beyond its index's quarantine.
      x.flows.erase(p.hash);
      break;
    default:
      p.new_flow = true;
  }
}

// By the slot, and entered.
void begin(const Selection& x, PacketView& p) noexcept {
  const ServiceRecord& service = x.snapshot.service(p.service);
  if (service.owners == nullptr) [[unlikely]] {
    x.flows.erase(p.hash);  // as above
    p.outcome = Outcome::kNoBackendLeft;
    return;
  }
  p.backend = first_backend(x, service, p);
  if (p.backend == kNoBackend) [[unlikely]] {
    x.flows.erase(p.hash);  // as above
    return refuse_new_flow(x, p);
  }
  enter(x, p);
}

BackendIndex foreign_backend(const Selection& x, const PacketView& p) noexcept {
  if (x.reports.foreign == nullptr || x.reports.foreign->size() == 0) return kNoBackend;
  const BackendIndex told = x.reports.foreign->find(p.hash);
  return belongs(x.snapshot, p, told) && !ends(x.snapshot, p, told) ? told : kNoBackend;
}

// Another gateway knows the flow: from now on this one does, too.
bool take_over(const Selection& x, PacketView& p) noexcept {
  const BackendIndex told = foreign_backend(x, p);
  if (told == kNoBackend) return false;
  p.backend = told;
  enter(x, p);
  if (p.new_flow) x.counters.foreign_flows.add(1);
  return true;
}

// A packet in the middle of a flow with second chance. Nobody here can know which of the candidates will take
// it, so it is not entered, and the next one is sent in the same way. stale: an entry names a backend that
// has gone.
bool seek_backend(const Selection& x, Burst& b, PacketView& p, bool stale) noexcept {
  switch (seek(x.snapshot, x.reports.states, b, p)) {
    case Sought::kNobody:
      return false;
    case Sought::kOnlyOne:
      if (!x.snapshot.backend(p.backend).has(BackendRecord::kTakesNewFlows)) break;
      enter(x, p);
      return true;
    case Sought::kHops:
      break;
  }
  if (stale) x.flows.erase(p.hash);
  return true;
}

// The backend of a packet without a usable flow entry.
void choose(const Selection& x, Burst& b, PacketView& p, bool stale) noexcept {
  if (stale && end_flow(x, p)) return;
  if (p.kind != PacketKind::kSyn) {
    if (take_over(x, p)) return;
    const bool middle = p.kind != PacketKind::kUdp;
    if (middle && x.snapshot.service(p.service).hops != nullptr && seek_backend(x, b, p, stale)) return;
  }
  begin(x, p);
}

// What encap and account will read.
void prefetch_backend(const Snapshot& s, const LcoreCounters& counters, BackendIndex backend) noexcept {
  __builtin_prefetch(&s.backend(backend));
  __builtin_prefetch(&counters.backend(backend), 1);
}

// What choose() will read.
void prefetch_choice(const Selection& x, const PacketView& p) noexcept {
  const ServiceRecord& service = x.snapshot.service(p.service);
  if (service.owners != nullptr) __builtin_prefetch(service.slot(p.hash));
  if (p.kind == PacketKind::kSyn) return;
  if (x.reports.foreign != nullptr && x.reports.foreign->size() != 0) x.reports.foreign->prefetch(p.hash);
  if (service.hops == nullptr) return;
  const std::uint32_t slot = slot_of(p.hash, service.table_size);
  __builtin_prefetch(&service.hops->base_owners[slot]);
  if (service.hops->history != nullptr) service.hops->history->prefetch(slot);
}

struct Misses {
  std::array<std::uint8_t, kMaxBurst> packets;
  std::uint32_t count = 0;
  std::uint32_t stale = 0;  // bit n: packets[n] has an entry
};

// Hits get their backend; the others' Maglev slots are asked for.
Misses take_hits(const Selection& x, Burst& b, std::span<const FlowLookup> lookups) noexcept {
  Misses misses;
  for (const FlowLookup& lookup : lookups) {
    if (x.snapshot.holds(lookup.backend)) prefetch_backend(x.snapshot, x.counters, lookup.backend);
  }
  for (std::size_t n = 0; n < lookups.size(); ++n) {
    PacketView& p = b.packets[b.live[n]];
    if (stays(x, p, lookups[n].backend)) {
      p.backend = lookups[n].backend;
      continue;
    }
    prefetch_choice(x, p);
    misses.stale |= std::uint32_t{lookups[n].backend != kNoBackend} << misses.count;
    misses.packets[misses.count++] = b.live[n];
  }
  return misses;
}

void take_misses(const Selection& x, Burst& b, const Misses& misses) noexcept {
  // Two packets of one new flow may share a burst: the second finds the entry of the first. One bit per hash
  // tells most packets that there was no first.
  std::uint64_t seen = 0;
  for (std::uint32_t n = 0; n < misses.count; ++n) {
    PacketView& p = b.packets[misses.packets[n]];
    const std::uint64_t bit = std::uint64_t{1} << (p.hash & 63);
    if ((seen & bit) != 0) {
      const BackendIndex found = x.flows.find_and_refresh(p.hash, p.kind, x.snapshot.service(p.service).idle);
      if (stays(x, p, found)) {
        p.backend = found;
        continue;
      }
    }
    choose(x, b, p, (misses.stale >> n & 1) != 0);
    if (p.outcome != kWithHops) seen |= bit;  // what carries hops has entered nothing
    if (x.snapshot.holds(p.backend)) prefetch_backend(x.snapshot, x.counters, p.backend);
  }
}

// The live packets are those that need nothing but their backend's headers.
void drop_settled(Burst& b) noexcept {
  std::uint32_t live = 0;
  for (std::uint32_t n = 0; n < b.live_count; ++n) {
    const std::uint8_t i = b.live[n];
    b.live[live] = i;
    live += b.packets[i].outcome == kPending;
  }
  b.live_count = live;
}

}  // namespace

void select_one(const Selection& x, Burst& burst, PacketView& p) noexcept {
  const BackendIndex found = x.flows.find_and_refresh(p.hash, p.kind, x.snapshot.service(p.service).idle);
  if (stays(x, p, found)) {
    p.backend = found;
  } else {
    choose(x, burst, p, found != kNoBackend);
  }
  if (p.aside == Aside::kSeeksUdp && p.outcome == kPending)
    seek_and_return(x.snapshot, x.reports.states, burst, p);
}

void settle_one_shot(const Selection& x, PacketView& p) noexcept {
  const ServiceRecord& service = x.snapshot.service(p.service);
  if (!service.special->one_shot || state_of(x, p.backend).plain()) return;
  p.backend = place_new_flow(x, service, slot_of(slot_hash(service, p), service.table_size), p);
  if (p.backend == kNoBackend) refuse_new_flow(x, p);
}

void select_unnoticed(const Selection& x, Burst& burst, PacketView& p) noexcept {
  const ServiceRecord& service = x.snapshot.service(p.service);
  p.backend = x.flows.find(p.hash);
  if (!belongs(x.snapshot, p, p.backend)) p.backend = foreign_backend(x, p);
  if (p.backend != kNoBackend && p.aside != Aside::kSeeksUdp) return;
  if (p.backend == kNoBackend && service.owners != nullptr)
    p.backend = service.backends[*service.slot(slot_hash(service, p))];
  if (p.aside == Aside::kSeeksUdp && p.backend != kNoBackend) {
    seek_and_return(x.snapshot, x.reports.states, burst, p);
  } else if (service.hops != nullptr) {
    if (seek(x.snapshot, x.reports.states, burst, p) == Sought::kNobody) p.outcome = Outcome::kNoBackendLeft;
  } else if (p.backend == kNoBackend) {
    p.outcome = Outcome::kNoBackendLeft;
  }
}

void select(const Selection& x, Burst& burst) noexcept {
  const std::span<FlowLookup> live(burst.lookups.data(), burst.live_count);
  x.flows.find_bulk(live);

  const Misses misses = take_hits(x, burst, live);
  if (misses.count != 0) {
    take_misses(x, burst, misses);
    drop_settled(burst);
  }
}

}  // namespace penstock
