// The NAT sessions of this gateway, as its peers are told of them.
//
// The workers push what happens to their sessions into rings (dataplane/nat/nat_events.h) and tell of each
// again in about 10 s. A session of which nothing has been heard for six such rounds has ended: its last
// event was lost.
//
// The replication thread only.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "dataplane/nat/nat_events.h"
#include "dataplane/sync/record.h"

namespace penstock {

class NatSource final : public SyncSource {
 public:
  /// Younger sessions are not told of: most of them end soon.
  static constexpr Nanoseconds kMinAge = Nanoseconds::from_seconds(1);
  static constexpr Nanoseconds kForgottenAfter = Nanoseconds::from_seconds(60);

  /// events: of the workers; they must outlive this.
  explicit NatSource(std::span<NatEvents* const> events) : events_(events.begin(), events.end()) {}

  void collect(Nanoseconds now, const std::function<void(const SyncRecord&)>& tell) override;

  [[nodiscard]] std::size_t size() const noexcept { return sessions_.size(); }

 private:
  struct Session {
    NatSessionRecord record;
    Nanoseconds first_heard{};
    Nanoseconds last_heard{};
  };

  void take(const NatEvent& event, Nanoseconds now);

  std::vector<NatEvents*> events_;
  std::unordered_map<std::uint64_t, Session> sessions_;  // by SyncRecord::key
};

}  // namespace penstock
