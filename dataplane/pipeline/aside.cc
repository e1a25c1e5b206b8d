#include "dataplane/pipeline/fragments.h"
#include "dataplane/pipeline/icmp.h"
#include "dataplane/pipeline/stages.h"

namespace penstock {

namespace {

// Pending afterwards: the packet has a backend and is to be encapsulated.
void settle(PacketView& p) noexcept {
  switch (p.aside) {
    case Aside::kNone:
    case Aside::kDirect:
    case Aside::kFragment:
    case Aside::kIcmp:
      return;
    case Aside::kNat:
      p.outcome = Outcome::kNatNoPort;
      return;
    case Aside::kNatReturn:
      p.outcome = Outcome::kNatUnknownFlow;
      return;
  }
}

}  // namespace

void handle_aside(const Snapshot& snapshot, FlowTable& flows, LcoreCounters& counters, RareState& state,
                  Burst& burst, Nanoseconds now) noexcept {
  for (std::uint32_t n = 0; n < burst.aside_count; ++n) {
    PacketView& p = burst.packets[burst.aside[n]];
    if (p.aside == Aside::kFragment) handle_fragment(snapshot, flows, counters, state, burst, p, now);
    if (p.aside == Aside::kIcmp) handle_icmp(snapshot, flows, state, p, now);
    if (p.outcome == kPending) settle(p);
    if (p.outcome == kPending) burst.live[burst.live_count++] = burst.aside[n];
  }
}

}  // namespace penstock
