// Where a new flow goes when its slot's owner, the primary, is not plain(): it is down, hot, or takes only a
// part of its new flows (config/backend_states.h).
//
//   down      the alternate if it lives and admits the flow, another backend that packets of the flow would
//             seek, one that is drawn; those that live but would not admit it come last, not never
//   withheld  the alternate, or one that is drawn, if it admits the flow; else the primary after all
//   hot       the alternate if it is less so, and admits the flow; nobody else is asked. Of 256 flows that a
//             late one would get it keeps four: without any, nobody would learn that it is quick again. Of a
//             service whose weights follow load it keeps most, the fewer the later it is
//
// A backend that is starting slowly is therefore given more than its share only where nobody else is left.
// Who admits a flow is drawn from bits of the hash that do not choose the slot, other ones for each
// candidate. Flows that source affinity keeps together are drawn together, and do not leave for heat:
// affinity is a promise, heat a preference.
#pragma once

#include "dataplane/pipeline/packet.h"
#include "dataplane/pipeline/selection.h"

namespace penstock {

[[nodiscard]] inline BackendState state_of(const Selection& x, BackendIndex backend) noexcept {
  return x.reports.states != nullptr ? x.reports.states->backend(backend) : BackendState();
}

[[nodiscard]] inline bool is_down(const Selection& x, BackendIndex backend) noexcept {
  return state_of(x, backend).down();
}

/// The backend for a flow whose primary (the owner of `slot`) is not plain. kNoBackend: the flow is refused,
/// because nobody is left and AllDown says so. Counts what it does; `p` stays as it is.
[[nodiscard, gnu::cold, gnu::noinline]] BackendIndex place_new_flow(const Selection& selection,
                                                                    const ServiceRecord& service,
                                                                    std::uint32_t slot,
                                                                    const PacketView& p) noexcept;

/// A new flow that place_new_flow() refused: answered or dropped, as AllDown says. The outcome is final.
[[gnu::cold, gnu::noinline]] void refuse_new_flow(const Selection& selection, PacketView& p) noexcept;

/// The same for whoever needs the backend's place in the service: sets `owner`, the slot's.
/// False: the flow is refused, p's outcome is final.
[[nodiscard]] inline bool place_owner(const Selection& x, const ServiceRecord& service, std::uint32_t slot,
                                      PacketView& p, std::uint16_t& owner) noexcept {
  owner = service.owners[slot];
  if (state_of(x, service.backends[owner]).plain()) [[likely]]
    return true;
  const BackendIndex backend = place_new_flow(x, service, slot, p);
  if (backend == kNoBackend) {
    refuse_new_flow(x, p);
    return false;
  }
  for (owner = 0; service.backends[owner] != backend;) ++owner;  // it is one of them
  return true;
}

}  // namespace penstock
