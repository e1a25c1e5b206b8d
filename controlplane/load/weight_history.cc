#include "controlplane/load/weight_history.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

namespace penstock::load {
namespace {

constexpr std::uint16_t kUnknown = std::numeric_limits<std::uint16_t>::max();
constexpr double kSteps = 65'534;
constexpr double kMostUtilization = 2;
constexpr double kMostAge = 5400;
// What is added a little early, because threads wake when they can, is not put off by a whole period.
constexpr double kEarly = 0.05;

std::uint16_t packed(double value, double most) {
  if (!std::isfinite(value)) return kUnknown;
  return static_cast<std::uint16_t>(std::lround(std::clamp(value / most, 0.0, 1.0) * kSteps));
}

double unpacked(std::uint16_t value, double most) {
  return value == kUnknown ? kAbsent : static_cast<double>(value) / kSteps * most;
}

}  // namespace

std::size_t WeightHistory::Layout::bytes() const {
  std::size_t out = sizeof *this + backends.size() * (sizeof(std::string) + sizeof(PlacementIndex));
  for (const Service& service : services) out += sizeof service + service.id.capacity();
  for (const std::string& backend : backends) out += backend.capacity();
  return out;
}

WeightHistory::Layout WeightHistory::layout_of(const PlannerFleet& fleet, const Plan& plan) {
  std::map<std::string_view, const ServicePlan*> planned;
  for (std::size_t i = 0; i < std::min(plan.services.size(), fleet.services.size()); ++i) {
    planned.emplace(fleet.services[i].id, &plan.services[i]);
  }
  const std::size_t known = std::min(fleet.backends.size(), plan.explanations.size());
  Layout out;
  for (const auto& [id, service] : planned) {
    Layout::Service entry{std::string(id), out.backends.size(), 0};
    for (const PlacementIndex placement : service->backends) {
      if (placement >= known) continue;
      out.backends.push_back(fleet.backends[placement].id);
      out.placements.push_back(placement);
    }
    entry.count = out.backends.size() - entry.first;
    out.services.push_back(std::move(entry));
  }
  return out;
}

void WeightHistory::keep(Tier& tier, std::shared_ptr<const Instant> instant, double span) const {
  const double oldest = instant->time - span;
  const bool same = !tier.kept.empty() && tier.kept.back().instant->layout == instant->layout;
  const std::size_t bytes =
      sizeof(Instant) + sizeof(Point) * instant->points.size() + (same ? 0 : instant->layout->bytes());
  tier.bytes += bytes;
  tier.kept.push_back({std::move(instant), bytes});
  while (tier.kept.size() > 1 && (tier.bytes > tier_bytes_ || tier.kept.front().instant->time < oldest)) {
    tier.bytes -= tier.kept.front().bytes;
    tier.kept.pop_front();
  }
}

void WeightHistory::add(double time, const PlannerFleet& fleet, const Plan& plan) {
  const std::lock_guard lock(mutex_);
  for (Tier* tier : {&fine_, &coarse_}) {
    while (!tier->kept.empty() && tier->last() > time) {
      tier->bytes -= tier->kept.back().bytes;
      tier->kept.pop_back();
    }
  }
  const auto is_due = [&](const Tier& tier, double period) {
    return tier.kept.empty() || time - tier.last() >= period - kEarly;
  };
  if (!is_due(fine_, kFineSeconds)) return;
  auto instant = std::make_shared<Instant>();
  instant->time = time;
  Layout layout = layout_of(fleet, plan);
  const bool same = !fine_.kept.empty() && *fine_.kept.back().instant->layout == layout;
  instant->layout =
      same ? fine_.kept.back().instant->layout : std::make_shared<const Layout>(std::move(layout));
  instant->points.reserve(instant->layout->placements.size());
  for (const PlacementIndex placement : instant->layout->placements) {
    const Explanation& e = plan.explanations[placement];
    instant->points.push_back({static_cast<std::uint16_t>(std::min(e.weight, 65'535u)),
                               packed(e.target_share, 1), packed(e.measured_share, 1),
                               packed(e.utilization, kMostUtilization), packed(e.telemetry_age, kMostAge)});
  }
  if (is_due(coarse_, kCoarseSeconds)) keep(coarse_, instant, kCoarseSpan);
  keep(fine_, std::move(instant), kFineSpan);
}

std::vector<WeightInstant> WeightHistory::find(std::string_view service, double from, double to,
                                               std::size_t limit) const {
  std::vector<std::shared_ptr<const Instant>> chosen;
  {
    const std::lock_guard lock(mutex_);
    const double fine_from =
        fine_.kept.empty() ? std::numeric_limits<double>::infinity() : fine_.kept.front().instant->time;
    const auto choose = [&](const Tier& tier, double before) {
      for (const auto& [instant, bytes] : tier.kept) {
        if (instant->time >= from && instant->time <= to && instant->time < before) chosen.push_back(instant);
      }
    };
    choose(coarse_, fine_from);
    choose(fine_, std::numeric_limits<double>::infinity());
  }
  const auto entry_of = [&](const Instant& instant) -> const Layout::Service* {
    const auto& all = instant.layout->services;
    const auto found =
        std::lower_bound(all.begin(), all.end(), service,
                         [](const Layout::Service& s, std::string_view id) { return s.id < id; });
    return found != all.end() && found->id == service ? &*found : nullptr;
  };
  std::erase_if(chosen, [&](const auto& instant) { return entry_of(*instant) == nullptr; });
  const std::size_t count = std::min(chosen.size(), limit);
  std::vector<WeightInstant> out;
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Instant& instant = *chosen[(i + 1) * chosen.size() / count - 1];
    const Layout::Service& entry = *entry_of(instant);
    WeightInstant& shown = out.emplace_back(WeightInstant{instant.time, {}});
    for (std::size_t b = entry.first; b < entry.first + entry.count; ++b) {
      const Point& p = instant.points[b];
      shown.backends.push_back({instant.layout->backends[b], p.weight, unpacked(p.target, 1),
                                unpacked(p.measured, 1), unpacked(p.utilization, kMostUtilization),
                                unpacked(p.age, kMostAge)});
    }
  }
  return out;
}

std::size_t WeightHistory::bytes() const {
  const std::lock_guard lock(mutex_);
  return fine_.bytes + coarse_.bytes;
}

}  // namespace penstock::load
