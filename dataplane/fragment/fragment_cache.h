// Which backend the fragments of a datagram go to (RFC 791, RFC 8200 section 4.5): only the first one has
// the ports, the others must follow it.
//
// Theory of operation
// - A datagram is named by a keyed 128-bit hash of addresses, identification and (IPv4) protocol; nobody
//   without the key can make two datagrams meet. 4,096 of them are remembered in sets of four, for two
//   seconds each. The set depends on the source and four bits of the name, so that one source, whatever it
//   sends, reaches 16 of the 1,024 sets. A newcomer replaces a dead datagram of its set, else the oldest.
// - A datagram without a known backend keeps up to eight later fragments, whose bytes are copied (at most
//   2 KiB each), until the first one comes. 512 are kept in all, and at most 64 of sources that share one of
//   64 pools; when none is free the oldest gives way: it is the one least likely to be asked for.
// - The ranges seen so far tell overlaps, which no honest sender produces: the datagram is dead then, with
//   all that follows (RFC 5722 for IPv6; for IPv4 against RFC 1858's rewriting of ports). An exact duplicate
//   is none: networks make them. A datagram whose ranges are complete is forgotten at once, so that its
//   identification may be used again.
//
// One per worker; not thread-safe. Memory is allocated in the constructor only (about 1.7 MB).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/fragment/fragment_part.h"
#include "dataplane/hash/flow_hash.h"
#include "penstock/base/units.h"

namespace penstock {

inline constexpr std::size_t kFragmentDatagrams = 4096;
inline constexpr std::size_t kHeldFragments = 512;
inline constexpr std::size_t kHeldPerDatagram = 8;
inline constexpr std::size_t kHeldPerPool = 64;
inline constexpr std::uint32_t kHeldBytes = 2048;  // the frame with its Ethernet header
inline constexpr std::size_t kSeenRanges = 16;
inline constexpr Nanoseconds kFragmentTimeout = Nanoseconds::from_seconds(2);

/// Where the first fragment's flow goes. `hash`, `service` and `backend` are the pipeline's.
struct DatagramFlow {
  std::uint64_t hash = 0;
  std::uint32_t service = 0;
  std::uint32_t backend = 0;
};

/// What identifies a datagram.
struct DatagramName {
  const std::uint8_t* addresses;  // source, then destination
  std::uint32_t id;
  std::uint8_t protocol;  // IPv4 only: an IPv6 fragment that is not the first does not tell it
  bool is_v6;
};

/// What becomes of a fragment.
enum class FragmentVerdict : std::uint8_t {
  kFirst,    // has the ports: learn() or refuse() what they say
  kKnown,    // goes where Datagram::flow says
  kWaits,    // the first one has not come: hold() it
  kRefused,  // of a datagram that goes nowhere, or has more gaps than can be remembered
  kOverlap,  // overlaps another, or belongs to a datagram in which two did
};

class Datagram {
 public:
  [[nodiscard]] const DatagramFlow& flow() const noexcept { return flow_; }

 private:
  friend class FragmentCache;

  enum class State : std::uint8_t { kFree, kWaiting, kKnown, kRefused, kOverlapped };
  struct Range {  // bytes, the last one not included
    std::uint16_t begin;
    std::uint16_t end;
  };

  std::array<std::uint64_t, 2> name_{};
  Nanoseconds born_{};
  DatagramFlow flow_;
  std::array<Range, kSeenRanges> seen_;               // sorted, disjoint
  std::array<std::uint16_t, kHeldPerDatagram> held_;  // slots, in order of arrival
  std::uint32_t total_ = 0;                           // length, once the last fragment was seen
  State state_ = State::kFree;
  std::uint8_t seen_count_ = 0;
  std::uint8_t held_count_ = 0;
  std::uint8_t pool_ = 0;
};

/// A copy of a frame that waits. `bytes` has kHeldHeadroom writable bytes in front of it.
struct HeldFragment {
  std::uint8_t* bytes;
  std::uint32_t length;
  std::uint16_t ingress_port;
  std::uint8_t tag_bytes;
  std::array<std::uint8_t, 8> tags;
};
inline constexpr std::uint32_t kHeldHeadroom = 128;

class FragmentCache {
 public:
  /// key: 32 random bytes of the worker's own. Throws std::bad_alloc (start-up only).
  explicit FragmentCache(std::span<const std::uint8_t, 32> key);

  struct Admission {
    FragmentVerdict verdict;
    Datagram* datagram;  // valid until the next admit() or expire(); never null
  };
  /// Takes a fragment into account. `part` is sound (fragment_part.h).
  Admission admit(const DatagramName& name, const FragmentPart& part, Nanoseconds now) noexcept;

  /// After kFirst: the datagram's flow.
  void learn(Datagram& datagram, const DatagramFlow& flow) noexcept;
  /// After kFirst: the datagram goes nowhere; what waits is dropped.
  void refuse(Datagram& datagram) noexcept;
  /// After kWaits. False if there is no room, or it is too long.
  bool hold(Datagram& datagram, const HeldFragment& frame, Nanoseconds now) noexcept;

  /// After learn(): the next fragment that waited, in order of arrival; bytes == nullptr: none is left. Its
  /// bytes stay untouched until the next hold().
  HeldFragment release(Datagram& datagram) noexcept;
  /// After the fragment was dealt with, and what waited for it: a complete datagram is forgotten.
  void finish(Datagram& datagram) noexcept;

  /// Drops what has waited too long.
  void expire(Nanoseconds now) noexcept;

  /// Fragments that wait now.
  [[nodiscard]] std::size_t held() const noexcept { return held_; }
  /// Fragments that waited in vain, of all time.
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

 private:
  static constexpr std::size_t kWays = 4;
  static constexpr std::size_t kSets = kFragmentDatagrams / kWays;
  static constexpr std::size_t kPools = 64;
  static constexpr std::uint16_t kNone = 0xffff;

  // A place for one held frame. Those in use form a list by age.
  struct Slot {
    HeldFragment frame;
    Nanoseconds since;
    Datagram* owner;
    std::uint16_t older;
    std::uint16_t newer;
  };

  struct Place {
    std::array<std::uint64_t, 2> name;
    std::size_t set;
    std::uint8_t pool;
  };
  [[nodiscard]] Place place_of(const DatagramName& name) const noexcept;
  Datagram& find_or_begin(const Place& place, Nanoseconds now) noexcept;
  void begin(Datagram& datagram, const Place& place, Nanoseconds now) noexcept;
  void drop_held(Datagram& datagram) noexcept;
  std::uint16_t take_slot(std::uint8_t pool) noexcept;
  void lose(std::uint16_t slot) noexcept;
  void free_slot(std::uint16_t slot) noexcept;

  HashSecret secret_;
  std::unique_ptr<Datagram[]> datagrams_;
  std::unique_ptr<Slot[]> slots_;
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::array<std::uint16_t, kHeldFragments> free_;
  std::array<std::uint16_t, kPools> pool_held_{};
  std::size_t held_ = 0;
  std::uint64_t lost_ = 0;
  std::uint16_t oldest_ = kNone;
  std::uint16_t newest_ = kNone;
};

}  // namespace penstock
