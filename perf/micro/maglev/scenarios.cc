#include "perf/micro/maglev/scenarios.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace penstock::perf {

namespace {

constexpr std::uint32_t kUnit = 1'000'000;
constexpr std::uint64_t kFleetSeed = 20'161'603;
constexpr std::uint64_t kWalkSeed = 4711;

std::vector<double> shares(const std::vector<MaglevBackend>& backends) {
  std::vector<double> shares(backends.size());
  std::transform(backends.begin(), backends.end(), shares.begin(),
                 [](const MaglevBackend& backend) { return static_cast<double>(backend.weight); });
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share /= total;
  return shares;
}

void step(std::vector<MaglevBackend>& backends, std::mt19937_64& random, double amplitude, bool from_base) {
  std::uniform_real_distribution<double> change(1 - amplitude, 1 + amplitude);
  for (MaglevBackend& backend : backends) {
    const double next = (from_base ? backend.base_weight : backend.weight) * change(random);
    backend.weight = static_cast<std::uint32_t>(std::clamp(next, 1.0, 4e9));
  }
}

Moves run(const std::vector<MaglevBackend>& fleet, const Construction& make, int steps, double amplitude,
          bool from_base) {
  std::mt19937_64 random(kWalkSeed);
  std::vector<MaglevBackend> backends = fleet;
  Owners before = make(backends);
  Moves sum;
  for (int i = 0; i < steps; ++i) {
    step(backends, random, amplitude, from_base);
    Owners after = make(backends);
    const Moves one = moves(before, after, fleet.size());
    sum.moved += one.moved;
    sum.least += one.least;
    before = std::move(after);
  }
  return sum;
}

}  // namespace

std::vector<MaglevBackend> make_fleet(std::size_t count, bool weighted) {
  std::mt19937_64 identities(kFleetSeed);
  std::vector<MaglevBackend> fleet(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto weight = weighted ? static_cast<std::uint32_t>(kUnit / 2 + kUnit * i / count) : kUnit;
    fleet[i] = {identities(), weight, weight};
  }
  return fleet;
}

Moves moves(const Owners& before, const Owners& after, std::size_t backends) {
  Moves result;
  std::vector<std::int64_t> lost(backends);
  for (std::size_t slot = 0; slot < before.size(); ++slot) {
    result.moved += before[slot] != after[slot];
    ++lost[before[slot]];
    --lost[after[slot]];
  }
  for (const std::int64_t slots : lost) result.least += static_cast<double>(std::max<std::int64_t>(slots, 0));
  return result;
}

Moves random_walk(const std::vector<MaglevBackend>& fleet, const Construction& make, int steps,
                  double amplitude) {
  return run(fleet, make, steps, amplitude, false);
}

Moves noise_around_base(const std::vector<MaglevBackend>& fleet, const Construction& make, int steps,
                        double amplitude) {
  return run(fleet, make, steps, amplitude, true);
}

// Stays on i with probability 1 / sum over j of max(p_j / p_i, q_j / q_i).
Moves random_walk_floor(const std::vector<MaglevBackend>& fleet, int steps, double amplitude) {
  std::mt19937_64 random(kWalkSeed);
  std::vector<MaglevBackend> backends = fleet;
  std::vector<double> p = shares(backends);
  Moves sum;
  for (int i = 0; i < steps; ++i) {
    step(backends, random, amplitude, false);
    const std::vector<double> q = shares(backends);
    double stay = 0, least = 0;
    for (std::size_t a = 0; a < p.size(); ++a) {
      double denominator = 0;
      for (std::size_t b = 0; b < p.size(); ++b) denominator += std::max(p[b] / p[a], q[b] / q[a]);
      stay += 1 / denominator;
      least += std::max(p[a] - q[a], 0.0);
    }
    sum.moved += 1 - stay;
    sum.least += least;
    p = q;
  }
  return sum;
}

double worst_share_error(std::span<const MaglevBackend> backends, const Owners& owners) {
  const std::vector<double> due = shares({backends.begin(), backends.end()});
  std::vector<double> slots(backends.size());
  for (const std::uint16_t owner : owners) ++slots[owner];
  double worst = 0;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const double want = due[i] * static_cast<double>(owners.size());
    worst = std::max(worst, std::abs(slots[i] - want) / want);
  }
  return worst;
}

}  // namespace penstock::perf
