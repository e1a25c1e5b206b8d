// Replication as a thread of its own: a UDP socket for the stream, TCP on the same port for snapshots, a scan
// of the sources four times a second, and the snapshot of a peer at the start.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dataplane/sync/snapshot_links.h"
#include "dataplane/sync/sync_engine.h"
#include "penstock/base/derived_key.h"
#include "penstock/base/result.h"

namespace penstock {

struct SyncThreadSettings {
  SyncAddress address;  // port 0: any
  SyncSettings engine;
};

/// Whether this gateway knows what its peers know.
enum class SyncStage : std::uint8_t {
  kOff,       // no peers
  kFetching,  // the snapshot of a peer is on its way
  kReady,
};

class SyncThread {
 public:
  /// The sources and sinks must outlive it; its thread alone calls them. Unavailable where the address cannot
  /// be bound.
  static Result<std::unique_ptr<SyncThread>> start(const SyncThreadSettings& settings,
                                                   std::vector<SyncSource*> sources,
                                                   std::vector<SyncSink*> sinks);
  ~SyncThread();
  SyncThread(const SyncThread&) = delete;
  SyncThread& operator=(const SyncThread&) = delete;

  // Any thread.

  /// Replaces the list; known peers are not disturbed. {gateway, "IP:PORT"} each. Refused as a whole, naming
  /// `peers[i].address`, if anything is wrong with any.
  [[nodiscard]] std::vector<Error> set_peers(const std::vector<std::pair<std::string, std::string>>& peers);
  /// Of the running configuration. The first one lets replication begin.
  void set_key(const DerivedKey& key);
  [[nodiscard]] SyncStage stage() const noexcept { return stage_.load(std::memory_order_acquire); }
  /// As of the last 50 ms.
  [[nodiscard]] SyncReport report() const;
  /// What it is bound to.
  [[nodiscard]] const SyncAddress& address() const noexcept { return address_; }

 private:
  SyncThread(const SyncThreadSettings& settings, SyncAddress address, Socket datagrams, Socket connections,
             std::vector<SyncSource*> sources, std::vector<SyncSink*> sinks);

  void run();
  void take_orders();
  void wait();
  void receive();
  void accept();
  std::vector<std::byte> answer(std::span<const std::byte> request);
  void begin_fetch();
  void fetch();
  void finish_fetch(const std::string& how);
  void sweep(Nanoseconds now);
  void on_time();
  [[nodiscard]] SyncTime time() const;

  const SyncAddress address_;
  const Socket datagrams_;
  const Socket connections_;
  const Socket wake_;
  const std::vector<SyncSink*> sinks_;
  const std::size_t snapshot_limit_;
  SyncEngine engine_;

  // Orders from other threads.
  mutable std::mutex mutex_;
  std::optional<std::vector<SyncPeer>> new_peers_;
  std::optional<DerivedKey> new_key_, key_;
  SyncReport report_;
  bool fetched_once_ = false;
  std::atomic<SyncStage> stage_{SyncStage::kOff};
  std::atomic<bool> stopping_{false};

  // The thread's.
  std::optional<SnapshotServer> server_;
  std::optional<SnapshotFetch> fetch_;

  std::size_t next_peer_ = 0;
  Nanoseconds fetch_by_;
  Nanoseconds next_attempt_;
  std::deque<SnapshotNonce> nonces_;  // of the latest requests
  Nanoseconds next_tick_, next_scan_, next_sweep_, next_report_;
  std::thread thread_;
};

}  // namespace penstock
