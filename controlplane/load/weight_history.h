// What weights and loads were: an instant a second for an hour, then one of ten seconds for a day, all in
// memory and lost with the process. Either tier is held to kTierBytes, and gives up its oldest instants for
// that: 100 backends are kept in full (about 20 MB together), 10,000 for some minutes by the second and an
// hour by ten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/load/planner.h"

namespace penstock::load {

/// One backend at one instant. Fractions have 16 bits in here, so they come back to 1 in 30,000.
struct WeightPoint {
  std::string backend;
  std::uint32_t weight = 0;
  double target_share = kAbsent;  // NaN: unknown
  double measured_share = kAbsent;
  double utilization = kAbsent;    // of the node's tightest dimension, at most 2
  double telemetry_age = kAbsent;  // seconds, at most an hour and a half
};

struct WeightInstant {
  double time = 0;  // Unix seconds
  std::vector<WeightPoint> backends;
};

/// One thread adds, any threads ask.
class WeightHistory {
 public:
  static constexpr double kFineSeconds = 1;
  static constexpr double kFineSpan = 3600;
  static constexpr double kCoarseSeconds = 10;
  static constexpr double kCoarseSpan = 86'400;
  static constexpr std::size_t kTierBytes = std::size_t{32} << 20;

  explicit WeightHistory(std::size_t tier_bytes = kTierBytes) : tier_bytes_(tier_bytes) {}

  /// Keeps the plan if the last one kept is old enough. `time`: Unix seconds. When the clock was set back,
  /// what lies behind it then is forgotten.
  void add(double time, const PlannerFleet& fleet, const Plan& plan);

  /// The service's instants in [from, to], oldest first. When there are more than `limit` (> 0) they are
  /// thinned evenly; the last one stays. Empty for a service that was never planned for.
  [[nodiscard]] std::vector<WeightInstant> find(std::string_view service, double from, double to,
                                                std::size_t limit) const;

  /// Of both tiers, by estimate.
  [[nodiscard]] std::size_t bytes() const;

 private:
  /// Whose points an instant holds; shared by all instants of one fleet.
  struct Layout {
    struct Service {
      std::string id;
      std::size_t first = 0;
      std::size_t count = 0;
      bool operator==(const Service&) const = default;
    };
    std::vector<Service> services;           // by id
    std::vector<std::string> backends;       // of all services, one after another
    std::vector<PlacementIndex> placements;  // parallel to `backends`, at the plan that made it

    bool operator==(const Layout&) const = default;
    [[nodiscard]] std::size_t bytes() const;
  };
  struct Point {
    std::uint16_t weight, target, measured, utilization, age;
  };
  static_assert(sizeof(Point) == 10, "the memory bound above counts on it");
  struct Instant {
    double time = 0;
    std::shared_ptr<const Layout> layout;
    std::vector<Point> points;
  };
  /// An instant and what it is charged: its points, and its layout unless the one before it has the same.
  struct Kept {
    std::shared_ptr<const Instant> instant;
    std::size_t bytes = 0;
  };
  struct Tier {
    std::deque<Kept> kept;
    std::size_t bytes = 0;

    [[nodiscard]] double last() const { return kept.back().instant->time; }
  };

  static Layout layout_of(const PlannerFleet& fleet, const Plan& plan);
  void keep(Tier& tier, std::shared_ptr<const Instant> instant, double span) const;

  std::size_t tier_bytes_;
  mutable std::mutex mutex_;
  Tier fine_, coarse_;
};

}  // namespace penstock::load
