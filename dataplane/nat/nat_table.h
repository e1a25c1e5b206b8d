// The translated flows of one worker, found by the client's packets and by the backend's answers.
//
// Theory of operation
// - Sessions lie in an array of fixed size. One open-addressed index (linear probing, at most half full, no
//   tombstones) holds two references to each: under what the client's packets carry and under what the
//   answers carry. 32 bits of a keyed hash (XXH3-64) stand next to each reference; the whole key is compared,
//   because a mistaken match would deliver one client's bytes to another.
// - The index also is the register of ports: a source port is taken exactly if the answers' tuple is found.
// - A session enters unconfirmed and is confirmed once (NatProgress). When all are in use, the oldest
//   unconfirmed one makes room; confirmed ones are never evicted.
// - Time enters by advance() only. It sweeps some sessions on every call, all of them in about 10 s, and
//   enter() sweeps further when there is no room. Expired sessions are never found.
// - Whoever watches the table hears of confirmed sessions: of each once in a round of the sweep, and of its
//   end.
//
// One thread. Memory is taken by the constructor; nothing else allocates, locks or throws.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/flow/flow_clock.h"
#include "dataplane/hash/flow_hash.h"
#include "dataplane/nat/nat_phase.h"
#include "dataplane/nat/nat_tuple.h"
#include "dataplane/nat/proxy_stream.h"

namespace penstock {

/// How the client's packets came in, and answers leave: by the same port, to the MAC that they came from.
struct ClientPath {
  std::array<std::uint8_t, 12> macs{};  // of an answer: destination, then source
  std::array<std::uint8_t, 8> tags{};   // VLAN tags as on the wire
  std::uint16_t port = 0;
  std::uint8_t tag_bytes = 0;  // 0, 4 or 8
  std::uint8_t unused = 0;

  bool operator==(const ClientPath&) const = default;
};

struct alignas(64) NatSession {
  NatTuple client;  // C:c -> VIP:v
  Tick expires = 0;
  std::uint32_t service = 0;  // ServiceIndex
  std::uint32_t backend = 0;  // BackendIndex
  NatProgress progress;
  bool in_use = false;
  std::uint32_t next = 0;  // NatTable's lists
  std::uint32_t previous = 0;

  NatTuple answer;  // B:b -> N:n
  ClientPath path;

  ProxyStream proxy;
  bool adopted = false;            // another gateway has opened it
  std::uint64_t backend_name = 0;  // what follows only if sessions are replicated: as NatSessionRecord has it
  std::uint64_t opened_ms = 0;
};
static_assert(offsetof(NatSession, answer) == 64, "one cache line a direction");

/// Hears of the confirmed sessions of a table. Must not change the table.
class NatWatcher {
 public:
  /// The sweep passes the session. False: it is to be removed.
  virtual bool keep(NatSession& session) noexcept = 0;
  virtual void ended(const NatSession& session) noexcept = 0;

 protected:
  ~NatWatcher() = default;
};

class NatTable {
 public:
  /// sessions: 0 (nothing is ever entered) to kMaxNatFlows. key: random, kept secret. Throws std::bad_alloc.
  NatTable(std::size_t sessions, std::span<const std::uint8_t, 32> key);

  /// watcher: null, or lives as long as the table is used.
  void set_watcher(NatWatcher* watcher) noexcept { watcher_ = watcher; }

  /// at_once: sessions swept by this call at most; the default leaves no mark on a burst's latency.
  void advance(Tick now, std::size_t at_once = kSweepAtOnce) noexcept;

  /// Null if there is none. The pointer is good until the next call of enter() or remove().
  [[nodiscard]] NatSession* find_client(const NatTuple& packet) noexcept { return find(packet, kClientRef); }
  [[nodiscard]] NatSession* find_answer(const NatTuple& packet) noexcept { return find(packet, kAnswerRef); }

  /// The caller has looked for both in vain. A new session, not confirmed, that expires at the next tick
  /// unless it is touched; null if all others are confirmed.
  NatSession* enter(const NatTuple& client, const NatTuple& answer) noexcept;
  /// The same for one that is confirmed already.
  NatSession* enter_confirmed(const NatTuple& client, const NatTuple& answer,
                              const NatProgress& progress) noexcept;

  /// Takes a packet of the session into account.
  void touch(NatSession& session, NatSide side, std::uint8_t tcp_flags, const IdleTicks& idle) noexcept;

  void remove(NatSession& session) noexcept;

  [[nodiscard]] std::size_t capacity() const noexcept { return sessions_.size(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] Tick now() const noexcept { return now_; }

 private:
  static constexpr std::size_t kSweepAtOnce = 32;
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  static constexpr std::uint32_t kClientRef = 0;
  static constexpr std::uint32_t kAnswerRef = 1;

  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t ref = kNone;  // session index * 2 + direction
  };

  [[nodiscard]] std::uint32_t tag_of(const NatTuple& tuple) const noexcept {
    return static_cast<std::uint32_t>(
        XXH3_64bits_withSecret(&tuple, sizeof tuple, secret_.data(), HashSecret::kBytes));
  }
  [[nodiscard]] NatSession* find(const NatTuple& tuple, std::uint32_t direction) noexcept;
  [[nodiscard]] bool is_expired(const NatSession& session) const noexcept {
    return static_cast<std::int32_t>(now_ - session.expires) >= 0;
  }
  [[nodiscard]] std::uint32_t index_of(const NatSession& session) const noexcept {
    return static_cast<std::uint32_t>(&session - sessions_.data());
  }
  void index(const NatTuple& tuple, std::uint32_t ref) noexcept;
  void unindex(const NatTuple& tuple, std::uint32_t ref) noexcept;
  void sweep(std::size_t count) noexcept;
  void append_unconfirmed(std::uint32_t index) noexcept;
  void unlink_unconfirmed(NatSession& session) noexcept;

  HashSecret secret_;
  std::vector<NatSession> sessions_;
  std::vector<Slot> slots_;
  std::uint32_t mask_ = 0;
  std::uint32_t free_ = kNone;    // list by NatSession::next
  std::uint32_t oldest_ = kNone;  // unconfirmed ones, in the order in which they were entered
  std::uint32_t newest_ = kNone;
  std::size_t size_ = 0;
  std::size_t cursor_ = 0;
  std::size_t debt_ = 0;  // sessions that the sweep is behind
  Tick now_ = 0;
  NatWatcher* watcher_ = nullptr;
};

inline constexpr std::size_t kMaxNatFlows = std::size_t{1} << 24;

}  // namespace penstock
