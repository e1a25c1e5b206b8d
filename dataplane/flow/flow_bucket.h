// The layout of a flow table in memory. It is read by later processes: a change needs a new kLayoutVersion.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "dataplane/flow/flow_clock.h"
#include "dataplane/flow/flow_state.h"

namespace penstock {

/// Index of a backend in the snapshot's records. Opaque to the table, 24 bits.
using BackendIndex = std::uint32_t;
inline constexpr BackendIndex kNoBackend = 0xff'ffff;

inline constexpr std::size_t kSlotsPerBucket = 5;

/// One cache line. The first half holds what a lookup compares, so one vector load gets it.
struct alignas(64) FlowBucket {
  std::uint32_t displaced;  // how many flows with this home live in their second bucket
  std::uint32_t tags[kSlotsPerBucket];
  std::uint64_t words[kSlotsPerBucket];  // FlowWord; 0 = free
};
static_assert(sizeof(FlowBucket) == 64, "one cache line per probe");
static_assert(offsetof(FlowBucket, tags) == 4 && offsetof(FlowBucket, words) == 24);
static_assert(std::is_trivially_copyable_v<FlowBucket>);

/// bits 0–23 backend | 24–26 FlowState | 27 displaced | 28–47 expiry tick | 48–63 upper part of the tag.
namespace flow_word {
inline constexpr unsigned kStateShift = 24, kDisplacedShift = 27, kExpiryShift = 28, kTagShift = 48;
inline constexpr unsigned kExpiryBits = 20;
inline constexpr std::uint32_t kExpiryMask = (1U << kExpiryBits) - 1;
inline constexpr std::uint64_t kTagMask = (std::uint64_t{1} << 48) - 1;  // of the digest
inline constexpr std::uint64_t kDisplacedBit = std::uint64_t{1} << kDisplacedShift;

constexpr std::uint64_t make(std::uint64_t digest, BackendIndex backend, FlowState state,
                             Tick expiry) noexcept {
  return (backend & kNoBackend) | static_cast<std::uint64_t>(state) << kStateShift |
         static_cast<std::uint64_t>(expiry & kExpiryMask) << kExpiryShift | (digest >> 32) << kTagShift;
}
constexpr BackendIndex backend(std::uint64_t w) noexcept { return static_cast<BackendIndex>(w & kNoBackend); }
constexpr FlowState state(std::uint64_t w) noexcept { return static_cast<FlowState>(w >> kStateShift & 7); }
constexpr bool displaced(std::uint64_t w) noexcept { return (w & kDisplacedBit) != 0; }
constexpr Tick expiry(std::uint64_t w) noexcept { return static_cast<Tick>(w >> kExpiryShift) & kExpiryMask; }
constexpr bool has_tag_of(std::uint64_t w, std::uint64_t digest) noexcept {
  return w >> kTagShift == (digest >> 32 & 0xffff);
}
constexpr std::uint64_t with(std::uint64_t w, FlowState s, Tick expiry_tick) noexcept {
  constexpr std::uint64_t kKept =
      ~(std::uint64_t{7} << kStateShift | std::uint64_t{kExpiryMask} << kExpiryShift);
  return (w & kKept) | static_cast<std::uint64_t>(s) << kStateShift |
         static_cast<std::uint64_t>(expiry_tick & kExpiryMask) << kExpiryShift;
}
/// Ticks until the entry expires, 1–kMaxIdleTicks while it lives; anything else means that it has expired.
constexpr Tick remaining(std::uint64_t w, Tick now) noexcept { return (expiry(w) - now) & kExpiryMask; }
constexpr bool lives(std::uint64_t w, Tick now) noexcept {
  return state(w) != FlowState::kFree && remaining(w, now) - 1 < kMaxIdleTicks;
}
}  // namespace flow_word

inline constexpr std::uint64_t kFlowTableMagic = 0x776f6c666b747370;  // "pstkflow"
inline constexpr std::uint32_t kLayoutVersion = 1;

/// The first page of the memory. Written by the owner only.
struct alignas(64) FlowTableHeader {
  std::uint64_t magic;
  std::uint32_t layout_version;
  std::uint32_t slots_per_bucket;
  std::uint64_t bucket_count;
  std::uint64_t fingerprint;  // create()'s
  std::uint32_t tick_shift;
  std::uint32_t reserved;

  alignas(64) std::uint32_t clock;  // the Tick of the last advance()
  std::uint32_t round_started;      // when the sweep last passed bucket 0
  std::uint64_t cursor;             // bucket that is swept next
  std::uint64_t debt;               // buckets due for sweeping now

  alignas(64) std::uint64_t size;
  std::uint64_t confirmed;
  std::uint64_t inserted;
  std::uint64_t evicted;
  std::uint64_t full;
  std::uint64_t expired;
  std::uint64_t moved;
};
inline constexpr std::size_t kHeaderBytes = 4096;
static_assert(sizeof(FlowTableHeader) == 192 && sizeof(FlowTableHeader) <= kHeaderBytes);

/// The owner writes, any thread reads. Released in program order, so that a process killed anywhere leaves an
/// entry in two places rather than in none, and a free slot rather than a flow under a wrong tag. On x86-64
/// both are plain moves.
template <class T>
void publish(T& place, T value) noexcept {
  std::atomic_ref<T>(place).store(value, std::memory_order_release);
}
template <class T>
T observe(const T& place) noexcept {
  return std::atomic_ref<T>(const_cast<T&>(place)).load(std::memory_order_acquire);
}

}  // namespace penstock
