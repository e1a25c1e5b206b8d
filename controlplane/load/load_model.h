// What a unit of a service's traffic costs its node in each dimension, learned online from the nodes'
// reports, with background load that is not ours; and each node's latency against its utilisation.
//
// Per node one linear model, whose regressors all dimensions share (one covariance, eight right-hand sides):
//   utilisation_k = background_k + sum_placements (new flows * c1_k + active flows * c2_k + bytes * c3_k) +
//   noise
// by recursive least squares with exponential forgetting (Ljung & Soderstrom 1983), see node_estimate.h.
// Reports that cannot be true are refused, named and counted; those that merely lie are cut as outliers and
// teach a bounded amount.
//
// Not thread-safe: one owner. No clock: times are the reports'. learn() does not allocate once a node's
// placements are known.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "controlplane/load/model_settings.h"
#include "controlplane/load/types.h"

namespace penstock::load {

// Every report given to learn() has one outcome: given = sum of count(outcome).
//                                     what it means
#define PENSTOCK_REPORT_OUTCOMES(X)                                                                          \
  X(kLearned, "learned")                                                                                     \
  X(kPartial, "partial")                      /* kept, but a busy placement is left out: costs not taught */ \
  X(kUnknownNode, "unknown_node")             /* never added, or removed */                                  \
  X(kUnknownPlacement, "unknown_placement")   /* never added, removed, or on another node */                 \
  X(kRepeatedPlacement, "repeated_placement") /* twice in one report */                                      \
  X(kNotANumber, "not_a_number")              /* NaN where one is needed, or infinite */                     \
  X(kOutOfRange, "out_of_range")              /* negative or beyond ModelSettings */                         \
  X(kStale, "stale")                          /* older than the node's last */                               \
  X(kDuplicate, "duplicate")                  /* as old as the node's last */                                \
  X(kFuture, "future")                        /* ahead of the clock beyond tolerance */                      \
  X(kEmpty, "empty")                          /* no dimension measured */

enum class ReportOutcome : std::uint8_t {
#define PENSTOCK_X(name, text) name,
  PENSTOCK_REPORT_OUTCOMES(PENSTOCK_X)
#undef PENSTOCK_X
};
#define PENSTOCK_X(name, text) +1
inline constexpr std::size_t kReportOutcomes = 0 PENSTOCK_REPORT_OUTCOMES(PENSTOCK_X);
#undef PENSTOCK_X

/// The outcome's name in metrics. Static storage.
[[nodiscard]] const char* name_of(ReportOutcome outcome);

/// Whether the report was taken: its utilisation, traffic and time are the node's last.
[[nodiscard]] constexpr bool accepted(ReportOutcome outcome) {
  return outcome == ReportOutcome::kLearned || outcome == ReportOutcome::kPartial;
}

class LoadModel {
 public:
  explicit LoadModel(ModelSettings settings = {});
  ~LoadModel();
  LoadModel(LoadModel&&) noexcept;
  LoadModel& operator=(LoadModel&&) noexcept;

  /// Indices are dense; those of removed nodes and placements are given again.
  NodeIndex add_node();
  /// Forgets the node and its placements. Unknown indices are ignored, here and below.
  void remove_node(NodeIndex node);
  /// Starts with what the service's other placements cost, or else its configured cost. kNone: no such node.
  PlacementIndex add_placement(ServiceIndex service, NodeIndex node);
  void remove_placement(PlacementIndex placement);

  /// What a new flow a second of the service is thought to cost (utilisation per flow/s; NaN and negative:
  /// not known) until its placements have told. For placements that no report has spoken of yet.
  void configure_cost(ServiceIndex service, const PerDimension& per_flow_rate);

  /// now: the caller's clock, in seconds, against which reports are from the future; without it none is.
  /// A placement of the node that the report leaves out was idle if it was idle before; otherwise the report
  /// is kPartial.
  ReportOutcome learn(const NodeReport& report, double now = std::numeric_limits<double>::infinity());

  /// Per new flow a second, the three units combined at the placement's own recent mix (the service's until
  /// it has one). Zero cost and confidence for unknown placements.
  [[nodiscard]] UnitCost cost(PlacementIndex placement) const;
  /// Zero curve and confidence until a latency was reported.
  [[nodiscard]] LatencyCurve latency(NodeIndex node) const;
  /// Utilisation that new flows do not explain, smoothed, >= 0; 0 for dimensions never measured. With that of
  /// flows that began long ago where no new ones come: no share of anything moves it.
  [[nodiscard]] PerDimension background(NodeIndex node) const;
  /// Of the last accepted report, NaN where absent.
  [[nodiscard]] PerDimension utilization(NodeIndex node) const;
  /// Time of the last accepted report in seconds; -inf if none.
  [[nodiscard]] double last_report(NodeIndex node) const;
  /// Of the last accepted report; zero if none.
  [[nodiscard]] Traffic traffic(PlacementIndex placement) const;
  /// Largest variance in the node's covariance, in squared utilisation: bounded by the prior's, for metrics.
  [[nodiscard]] double largest_variance(NodeIndex node) const;

  /// Reports with this outcome since the beginning.
  [[nodiscard]] std::uint64_t count(ReportOutcome outcome) const {
    return counts_[static_cast<std::size_t>(outcome)];
  }
  [[nodiscard]] const ModelSettings& settings() const { return settings_; }

 private:
  struct Node;
  struct Placement;
  struct Service;

  [[nodiscard]] const Node* node_at(NodeIndex node) const;
  [[nodiscard]] const Placement* placement_at(PlacementIndex placement) const;
  Service& service_at(ServiceIndex service);
  [[nodiscard]] ReportOutcome refuse(const NodeReport& report, double now);
  [[nodiscard]] ReportOutcome refuse_placement(const PlacementReport& report, NodeIndex node);
  ReportOutcome take(const NodeReport& report);
  void learn_latency(Node& node, const NodeReport& report);
  void learn_standing(Node& node, const PerDimension& measured);
  void teach_services(const Node& node);

  ModelSettings settings_;
  std::vector<std::unique_ptr<Node>> nodes_;  // null: removed
  std::vector<Placement> placements_;
  std::vector<std::unique_ptr<Service>> services_;  // null: not heard of
  std::vector<NodeIndex> free_nodes_;
  std::vector<PlacementIndex> free_placements_;
  std::uint64_t report_ = 0;  // marks placements that the report at hand has named
  std::array<std::uint64_t, kReportOutcomes> counts_{};
};

}  // namespace penstock::load
