#include "dataplane/flow/flow_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <type_traits>

#include "dataplane/flow/tag_match.h"

namespace penstock {
namespace {

constexpr std::size_t kChunk = 64;

template <TagMatch kMatch>
using Tags = std::conditional_t<kMatch == TagMatch::kSimd, SimdTags, PortableTags>;

/// The slot of the living entry of `digest` in this bucket, or kSlotsPerBucket.
template <TagMatch kMatch>
inline std::uint32_t slot_in(const FlowBucket& b, std::uint64_t digest, Tick now) noexcept {
  std::uint32_t hits = Tags<kMatch>::match(b, static_cast<std::uint32_t>(digest));
  for (; hits != 0; hits &= hits - 1) {
    const auto slot = static_cast<std::uint32_t>(std::countr_zero(hits));
    const std::uint64_t word = b.words[slot];
    if (flow_word::has_tag_of(word, digest) && flow_word::lives(word, now)) return slot;
  }
  return kSlotsPerBucket;
}

/// Takes one packet of a present flow into account and answers its backend.
inline BackendIndex refresh(FlowTableHeader& header, std::uint64_t& place, PacketKind kind,
                            const IdleTicks& idle, Tick now) noexcept {
  const std::uint64_t word = place;
  const FlowState before = flow_word::state(word);
  const FlowState after = next_state(kind, before);
  if (after == FlowState::kFree) return kNoBackend;
  const Tick ticks = idle.of(idle_class(after));
  // A timeout that was shortened by a new configuration gives a negative gain, which is large as unsigned.
  const Tick gain = ticks - flow_word::remaining(word, now);
  if (after != before || gain >= IdleTicks::refresh_step(ticks)) {
    publish(place, flow_word::with(word, after, now + ticks));
    if (is_confirmed(after) && !is_confirmed(before)) publish(header.confirmed, header.confirmed + 1);
  }
  return flow_word::backend(word);
}

bool is_crowded(const FlowBucket& b) noexcept {
  return std::all_of(std::begin(b.words), std::end(b.words), [](std::uint64_t w) { return w != 0; });
}

}  // namespace

template <TagMatch kMatch>
Result<BasicFlowTable<kMatch>> BasicFlowTable<kMatch>::create(std::span<std::byte> memory,
                                                              std::uint64_t fingerprint, Tick now) {
  auto buckets = lay_out(memory, fingerprint, now);
  if (!buckets) return buckets.error();
  return BasicFlowTable(std::move(*buckets));
}

template <TagMatch kMatch>
Result<BasicFlowTable<kMatch>> BasicFlowTable<kMatch>::attach(std::span<std::byte> memory,
                                                              std::uint64_t fingerprint, Tick now) {
  auto buckets = take_over(memory, fingerprint, now);
  if (!buckets) return buckets.error();
  return BasicFlowTable(std::move(*buckets));
}

template <TagMatch kMatch>
FlowSlot BasicFlowTable<kMatch>::locate(std::uint64_t digest) const noexcept {
  const Tick time = header().clock;
  const std::uint32_t home = home_of(digest);
  const std::uint32_t slot = slot_in<kMatch>(bucket(home), digest, time);
  if (slot < kSlotsPerBucket || bucket(home).displaced == 0) return {home, slot};
  const std::uint32_t second = other_of(home, digest);
  return {second, slot_in<kMatch>(bucket(second), digest, time)};
}

template <TagMatch kMatch>
BackendIndex BasicFlowTable<kMatch>::find_and_refresh(std::uint64_t digest, PacketKind kind,
                                                      const IdleTicks& idle) noexcept {
  const FlowSlot at = locate(digest);
  if (!at.found()) return kNoBackend;
  return refresh(header(), bucket(at.bucket).words[at.slot], kind, idle, header().clock);
}

template <TagMatch kMatch>
void BasicFlowTable<kMatch>::find_bulk(std::span<FlowLookup> burst) noexcept {
  struct Pending {
    FlowLookup* lookup;
    FlowBucket* bucket;
  };
  std::array<Pending, kChunk> pending;
  const Tick time = header().clock;
  for (std::size_t start = 0; start < burst.size(); start += kChunk) {
    std::size_t waiting = 0;
    for (FlowLookup& q : burst.subspan(start, std::min(kChunk, burst.size() - start))) {
      const std::uint32_t home = home_of(q.digest);
      FlowBucket& b = bucket(home);
      const std::uint32_t slot = slot_in<kMatch>(b, q.digest, time);
      if (slot < kSlotsPerBucket) [[likely]] {
        q.backend = refresh(header(), b.words[slot], q.kind, *q.idle, time);
        continue;
      }
      q.backend = kNoBackend;
      // A crowded home sends the coming insert() to the second bucket even if no flow was displaced so far.
      if (b.displaced == 0 && !is_crowded(b)) continue;
      FlowBucket& second = bucket(other_of(home, q.digest));
      __builtin_prefetch(&second);
      if (b.displaced != 0) pending[waiting++] = {&q, &second};
    }
    for (const Pending& p : std::span(pending).first(waiting)) {
      FlowLookup& q = *p.lookup;
      const std::uint32_t slot = slot_in<kMatch>(*p.bucket, q.digest, time);
      if (slot < kSlotsPerBucket) q.backend = refresh(header(), p.bucket->words[slot], q.kind, *q.idle, time);
    }
  }
}

template <TagMatch kMatch>
InsertResult BasicFlowTable<kMatch>::insert(std::uint64_t digest, BackendIndex backend, PacketKind kind,
                                            const IdleTicks& idle) noexcept {
  const FlowState state = first_state(kind);
  if (state == FlowState::kFree) return InsertResult::kIgnored;
  const Tick expiry = header().clock + idle.of(idle_class(state));
  const std::uint64_t word = flow_word::make(digest, backend, state, expiry);
  const FlowSlot at = locate(digest);
  if (!at.found()) return place(digest, word);

  std::uint64_t& present = bucket(at.bucket).words[at.slot];
  if (is_confirmed(flow_word::state(present))) publish(header().confirmed, header().confirmed - 1);
  publish(present, word | (present & flow_word::kDisplacedBit));
  return InsertResult::kReplaced;
}

template <TagMatch kMatch>
bool BasicFlowTable<kMatch>::erase(std::uint64_t digest) noexcept {
  const FlowSlot at = locate(digest);
  if (at.found()) clear(at);
  return at.found();
}

template class BasicFlowTable<TagMatch::kSimd>;
template class BasicFlowTable<TagMatch::kPortable>;

}  // namespace penstock
