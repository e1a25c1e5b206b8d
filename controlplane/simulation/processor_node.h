// A node: flows share each of its rate dimensions.
//
// With one dimension this is egalitarian processor sharing: n flows progress at capacity / n each. With
// several it is dominant resource fairness (Ghodsi et al., NSDI '11) by progressive filling: all flows'
// dominant shares grow alike until a dimension is full; those that need it stop, the others go on. Flows of
// one service progress alike, so a virtual clock per service makes arrival and end O(log flows) plus
// O(services * dimensions). Occupancy beyond the capacity slows all flows by capacity / occupied: the node
// pages.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "controlplane/simulation/scenario.h"

namespace penstock::simulation {

using FlowId = std::uint32_t;

/// Integrals over time since the start; differences of two over their span are means.
struct NodeIntegrals {
  PerDimension used{};        // utilisation * seconds
  PerDimension background{};  // the part of it that no flow makes
  double active = 0;          // flows * seconds
  double powered = 0;         // seconds that it was not parked or dead
};

class ProcessorNode {
 public:
  static constexpr double kNever = std::numeric_limits<double>::infinity();

  /// `work`: of each service that has a backend here; services are named by their place in it below.
  ProcessorNode(const Node& node, std::vector<PerDimension> work);

  /// Moves its clock; everything below is as of this time. Never backwards, never beyond next_end().
  void advance(double now);
  void add(std::uint32_t service, FlowId flow, double size);
  /// The moment of the next end if nothing comes before; kNever without flows or progress.
  [[nodiscard]] double next_end() const { return next_end_; }
  /// Takes out the flow whose end is now.
  FlowId end_next();
  /// Takes out all flows, in no order.
  std::vector<FlowId> clear();

  /// Background's share of a dimension's capacity, cut to 0-1.
  void set_background(Dimension dimension, double share);
  /// Capacity relative to the one at the start.
  void set_capacity(Dimension dimension, double factor);
  void set_powered(bool powered) { powered_ = powered; }

  /// As it is now, units/s.
  [[nodiscard]] double capacity(std::size_t k) const { return capacity_[k] * factor_[k]; }
  [[nodiscard]] std::uint32_t active() const { return active_; }
  [[nodiscard]] std::uint32_t active(std::uint32_t service) const {
    return static_cast<std::uint32_t>(classes_[service].heap.size());
  }
  [[nodiscard]] const NodeIntegrals& integrals() const { return integrals_; }
  /// The dimensions that it has, ascending.
  [[nodiscard]] std::span<const std::size_t> dimensions() const { return dimensions_; }
  /// Seconds that one more flow of this size would take at its equal share; kNever if it would not progress.
  [[nodiscard]] double time_of_one_more(std::uint32_t service, double size) const;

 private:
  struct Entry {
    double finish;  // on its service's virtual clock
    FlowId flow;
  };
  struct Class {
    PerDimension work{};
    double clock = 0;  // size that each of its flows has had, since it last had none
    double rate = 0;   // of the clock
    std::vector<Entry> heap;
    bool filled = false;  // of share_out()
    double dominant = 0;  // of share_out(): largest part of a free dimension per unit of size
  };

  void share_out();
  void fill(double paging);
  void find_next();
  [[nodiscard]] double free(std::size_t k) const { return capacity(k) * (1 - background_[k]); }
  [[nodiscard]] double occupied(std::size_t k) const;

  PerDimension capacity_{}, factor_{}, background_{};
  double most_cpu_per_flow_;
  std::vector<std::size_t> dimensions_, rates_, occupancies_;
  std::vector<Class> classes_;
  PerDimension used_{};  // utilisation now
  NodeIntegrals integrals_;
  double now_ = 0, next_end_ = kNever;
  std::uint32_t next_class_ = 0, active_ = 0;
  bool powered_ = true;
};

}  // namespace penstock::simulation
