// Replication of records between gateways, without sockets and clocks: datagrams and time go in, datagrams
// and records come out.
//
// Theory of operation
// - collect() asks the sources what they have to tell. What is new, changed or ended goes to every peer in
//   groups protected by parity (groups.h), as fast as the rate allows.
// - Every 200 ms each peer gets digests: a checksum for each range of about 64 keys. It compares them with
// its
//   mirror of what we told, asks for the ranges that differ, and is sent their whole content. This closes
//   what parity could not, and carries the ends.
// - A datagram is believed if it comes from the address of a peer, carries the fleet's MAC, names both
//   gateways' present sessions, is not older than 30 s and was not seen before. All else is counted.
// - A peer that falls silent loses nothing: its records live on in the sinks until their leases end.
//
// One thread, the replication's.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/sync/datagram.h"
#include "dataplane/sync/peer_link.h"
#include "dataplane/sync/record.h"

namespace penstock {

struct SyncSettings {
  GroupShape shape;
  std::uint32_t records_per_second = 500'000;  // to all peers together
  std::size_t capacity = 1'000'000;            // records of each type: own ones, and those of each peer
};

struct SyncReport {
  std::uint64_t replicated = 0;
  std::array<std::uint64_t, kRefusals> refused{};  // by Refusal
  std::vector<SyncPeerReport> peers;
};

class SyncEngine {
 public:
  using Send = std::function<void(const SyncAddress& to, std::span<const std::byte> datagram)>;
  using Tell = std::function<void(const SyncRecord&)>;

  /// session: random, not 0. The sources and sinks must outlive the engine; at most one sink a type.
  SyncEngine(const SyncSettings& settings, std::uint64_t session, std::uint64_t wall_ns,
             std::vector<SyncSource*> sources, std::vector<SyncSink*> sinks, Send send);

  /// Until then nothing is sent or believed.
  void set_key(const DerivedKey& key);
  [[nodiscard]] const SyncKey* key() const noexcept { return context_.key ? &*context_.key : nullptr; }
  /// Peers that stay are not disturbed. At most 255.
  void set_peers(const std::vector<SyncPeer>& peers);
  [[nodiscard]] bool has_peers() const noexcept { return !links_.empty(); }
  [[nodiscard]] std::vector<SyncPeer> peers() const;

  void receive(const SyncAddress& from, std::span<const std::byte> datagram, SyncTime time);
  /// Every 10 ms.
  void tick(SyncTime time);
  /// Scans the sources.
  void collect(Nanoseconds now);
  /// A new configuration runs: sinks may now know backends that they did not.
  void renew_soon();

  /// Everything that a new gateway should know: our records, and those that we were told.
  void snapshot(const Tell& tell) const;
  /// From a snapshot of `from`.
  void believe(const SyncRecord& record, const SyncAddress& from, Nanoseconds now);
  void count(Refusal refusal) noexcept { ++refused_[static_cast<std::size_t>(refusal)]; }

  [[nodiscard]] SyncReport report(Nanoseconds now) const;

 private:
  void forget(SyncRecordType type, std::uint64_t key, std::uint8_t peer, Nanoseconds now);
  [[nodiscard]] PeerLink* link_of(const SyncAddress& address) noexcept;
  [[nodiscard]] std::uint8_t free_number() const;

  const SyncSettings settings_;
  const std::vector<SyncSource*> sources_;
  LinkContext context_;
  std::vector<std::unique_ptr<PeerLink>> links_;
  std::array<std::uint64_t, kRefusals> refused_{};
  std::size_t first_ = 0;  // whose turn it is to send first
  Nanoseconds last_tick_;
  std::uint64_t credit_ = 0;  // records times 10^9
};

}  // namespace penstock
