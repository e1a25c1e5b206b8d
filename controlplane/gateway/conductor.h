// Conducts what the control plane asks of this gateway as a whole: announcing by policy, draining, upgrading
// the dataplane. The rules are DrainPolicy's and UpgradePolicy's; this is the thread that reads the traffic,
// runs the restart command and keeps the record, and that tells the guard which VIPs are wanted and how.
//
// The guard decides alone about withdrawal for silence; nothing here can delay it.
//
// set_orders() and report() may be called from any thread and return at once.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "controlplane/announce/child_process.h"
#include "controlplane/gateway/announcement_plan.h"
#include "controlplane/gateway/config_id.h"
#include "controlplane/gateway/dataplane_client.h"
#include "controlplane/gateway/drain_policy.h"
#include "controlplane/gateway/guard.h"
#include "controlplane/gateway/upgrade_policy.h"
#include "controlplane/gateway/upgrade_record.h"
#include "penstock/proto/gateway.pb.h"

namespace penstock {

class Conductor {
 public:
  struct Options {
    std::string state_dir;
    std::vector<std::string> restart_command;  // words; empty: upgrades are refused
    Nanoseconds restart_timeout = Nanoseconds::from_millis(30'000);
  };
  struct Report {
    proto::GatewayDrain drain;
    proto::GatewayUpgrade upgrade;
  };

  /// dataplane: a connection that nobody else waits for. Both outlive the conductor.
  Conductor(Options options, Guard& guard, DataplaneClient& dataplane);
  Conductor(const Conductor&) = delete;
  Conductor& operator=(const Conductor&) = delete;
  /// Ends a call under way; a restart command that still runs is left alone.
  ~Conductor();

  /// What DataplaneFeed says whenever it is settled: the VIPs that may be announced, the newest directive
  /// without its configuration, and which configuration runs.
  void set_orders(std::set<VipPrefix> vips, proto::GatewayDirective orders, ConfigId running);

  [[nodiscard]] Report report() const;

 private:
  struct Orders {
    std::set<VipPrefix> vips;
    proto::GatewayDirective directive;
    ConfigId config;
  };

  void run();
  [[nodiscard]] bool asks_for_new_upgrade(const Orders& orders) const;
  void begin_upgrade_if_new(const Orders& orders, Nanoseconds now);
  void read_traffic(Nanoseconds now);
  void step(const Orders& orders, Nanoseconds now);
  std::optional<UpgradeFacts::CommandEnd> restart(Nanoseconds now);
  [[nodiscard]] std::string unfit(const Orders& orders, Nanoseconds now) const;
  void publish(const Orders& orders, Nanoseconds now);

  const Options options_;
  Guard& guard_;
  DataplaneClient& dataplane_;

  // The conductor's thread only.
  DrainPolicy drain_;
  UpgradePolicy upgrade_;
  UpgradeRecord record_;
  bool record_damaged_ = false;
  std::optional<ChildProcess> command_;
  Nanoseconds command_began_{0};  // zero: not by this process
  std::set<std::string> forwarded_before_;
  Nanoseconds next_read_{0};
  std::optional<proto::DataplaneStats> stats_;  // as last read, unless the last attempt failed

  mutable std::mutex mutex_;  // what follows
  std::condition_variable wake_;
  std::optional<Orders> orders_;
  bool changed_ = false;
  bool stopping_ = false;
  Report report_;

  std::thread thread_;
};

}  // namespace penstock
