// The one place where the running configuration changes: bytes -> validated document -> snapshot ->
// published. A refused configuration changes nothing. New next hops recompile the running document.
//
// Any thread; changes are serialised by a lock that the packet path never takes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "dataplane/config/compiler.h"
#include "dataplane/config/document.h"
#include "dataplane/config/next_hops.h"
#include "dataplane/config/publisher.h"
#include "dataplane/control/weight_overlay.h"
#include "penstock/base/result.h"
#include "penstock/config/vip_prefix.h"

namespace penstock::proto {
class UpdateWeightsRequest;
}

namespace penstock {

/// What applying a configuration needs from outside.
struct ApplierHooks {
  std::function<NextHops(std::span<const IpAddr>)> resolve;
  // Whether packets to a VIP reach the workers. A VIP is steered from before the first snapshot that knows it
  // until after the last one that does: the kernel never answers for it. Its ICMP error would end a client's
  // connection, while a packet dropped in the instant between is sent again.
  std::function<Status(const VipPrefix&)> steer;
  std::function<Status(const VipPrefix&)> unsteer;
  // Called before a snapshot is published, with what the backend indexes mean from then on. May be empty.
  std::function<void(const IndexPool&)> keep_indexes = {};
  // Called when a configuration has come to run. May be empty.
  std::function<void(const Document&)> running = {};
  // Called after a configuration was installed, under the applier's lock; not for new weights or next hops.
  // May be empty.
  std::function<void(const Document&, const Snapshot&)> installed = {};
  // Called with every configuration, and whenever they have changed, after the snapshot that knows them was
  // published; under the applier's lock. May be empty.
  std::function<void(const NextHops&)> reached = {};
};

class ConfigApplier {
 public:
  struct Verdict {
    bool accepted = false;
    std::uint64_t running_epoch = 0;
    std::uint64_t running_generation = 0;
    std::vector<Error> refusals;  // every problem found
  };

  /// nat_addresses: the gateway's own, which NAT services send from. inherited: see Compiler. nat_backups:
  /// those of other gateways to which answers may come here.
  ConfigApplier(Publisher& publisher, ApplierHooks hooks, std::vector<IpAddr> nat_addresses = {},
                std::span<const NamedIndex> inherited = {}, const std::vector<IpAddr>& nat_backups = {});

  /// Within one epoch generations only grow: an older one is refused, the running one is accepted again
  /// without effect, provided that it says the same. Another epoch replaces whatever runs.
  Verdict apply(const proto::DataplaneConfig& config);

  /// Lays weights over those of the running configuration and changes nothing else, its generation and next
  /// hops included. See WeightOverlay for what becomes of them with the next configuration.
  Verdict update_weights(const proto::UpdateWeightsRequest& update);

  /// The next hops of the running backends may have changed: compiles and publishes again.
  void refresh_next_hops();

  /// Drains whose deadline has come (reset_after_unix_seconds) are over from now on: compiles and publishes
  /// what that changes. Cheap as long as none has. The wall clock may be set; what is over stays so until the
  /// next configuration.
  void end_drains(std::uint64_t unix_seconds);

  /// Calls `read` with the running snapshot, which stays for that long.
  template <class Read>
  auto with_snapshot(Read read) const {
    const std::scoped_lock lock(mutex_);
    return read(publisher_.current());
  }

  // Without the lock: the heartbeat must not wait for a compilation.
  [[nodiscard]] std::uint64_t epoch() const { return epoch_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t generation() const { return generation_.load(std::memory_order_relaxed); }
  /// Of the weights that lie over the configured ones; 0: none do.
  [[nodiscard]] std::uint64_t weights_version() const {
    return weights_version_.load(std::memory_order_relaxed);
  }

 private:
  [[nodiscard]] std::optional<Error> out_of_order(const Document& next) const;
  [[nodiscard]] bool is_running(const Document& next) const;
  [[nodiscard]] std::vector<Error> nat_misfits(const Document& next) const;
  [[nodiscard]] std::vector<Error> misfits(const proto::UpdateWeightsRequest& update) const;
  Status install(Document next);
  void adopt(Document next);
  void take(WeightOverlay overlay);
  void end_drains_locked(std::uint64_t unix_seconds);
  Status publish(const Document& document, const Compiler::Touched* touched = nullptr);
  Verdict verdict(std::vector<Error> refusals) const;

  Publisher& publisher_;
  const ApplierHooks hooks_;
  const std::vector<IpAddr> nat_addresses_;
  const std::vector<IpAddr> answered_addresses_;  // those and the backups
  mutable std::mutex mutex_;
  Compiler compiler_;
  std::optional<Document> running_;  // with the weights that count
  WeightOverlay overlay_;            // of running_
  std::set<VipPrefix> steered_;
  NextHops next_hops_;                                    // of the running backends
  std::atomic<std::uint64_t> next_deadline_{UINT64_MAX};  // of the running drains, in Unix seconds
  std::atomic<std::uint64_t> epoch_{0};
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<std::uint64_t> weights_version_{0};
};

}  // namespace penstock
