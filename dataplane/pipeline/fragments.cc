#include "dataplane/pipeline/fragments.h"

#include <cstring>

#include "dataplane/pipeline/parse.h"
#include "dataplane/pipeline/stages.h"

namespace penstock {

namespace {

struct Context {
  const Selection& selection;
  RareState& state;
  Burst& burst;
  Nanoseconds now;
};

// Like any packet with these ports. In NAT mode it has to be dropped: the others have no ports to translate.
void route_first(const Context& c, const Headers& headers, PacketView& p) noexcept {
  p.aside = Aside::kNone;
  classify_one(c.selection.snapshot, headers, p);
  if (p.outcome != kPending || p.aside == Aside::kDirect) return;
  if (p.aside == Aside::kNone || p.aside == Aside::kSeeksUdp) {
    select_one(c.selection, c.burst, p);
  } else {
    p.outcome = Outcome::kFragment;
  }
}

// The backend may have been taken away since the first fragment went there. No hops: without ports no backend
// can tell whose the fragment is.
void follow(const Context& c, const DatagramFlow& flow, PacketView& p) noexcept {
  const Snapshot& snapshot = c.selection.snapshot;
  if (!snapshot.holds(flow.backend) || snapshot.backend(flow.backend).service != flow.service) {
    p.outcome = Outcome::kFragment;
    return;
  }
  p.hash = flow.hash;
  p.service = flow.service;
  p.backend = flow.backend;
  p.kind = PacketKind::kUdp;
  p.outcome = kPending;
}

PacketView view_of(const HeldFragment& held) noexcept {
  PacketView p{};
  p.set(held.bytes, held.length, kHeldHeadroom, held.ingress_port);
  const OddHeaders odd = parse_odd(p);
  p.is_v6 = odd.headers.is_v6;
  p.ip_length = odd.headers.ip_length;
  p.aside = Aside::kFragment;
  p.tag_bytes = held.tag_bytes;
  p.tags = held.tags;
  return p;
}

bool send_copy(Burst& burst, const PacketView& p) noexcept {
  if (!is_sent(p.outcome)) return false;
  ExtraFrame* frame = burst.add_frame(p.length);
  if (frame == nullptr) return false;
  std::memcpy(frame->data, p.data, p.length);
  frame->egress_port = p.egress_port;
  return true;
}

void release_held(const Context& c, Datagram& datagram) noexcept {
  for (;;) {
    const HeldFragment held = c.state.fragments->release(datagram);
    if (held.bytes == nullptr) return;
    PacketView p = view_of(held);
    follow(c, datagram.flow(), p);
    if (p.outcome == kPending) encap_one(c.selection.snapshot, c.state, c.burst, p, c.now);
    if (!send_copy(c.burst, p)) {
      c.selection.counters.fragments_lost.add(1);
      continue;
    }
    c.selection.counters.fragments_released.add(1);
    BackendCounters& backend = c.selection.counters.backend(p.backend);
    backend.packets.add(1);
    backend.bytes.add(p.ip_length);
  }
}

void take_first(const Context& c, const Headers& headers, Datagram& datagram, PacketView& p) noexcept {
  FragmentCache& cache = *c.state.fragments;
  route_first(c, headers, p);
  if (p.outcome != kPending && p.outcome != kWithHops) {
    cache.refuse(datagram);
    return;
  }
  cache.learn(datagram, {p.hash, p.service, p.backend});
  release_held(c, datagram);
}

void wait(const Context& c, Datagram& datagram, PacketView& p) noexcept {
  const HeldFragment frame{p.data, p.length, p.ingress_port, p.tag_bytes, p.tags};
  const bool held = p.more == 0 && c.state.fragments->hold(datagram, frame, c.now);
  p.outcome = held ? Outcome::kHeld : Outcome::kFragment;
}

}  // namespace

void handle_fragment(const Selection& selection, RareState& state, Burst& burst, PacketView& p,
                     Nanoseconds now) noexcept {
  const Context c{selection, state, burst, now};
  FragmentCache& cache = *state.fragments;
  const OddHeaders odd = parse_odd(p);
  const std::uint64_t lost = cache.lost();
  const auto [verdict, datagram] =
      cache.admit({odd.headers.addresses, odd.fragment.id, odd.headers.protocol, p.is_v6}, odd.fragment, now);
  switch (verdict) {
    case FragmentVerdict::kFirst:
      take_first(c, odd.headers, *datagram, p);
      break;
    case FragmentVerdict::kKnown:
      follow(c, datagram->flow(), p);
      break;
    case FragmentVerdict::kWaits:
      wait(c, *datagram, p);
      break;
    case FragmentVerdict::kRefused:
      p.outcome = Outcome::kFragment;
      break;
    case FragmentVerdict::kOverlap:
      p.outcome = Outcome::kFragmentOverlap;
  }
  if (verdict == FragmentVerdict::kFirst || verdict == FragmentVerdict::kKnown) cache.finish(*datagram);
  selection.counters.fragments_lost.add(cache.lost() - lost);
}

void expire_fragments(LcoreCounters& counters, RareState& state, Nanoseconds now) noexcept {
  const std::uint64_t lost = state.fragments->lost();
  state.fragments->expire(now);
  counters.fragments_lost.add(state.fragments->lost() - lost);
}

}  // namespace penstock
