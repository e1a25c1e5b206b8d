// Lays over the running configuration the weights that the control plane last told, for as long as they are
// told for what runs: at once when they come, and again when their configuration comes to run or the
// dataplane has restarted. Losing the control plane changes nothing: the dataplane keeps what it has, and a
// restarted one gets it again. Not kept on disk: weights of an hour ago say less than the configured ones.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "controlplane/gateway/backoff.h"
#include "controlplane/gateway/config_id.h"
#include "controlplane/gateway/dataplane_client.h"
#include "penstock/proto/dataplane.pb.h"

namespace penstock {

/// One thread of its own, so that neither the session nor an apply that takes seconds holds it up. Any thread
/// may call the members; they return at once.
class WeightRelay {
 public:
  struct Counts {
    std::uint64_t taken = 0;    // calls that the dataplane accepted
    std::uint64_t refused = 0;  // calls that it refused
    std::uint64_t late = 0;     // words that were older than one that had come
  };

  /// `dataplane` outlives the relay, which alone uses it.
  explicit WeightRelay(DataplaneClient& dataplane);
  WeightRelay(const WeightRelay&) = delete;
  WeightRelay& operator=(const WeightRelay&) = delete;
  /// Ends a call under way as well.
  ~WeightRelay();

  /// Replaces the word before, unless that is newer: of a later configuration, or version, of the same epoch.
  void submit(proto::UpdateWeightsRequest word);

  /// What a beat says that the dataplane runs.
  void observe(ConfigId running);

  /// A new stream of beats began: a dataplane that may be another process than before.
  void reconnected();

  /// The services that the last word names, whose loads the control plane wants to know.
  [[nodiscard]] std::vector<std::string> services() const;
  [[nodiscard]] Counts counts() const;

 private:
  enum class Outcome { kSettled, kTryAgain };

  void run();
  [[nodiscard]] bool is_due() const;
  Outcome lay(const proto::UpdateWeightsRequest& word);
  void complain(const std::string& why);

  DataplaneClient& dataplane_;
  Backoff backoff_;        // the relay's thread only, and what follows
  std::string complaint_;  // the last one, which is not repeated

  mutable std::mutex mutex_;  // guards the following
  std::condition_variable wake_;
  std::optional<proto::UpdateWeightsRequest> word_;
  ConfigId running_;
  bool settled_ = false;  // the running dataplane has answered to word_ over running_
  bool stopping_ = false;
  Counts counts_;

  std::thread thread_;
};

}  // namespace penstock
