// The flow table's memory: where entries lie, how they are placed, moved, expired and taken over by a later
// process. What the pipeline calls, and the theory, is in flow_table.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/flow/flow_bucket.h"
#include "penstock/base/result.h"

namespace penstock {

enum class InsertResult : std::uint8_t {
  kInserted,  // into a free or expired slot
  kReplaced,  // the flow was there and has the new backend now
  kEvicted,   // an unconfirmed flow gave way
  kFull,      // no room among confirmed flows: not entered, go on stateless
  kIgnored,   // a FIN or RST of an unknown flow is not worth an entry
};

/// The numbers since create(), surviving attach().
struct FlowTableStats {
  std::uint64_t size = 0;       // entries, expired ones included until they are swept or reused
  std::uint64_t confirmed = 0;  // of them, those that no newcomer can evict
  std::uint64_t inserted = 0;   // newcomers entered, evictions included
  std::uint64_t evicted = 0;
  std::uint64_t full = 0;
  std::uint64_t expired = 0;
  std::uint64_t moved = 0;  // entries moved to their other bucket to make room
};

/// One entry for a dump. The owner may change it meanwhile: fields can then stem from two moments.
struct FlowRecord {
  std::uint64_t name = 0;  // FlowBuckets::flow_name() of its digest
  BackendIndex backend = kNoBackend;
  FlowState state = FlowState::kFree;
  Tick remaining =
      0;  // ticks until it expires if it stays silent; idle time = the service's IdleTicks - remaining
};

/// Where an entry lies; found() is false for none.
struct FlowSlot {
  std::uint32_t bucket = 0;
  std::uint32_t slot = kSlotsPerBucket;
  [[nodiscard]] bool found() const noexcept { return slot < kSlotsPerBucket; }
};

class FlowBuckets {
 public:
  /// Bytes for `capacity` flows at a load of 85 %: 15.06 a flow and one page.
  [[nodiscard]] static std::size_t required_bytes(std::size_t capacity) noexcept;

  FlowBuckets(FlowBuckets&&) noexcept = default;
  FlowBuckets& operator=(FlowBuckets&&) noexcept = default;
  FlowBuckets(const FlowBuckets&) = delete;
  FlowBuckets& operator=(const FlowBuckets&) = delete;

  /// Sets the table's time, never backwards, and sweeps a few buckets (paced for a round in about 70 s).
  /// Once per poll, before the lookups. Costs two loads when nothing is due.
  void advance(Tick now) noexcept {
    if (now != header_->clock || header_->debt != 0) advance_slowly(now);
  }
  [[nodiscard]] Tick now() const noexcept { return observe(header_->clock); }

  [[nodiscard]] std::size_t bucket_count() const noexcept { return bucket_count_; }
  [[nodiscard]] std::size_t slot_count() const noexcept { return bucket_count_ * kSlotsPerBucket; }
  /// Flows that the table holds at its design load of 85 %.
  [[nodiscard]] std::size_t capacity() const noexcept { return slot_count() * 17 / 20; }
  [[nodiscard]] FlowTableStats stats() const noexcept;

  /// The living entries of one bucket, for a dump: fills `out` from the front and returns how many.
  std::size_t read_bucket(std::size_t index, std::span<FlowRecord, kSlotsPerBucket> out) const noexcept;
  /// The name under which a dump lists a flow: the digest itself in tables of more than 65,536 buckets, in
  /// smaller ones the least digest that this table cannot tell from it.
  [[nodiscard]] std::uint64_t flow_name(std::uint64_t digest) const noexcept;

 protected:
  static Result<FlowBuckets> lay_out(std::span<std::byte> memory, std::uint64_t fingerprint, Tick now);
  static Result<FlowBuckets> take_over(std::span<std::byte> memory, std::uint64_t fingerprint, Tick now);

  [[nodiscard]] std::uint32_t home_of(std::uint64_t digest) const noexcept {
    return mulhi(digest, bucket_count_);
  }
  /// The other one of the two buckets of an entry that lies in `bucket`. The same bucket for one tag in
  /// bucket_count.
  [[nodiscard]] std::uint32_t other_of(std::uint32_t bucket, std::uint64_t digest) const noexcept {
    // The multiplier is odd and its bits are even-handed (2^64 / golden ratio): the top of the product mixes
    // the tag.
    const std::uint32_t sum = mulhi((digest & flow_word::kTagMask) * 0x9e37'79b9'7f4a'7c15, bucket_count_);
    return sum >= bucket ? sum - bucket : sum + static_cast<std::uint32_t>(bucket_count_) - bucket;
  }
  [[nodiscard]] FlowBucket& bucket(std::uint32_t index) const noexcept { return buckets_[index]; }
  [[nodiscard]] FlowTableHeader& header() const noexcept { return *header_; }

  /// Finds room for an absent flow and writes it. word: without the displaced bit.
  InsertResult place(std::uint64_t digest, std::uint64_t word) noexcept;
  void clear(FlowSlot at) noexcept;

 private:
  FlowBuckets(FlowTableHeader* header, FlowBucket* buckets, std::size_t bucket_count) noexcept
      : header_(header), buckets_(buckets), bucket_count_(bucket_count) {}

  static std::uint32_t mulhi(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint32_t>(static_cast<Wide>(a) * b >> 64);
  }

  void advance_slowly(Tick now) noexcept;
  void sweep(std::uint64_t buckets) noexcept;
  void sweep_bucket(std::uint32_t index) noexcept;
  void expire_all(Tick now) noexcept;
  void recount() noexcept;
  [[nodiscard]] bool has_twin_at_home(FlowSlot at, const FlowBucket& home) const noexcept;

  [[nodiscard]] FlowSlot vacant_slot(std::uint32_t index) const noexcept;
  [[nodiscard]] FlowSlot unconfirmed_slot(std::uint32_t index, std::uint64_t digest) const noexcept;
  /// What a search for room may do: move any entry into a vacant slot, or unconfirmed ones only; or move any
  /// entry into the slot of an unconfirmed one.
  enum class Search : std::uint8_t { kMoveAny, kMoveUnconfirmed, kEvict };
  /// Moves entries along the shortest chain that ends at a hole; answers a free slot of one of the two.
  [[nodiscard]] FlowSlot make_room(std::uint32_t home, std::uint32_t second, std::uint64_t digest,
                                   Search search) noexcept;
  [[nodiscard]] FlowSlot find_room(std::uint32_t home, std::uint32_t second, std::uint64_t digest) noexcept;
  void vacate(FlowSlot at) noexcept;  // expired, unconfirmed or free
  void move(FlowSlot from, FlowSlot to) noexcept;
  void reclaim(FlowSlot at) noexcept;  // expired or free
  void occupy(FlowSlot at, std::uint64_t digest, std::uint64_t word, std::uint32_t home) noexcept;

  /// The low 48 bits of the entry's digest.
  [[nodiscard]] std::uint64_t tag_at(FlowSlot at) const noexcept;
  [[nodiscard]] std::uint64_t name_of(std::uint64_t home, std::uint64_t tag) const noexcept;

  FlowTableHeader* header_;
  FlowBucket* buckets_;
  std::size_t bucket_count_;
};

}  // namespace penstock
