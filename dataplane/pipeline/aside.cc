#include "dataplane/pipeline/fragments.h"
#include "dataplane/pipeline/icmp.h"
#include "dataplane/pipeline/special.h"
#include "dataplane/pipeline/stages.h"
#include "dataplane/pipeline/too_big.h"

namespace penstock {

namespace {

// A client's packet that does not fit is still as it was received: its sender learns what does. Across the
// families the IP header changes its size by 20 bytes.
void tell_what_fits(const Snapshot& snapshot, RareState& state, Burst& burst, PacketView& p,
                    Nanoseconds now) noexcept {
  BackendRecord record = snapshot.backend(p.backend);
  constexpr int kDifference = sizeof(Ipv6Header) - sizeof(Ipv4Header);
  if (record.has(BackendRecord::kOuterV6) != p.is_v6)
    record.mtu = static_cast<std::uint16_t>(record.mtu + (p.is_v6 ? kDifference : -kDifference));
  p.aside = Aside::kNone;
  too_big({record}, burst, p, state, now);
}

// Pending afterwards: the packet has a backend and is to be encapsulated.
void settle(const Selection& x, RareState& state, Burst& burst, PacketView& p, Nanoseconds now) noexcept {
  switch (p.aside) {
    case Aside::kNone:
    case Aside::kSeeksUdp:
    case Aside::kDirect:
    case Aside::kFragment:
    case Aside::kIcmp:
      return;
    case Aside::kNat:
      state.nat.settle_client(x, state.vlan_rules, p);
      if (p.outcome == Outcome::kTooBig) tell_what_fits(x.snapshot, state, burst, p, now);
      return;
    case Aside::kNatReturn:
      state.nat.settle_answer(x.snapshot, p);
      return;
  }
}

}  // namespace

void handle_aside(const Selection& x, RareState& state, Burst& burst, Nanoseconds now) noexcept {
  for (std::uint32_t n = 0; n < burst.aside_count; ++n) {
    PacketView& p = burst.packets[burst.aside[n]];
    switch (p.aside) {
      case Aside::kSeeksUdp:
        select_one(x, burst, p);
        break;
      case Aside::kDirect:
        settle_one_shot(x, p);
        break;
      case Aside::kFragment:
        handle_fragment(x, state, burst, p, now);
        break;
      case Aside::kIcmp:
        handle_icmp(x, state, burst, p, now);
        break;
      default:
        break;
    }
    if (p.outcome == kPending) settle(x, state, burst, p, now);
    if (p.outcome == kPending) burst.live[burst.live_count++] = burst.aside[n];
  }
}

}  // namespace penstock
