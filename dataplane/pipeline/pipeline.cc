#include "dataplane/pipeline/pipeline.h"

#include "dataplane/pipeline/fragments.h"
#include "dataplane/pipeline/stages.h"

namespace penstock {

namespace {

// Answers to the gateway itself are among the packets that are for no VIP, and, where its address is also one
// that NAT sends from, of no session.
[[gnu::cold, gnu::noinline]] void take_own(OwnWorker& own, Burst& burst, Nanoseconds now) noexcept {
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    PacketView& p = burst.packets[i];
    if (p.outcome != Outcome::kNotVip && p.outcome != Outcome::kNatUnknownFlow) continue;
    const OwnWorker::Verdict verdict = own.take(p.data, p.length, now);
    if (verdict == OwnWorker::Verdict::kTaken) p.outcome = Outcome::kOwn;
    if (verdict == OwnWorker::Verdict::kNoRoom) p.outcome = Outcome::kOwnFull;
  }
}

}  // namespace

void Pipeline::run(const Snapshot& snapshot, Burst& burst, Nanoseconds now) noexcept {
  flows_.advance(tick_of(now));
  rare_.nat.advance(snapshot, now, false);
  const Selection selection{snapshot, flows_, counters_, reports_};
  classify(snapshot, flows_, burst);
  select(selection, burst);
  if (burst.aside_count != 0) [[unlikely]] {
    handle_aside(selection, rare_, burst, now);
    count_sessions();
  }
  if (rare_.fragments->held() != 0) [[unlikely]]
    expire_fragments(counters_, rare_, now);
  encap(snapshot, rare_, burst, now);
  if ((burst.ended_count | burst.aside_count) != 0 && rare_.own != nullptr) [[unlikely]]
    take_own(*rare_.own, burst, now);
}

void Pipeline::idle(const Snapshot& snapshot, Nanoseconds now) noexcept {
  rare_.nat.advance(snapshot, now, true);
  count_sessions();
}

void Pipeline::count_sessions() noexcept {
  counters_.nat_sessions.set(rare_.nat.table().size());
  counters_.nat_adopted.set(rare_.nat.adopted());
}

void Pipeline::account(const Burst& burst) noexcept {
  // Packets of one service mostly come in a row: its forwarded ones, and those of the lcore, are added up
  // first.
  std::uint64_t forwarded = 0;
  std::uint64_t run = 0;
  ServiceIndex service = kNoServiceIndex;
  const auto end_run = [&] {
    if (run != 0) counters_.service(service).outcomes[static_cast<std::size_t>(Outcome::kForwarded)].add(run);
    forwarded += run;
    run = 0;
  };
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    const PacketView& p = burst.packets[i];
    if (p.backend != kNoBackend) {
      BackendCounters& backend = counters_.backend(p.backend);
      if (p.new_flow) backend.new_flows.add(1);
      if (p.outcome == Outcome::kForwarded) [[likely]] {
        backend.packets.add(1);
        backend.bytes.add(p.ip_length);
        if (p.service != service) [[unlikely]] {
          end_run();
          service = p.service;
        }
        ++run;
        continue;
      }
    }
    const auto outcome = static_cast<std::size_t>(p.outcome);
    counters_.outcomes[outcome].add(1);
    if (p.service != kNoServiceIndex) counters_.service(p.service).outcomes[outcome].add(1);
  }
  end_run();
  for (std::uint32_t n = 0; n < burst.hop_list_count; ++n) {
    if (burst.packets[burst.hop_lists[n].packet].outcome == Outcome::kForwarded)
      counters_.second_chance.add(1);
  }
  counters_.outcomes[static_cast<std::size_t>(Outcome::kForwarded)].add(forwarded);
  counters_.received.add(burst.count);
}

}  // namespace penstock
