// A rule like Prequal's (Wydrowski et al., "Load is not what you should balance", NSDI '24): each gateway
// keeps a small pool of probe replies, sampled at each flow. Replies with more requests in flight than a
// quantile of those seen are hot. The cold one of lowest latency is taken; if all are hot, the one of fewest
// requests in flight. A reply that was used counts one request more, and is dropped after a few uses.
//
// The paper's probes are sent for each flow; here they come periodically. So a reply that is sampled again
// counts what this gateway sent there since, and its latency is what a node of that many requests would show,
// as the paper's is: the mean latency per request in flight, smoothed, times the requests in flight.
#pragma once

#include <array>
#include <vector>

#include "controlplane/simulation/policy.h"

namespace penstock::simulation {

class Prequal final : public Policy {
 public:
  struct Settings {
    std::size_t pool = 16;
    std::uint32_t probes_per_flow = 3;
    double hot_quantile = 0.84;
    std::uint32_t uses = 3;
    double most_age = 1;  // seconds
  };
  explicit Prequal(Settings settings) : settings_(settings) {}
  Prequal() : Prequal(Settings{}) {}

  struct Reply {
    PlacementIndex placement = load::kNone;
    double in_flight = 0;
    double latency_seconds = 0;
    double time = 0;
    std::uint32_t used = 0;
  };
  /// The rule by itself: an index into the pool (not empty); more than `hot` requests in flight are hot.
  [[nodiscard]] static std::size_t best(std::span<const Reply> pool, double hot);

  [[nodiscard]] std::string name() const override { return "prequal"; }
  void start(const View& view) override;
  [[nodiscard]] bool wants_probes() const override { return true; }
  void on_probe(const ProbeReply& reply, double now) override;
  [[nodiscard]] PlacementIndex choose(const NewFlow& flow, const View& view) override;

 private:
  static constexpr std::size_t kRemembered = 128;
  struct Pool {
    std::vector<Reply> replies;
    std::array<double, kRemembered> in_flight{};  // of replies seen, for the quantile
    std::size_t seen = 0;
    double hot = 0;
  };
  struct Heard {
    double time = -1;  // of the last probe; negative: none yet
    double in_flight = 0;
    double latency_per_flow = 0;  // seconds, smoothed
  };
  struct Sent {
    double since = -1;  // the probe that it counts from
    double flows = 0;
  };
  void sample(Pool& pool, const NewFlow& flow, const View& view);
  [[nodiscard]] Sent& sent(std::uint32_t gateway, NodeIndex node);

  Settings settings_;
  Random random_{0, 0};
  std::vector<Heard> heard_;              // per node
  std::vector<std::vector<Sent>> sent_;   // [gateway][node]
  std::vector<std::vector<Pool>> pools_;  // [gateway][service]
};

}  // namespace penstock::simulation
