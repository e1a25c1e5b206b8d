// Believes what peers tell of NAT sessions: keeps it where the workers look
// (dataplane/nat/foreign_sessions.h).
//
// A peer that dies says no more, and then its sessions matter most. So what it has told lives for the lease
// after its last word.
//
// The replication thread only.
#pragma once

#include "dataplane/nat/foreign_sessions.h"
#include "dataplane/sync/record.h"

namespace penstock {

class NatSink final : public SyncSink {
 public:
  /// As long as most services keep a silent connection.
  static constexpr Nanoseconds kDefaultLease = Nanoseconds::from_seconds(3600);

  explicit NatSink(ForeignSessions& sessions, Nanoseconds lease = kDefaultLease)
      : sessions_(sessions), lease_(lease) {}

  [[nodiscard]] SyncRecordType type() const noexcept override { return SyncRecordType::kNatSession; }
  /// False: not a session, or there is no room for it.
  bool put(const SyncRecord& record, std::uint8_t peer, Nanoseconds now) override;
  void erase(std::uint64_t key, std::uint8_t peer) override;
  void collect(const std::function<void(const SyncRecord&)>& tell) override;
  bool tick(Nanoseconds now) override;

 private:
  ForeignSessions& sessions_;
  Nanoseconds lease_;
};

}  // namespace penstock
