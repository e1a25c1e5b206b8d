// One peer: the sessions of both directions, what it has to be told, and what it has told (its mirror).
// Private to sync/: the engine owns the links. The replication thread only.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "dataplane/sync/batch.h"
#include "dataplane/sync/groups.h"
#include "dataplane/sync/record_set.h"
#include "dataplane/sync/replay_window.h"
#include "dataplane/sync/sync_address.h"
#include "penstock/base/units.h"

namespace penstock {

/// Monotonic for deadlines, wall for what crosses machines.
struct SyncTime {
  Nanoseconds now;
  std::uint64_t wall_ms = 0;
};

struct SyncPeer {
  std::string gateway;
  SyncAddress address;
  bool operator==(const SyncPeer&) const = default;
};

struct SyncPeerReport {
  SyncPeer peer;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t lost = 0;
  std::uint64_t recovered = 0;
  std::uint64_t groups = 0;
  std::uint64_t groups_beyond = 0;  // of them, not restorable
  std::uint64_t repaired = 0;
  std::uint64_t records = 0;  // that it tells
  std::uint64_t silent_ms = 0;
};

inline constexpr std::size_t kSyncRecordTypes = 2;
constexpr std::size_t type_index(SyncRecordType type) noexcept { return static_cast<std::size_t>(type) - 1; }

/// What all links of an engine have in common.
struct LinkContext {
  GroupShape shape;
  std::size_t capacity = 0;   // records of one type that a peer may tell
  std::uint64_t session = 0;  // ours
  std::uint64_t started_ns = 0;
  std::optional<SyncKey> key;
  std::array<RecordSet, kSyncRecordTypes> own;
  std::array<SyncSink*, kSyncRecordTypes> sinks{};
  std::function<void(const SyncAddress&, std::span<const std::byte>)> send;
  /// The peer has ended the record; another one may still tell it.
  std::function<void(SyncRecordType, std::uint64_t key, std::uint8_t peer, Nanoseconds now)> forget;
};

class PeerLink final : private BatchReader {
 public:
  PeerLink(LinkContext& context, SyncPeer peer, std::uint8_t number);

  /// A datagram that open() let pass. False: refused as a replay.
  [[nodiscard]] bool receive(const OpenedDatagram& datagram, SyncTime time, bool& malformed);
  /// Sends what is due. budget: records that may still be sent now.
  void tick(SyncTime time, std::size_t& budget);
  /// The record was put or has ended here.
  void changed(SyncRecordType type, std::uint64_t key);
  /// Tells the sinks again what the peer has told, within half a second: they may know more backends now.
  void renew_soon() noexcept { hurry_ = true; }

  [[nodiscard]] const SyncPeer& peer() const noexcept { return peer_; }
  [[nodiscard]] std::uint8_t number() const noexcept { return number_; }
  [[nodiscard]] bool tells(SyncRecordType type, std::uint64_t key, SyncRecord& out) const {
    return mirrors_[type_index(type)].find(key, out);
  }
  [[nodiscard]] SyncPeerReport report(Nanoseconds now) const;

 private:
  struct Range {
    SyncRecordType type;
    unsigned bits;
    std::uint32_t number;
    auto operator<=>(const Range&) const = default;
  };

  void on_put(const SyncRecord& record) override;
  void on_end(SyncRecordType type, std::uint64_t key) override;
  void on_content(SyncRecordType type, std::uint64_t low, std::uint64_t high,
                  std::span<const SyncRecord> records) override;
  void on_digest(SyncRecordType type, unsigned bits, std::uint32_t first,
                 std::span<const std::uint32_t> checksums) override;
  void on_ask(SyncRecordType type, unsigned bits, std::span<const std::uint32_t> ranges) override;

  [[nodiscard]] bool fits_session(const DatagramHeader& header, SyncTime time);
  void begin_session(const DatagramHeader& header, SyncTime time);
  bool believe(const SyncRecord& record);
  void tell_changes(std::size_t& budget);
  void tell_ranges(std::size_t& budget);
  void tell_digests(SyncTime time);
  void flush(SyncTime time);
  void emit(DatagramHeader header, std::span<const std::byte> payload, SyncTime time);
  void say_hello(SyncTime time);
  void renew(Nanoseconds now);

  LinkContext& context_;
  const SyncPeer peer_;
  const std::uint8_t number_;

  // From us.
  GroupSender sender_;
  BatchWriter writer_;
  std::uint64_t sequence_ = 0;
  std::deque<std::pair<SyncRecordType, std::uint64_t>> changes_;
  std::set<Range> asked_;
  bool urgent_ = false;  // what is in the writer is to be sent at the next tick
  Nanoseconds writing_since_;
  Nanoseconds next_digest_;
  Nanoseconds last_digest_;
  Nanoseconds next_hello_;

  // From it.
  std::uint64_t session_ = 0;  // 0: not known
  std::uint64_t session_started_ = 0;
  ReplayWindow window_;
  GroupReceiver receiver_;
  std::array<RecordSet, kSyncRecordTypes> mirrors_;
  Nanoseconds heard_;
  Nanoseconds time_;  // of the datagram that is being read
  bool malformed_ = false;
  bool hurry_ = false;
  std::array<std::size_t, kSyncRecordTypes> cursors_{};
  SyncPeerReport counts_;
};

}  // namespace penstock
