#include "dataplane/pipeline/pipeline.h"

#include "dataplane/pipeline/stages.h"

namespace penstock {

void Pipeline::run(const Snapshot& snapshot, Burst& burst, Nanoseconds now) noexcept {
  flows_.advance(tick_of(now));
  parse(burst);
  classify(snapshot, flows_, burst);
  select(snapshot, flows_, counters_, burst);
  encap(snapshot, burst);
}

void Pipeline::account(const Burst& burst) noexcept {
  counters_.received.add(burst.count);
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    const PacketView& p = burst.packets[i];
    const auto outcome = static_cast<std::size_t>(p.outcome);
    counters_.outcomes[outcome].add(1);
    if (p.service == kNoServiceIndex) continue;
    counters_.service(p.service).outcomes[outcome].add(1);
    if (p.backend == kNoBackend) continue;
    BackendCounters& backend = counters_.backend(p.backend);
    if (p.new_flow) backend.new_flows.add(1);
    if (p.outcome != Outcome::kForwarded) continue;
    backend.packets.add(1);
    backend.bytes.add(p.ip_length);
  }
}

}  // namespace penstock
