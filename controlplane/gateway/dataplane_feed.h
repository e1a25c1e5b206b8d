// Keeps the dataplane running the newest configuration that it accepts, and says which VIPs that allows.
//
// Inputs: directives of the control plane, the last good directive on disk, and what the dataplane says it
// runs. The peers of a directive go to the dataplane too, before the configuration, and again whenever it has
// restarted. A refused configuration is reported and the accepted one stays; it is tried again when the
// dataplane restarts. A restarted dataplane (it runs nothing, or something else) gets the configuration
// again. An accepted one is saved before it is announced to anybody. Without a control plane everything goes
// on.
//
// One thread does all of it; submit(), observe(), reconnected() and running() may be called from any thread
// and return at once.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "controlplane/gateway/backoff.h"
#include "controlplane/gateway/config_id.h"
#include "controlplane/gateway/dataplane_client.h"
#include "controlplane/gateway/last_good.h"
#include "penstock/config/vip_prefix.h"
#include "penstock/proto/gateway.pb.h"

namespace penstock {

class DataplaneFeed {
 public:
  struct Outputs {
    std::function<void(const proto::ApplyConfigResponse&)>
        report;  // the answer to each directive, for the control plane
    /// The VIPs that the running configuration gives a reason to announce, the newest directive without its
    /// configuration, and which configuration runs; whenever one of them changes.
    std::function<void(std::set<VipPrefix>, const proto::GatewayDirective& orders, ConfigId)> settled;
  };

  /// Loads the last good directive and starts the thread. dataplane and last_good outlive the feed.
  DataplaneFeed(DataplaneClient& dataplane, const LastGood& last_good, Outputs outputs);
  DataplaneFeed(const DataplaneFeed&) = delete;
  DataplaneFeed& operator=(const DataplaneFeed&) = delete;
  /// Ends a call under way as well.
  ~DataplaneFeed();

  /// The newest directive replaces one that has not been looked at yet, but for its configuration if it
  /// brings none itself.
  void submit(proto::GatewayDirective directive);

  /// A new stream of beats began: a dataplane that may be another process than before, and knows no peers.
  void reconnected();

  /// What a beat says that the dataplane runs.
  void observe(ConfigId running);

  /// What the dataplane runs as far as known; none before the first contact.
  [[nodiscard]] ConfigId running() const;

  /// That the newest directive names, for the hello: a control plane that restarted knows them from there.
  [[nodiscard]] std::vector<proto::SyncPeer> peers() const;

 private:
  enum class Outcome { kSettled, kTryAgain };

  void run();
  void take(proto::GatewayDirective directive);
  bool push_peers();
  Outcome step();
  Outcome follow_config(ConfigId running);
  [[nodiscard]] const proto::DataplaneConfig* target() const;
  Outcome apply(const proto::DataplaneConfig& config);
  void settle(const proto::DataplaneConfig& config);
  void save();
  void set_running(std::optional<ConfigId> running);

  DataplaneClient& dataplane_;
  const LastGood& last_good_;
  const Outputs outputs_;

  // The feed's thread only.
  Backoff backoff_;
  std::optional<proto::GatewayDirective> orders_;  // the newest directive without its configuration
  bool peers_due_ = false;
  std::optional<proto::DataplaneConfig> desired_;   // of the newest directive
  std::optional<proto::DataplaneConfig> accepted_;  // what the dataplane last accepted
  bool from_disk_ = false;   // desired_ is the last good one, no directive has come yet
  bool answer_due_ = false;  // the control plane waits for the fate of desired_
  bool refused_ = false;     // desired_ was refused
  bool stuck_ = false;       // accepted_ was refused too
  bool reachable_ = true;
  using Settled = std::pair<ConfigId, std::string>;  // configuration, and orders_ serialised
  std::optional<Settled> saved_;
  std::optional<Settled> told_;

  mutable std::mutex mutex_;  // what follows
  std::condition_variable wake_;
  std::optional<proto::GatewayDirective> inbox_;
  std::optional<ConfigId> running_;
  std::vector<proto::SyncPeer> peers_;
  bool recheck_ = false;      // a beat contradicted running_
  bool reconnected_ = false;  // a new stream of beats
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace penstock
