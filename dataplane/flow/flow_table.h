// Which backend serves a flow: one table per lcore, one cache line per lookup in the common case.
//
// Theory of operation
// - The caller gives a 64-bit keyed digest of service and 5-tuple; the key itself is not stored. The home
//   bucket is mulhi(digest, buckets), so it follows the digest's top bits; the 48 low bits are stored as tag,
//   32 of them compared by SIMD, 16 with the value. The second bucket is (mix(tag) - home) mod buckets, an
//   involution, so an entry can be moved knowing only its tag (partial-key cuckoo hashing: Fan et al.,
//   "MemC3", NSDI '13).
// - A flow that is absent is taken for another one with probability at most 10 * load * 2^-48 +
//   2 * flows * 2^-64: 3e-14 for a small table, 1.1e-12 with 10M flows. Nobody without the key can look for
//   such a pair.
// - A bucket counts its flows that live in their second bucket, so a miss looks there only if one might be.
// - Every flow enters unconfirmed, and its second packet confirms it in place (see FlowState). A newcomer
//   takes the first of these that there is: a free or expired slot of its two buckets; one freed by moving
//   others (only unconfirmed ones while more than an eighth of the slots is unconfirmed: a flood); the slot
//   of an unconfirmed flow chosen by the digest; one freed by moving others over an unconfirmed flow.
//   Confirmed flows are never evicted. When nothing is left the answer is kFull: the caller goes on
//   stateless, the packet is not dropped.
// - Time enters by advance() only. Entries hold a 20-bit expiry tick, so evicting one needs no knowledge of
//   its service's timeouts. advance() also sweeps a few buckets, paced so that expired entries are gone long
//   before 20 bits wrap, and expires all that is due at once after a pause too long for the pace: no stale
//   entry ever looks fresh.
//
// One thread (the owning lcore) calls everything but stats(), read_bucket(), flow_name() and the size
// accessors, which any thread may call at any time; they see each entry and number as of some recent moment.
// Nothing allocates, throws, or uses an atomic read-modify-write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "dataplane/flow/flow_buckets.h"
#include "dataplane/flow/flow_clock.h"
#include "dataplane/flow/flow_state.h"
#include "penstock/base/result.h"

namespace penstock {

/// One packet's question to find_bulk(). `backend` is the answer, kNoBackend on a miss.
struct FlowLookup {
  std::uint64_t digest = 0;
  const IdleTicks* idle = nullptr;  // of the packet's service
  PacketKind kind = PacketKind::kAck;
  BackendIndex backend = kNoBackend;
};

/// kPortable is the twin of kSimd without vector instructions; both are always built and must never differ.
enum class TagMatch : std::uint8_t { kSimd, kPortable };

template <TagMatch kMatch>
class BasicFlowTable : public FlowBuckets {
 public:
  /// Lays out an empty table in `memory`: 64-byte aligned, best on hugepages, at least required_bytes(1),
  /// used whole. It must outlive the table. fingerprint: identifies the hash key and the meaning of the
  /// backend indexes. InvalidArgument where the memory does not fit.
  static Result<BasicFlowTable> create(std::span<std::byte> memory, std::uint64_t fingerprint, Tick now);

  /// Takes over the table that another process left in `memory`, flows included; drops what expired
  /// meanwhile. FailedPrecondition when it was not made by create() with this layout, size and fingerprint,
  /// or when `now` is before the time of its last use. The memory is unchanged then.
  static Result<BasicFlowTable> attach(std::span<std::byte> memory, std::uint64_t fingerprint, Tick now);

  /// Asks for the home bucket's cache line. Call it for a whole burst, some work ahead of the lookups.
  void prefetch(std::uint64_t digest) const noexcept { __builtin_prefetch(&bucket(home_of(digest)), 1, 3); }

  /// The flow's backend, or kNoBackend; a hit takes the packet into account (state, expiry).
  /// A SYN that finds a closing or reset flow begins another connection: a miss, and insert() will replace
  /// the flow.
  BackendIndex find_and_refresh(std::uint64_t digest, PacketKind kind, const IdleTicks& idle) noexcept;

  /// The flow's backend, or kNoBackend; nothing is taken into account.
  [[nodiscard]] BackendIndex find(std::uint64_t digest) const noexcept {
    const FlowSlot at = locate(digest);
    return at.found() ? flow_word::backend(bucket(at.bucket).words[at.slot]) : kNoBackend;
  }

  /// find_and_refresh() for a burst whose home buckets were prefetched. The cache misses on second buckets
  /// overlap as well.
  void find_bulk(std::span<FlowLookup> burst) noexcept;

  /// Enters a flow that was just looked up in vain, or replaces the backend of one that is present (its state
  /// then begins anew). backend: < kNoBackend.
  InsertResult insert(std::uint64_t digest, BackendIndex backend, PacketKind kind,
                      const IdleTicks& idle) noexcept;

  /// Forgets the flow. False if it is not there.
  bool erase(std::uint64_t digest) noexcept;

 private:
  explicit BasicFlowTable(FlowBuckets&& buckets) noexcept : FlowBuckets(std::move(buckets)) {}
  [[nodiscard]] FlowSlot locate(std::uint64_t digest) const noexcept;
};

extern template class BasicFlowTable<TagMatch::kSimd>;
extern template class BasicFlowTable<TagMatch::kPortable>;

using FlowTable = BasicFlowTable<TagMatch::kSimd>;
using PortableFlowTable = BasicFlowTable<TagMatch::kPortable>;

}  // namespace penstock
