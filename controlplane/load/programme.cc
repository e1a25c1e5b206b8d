#include "controlplane/load/programme.h"

#include <algorithm>
#include <cmath>

namespace penstock::load {

namespace {

constexpr double kPinned = 1e-9;  // a range of share that is none

double capacity_of(const SolverNode& node, std::size_t k) {
  return node.capacity[k] > 1e-6 && std::isfinite(node.capacity[k]) ? node.capacity[k] : 1e-6;
}

}  // namespace

double Programme::number(double value) {
  if (std::isfinite(value) && value >= 0) return value;
  sound = false;
  return 0;
}

void Programme::read(const SolverInput& input, const SolverSettings& with) {
  settings = with;
  sound = true;
  balance = constant = 0;
  for (const auto& service : input.services) balance += number(service.objective.balance);
  limit_shares(input);
  price(input);
  group(input);
  double least = 0;
  for (const auto& node : nodes) least = std::max(least, node.lowest);
  given = constant + balance * least;
}

// Limits first: what is left between them decides which placements are variables at all.
void Programme::limit_shares(const SolverInput& input) {
  const std::size_t placements = input.placements.size();
  low_.assign(placements, 0);
  high_.assign(placements, 0);
  use_.assign(placements, 0);
  fixed_share.assign(placements, 0);
  equal_share.assign(placements, 0);
  service_at_.assign(placements, kNone);
  remaining.assign(input.services.size(), 0);
  for (ServiceIndex s = 0; s < input.services.size(); ++s) {
    const auto& service = input.services[s];
    const std::size_t end = std::min<std::size_t>(placements, std::size_t{service.first} + service.count);
    const double demand = number(service.demand);
    double low = 0, high = 0, most = 0;
    for (std::size_t p = service.first; p < end; ++p) {
      const auto& placement = input.placements[p];
      service_at_[p] = s;
      if (placement.node >= input.nodes.size()) continue;
      const auto& node = input.nodes[placement.node];
      high_[p] = node.awake ? std::min(1.0, number(placement.upper)) : 0;
      low_[p] = std::min(high_[p], number(placement.lower));
      for (std::size_t k = 0; k < kDimensions; ++k) {
        const double rate = number(placement.per_flow_rate[k]);
        use_[p] = std::max(use_[p], demand * rate / capacity_of(node, k));
      }
      if (high_[p] > 0) most = std::max(most, use_[p]);
      low += low_[p];
      high += high_[p];
    }
    if (low > 1 + kPinned || (high < 1 - kPinned && service.count > 0)) sound = false;
    if (high <= 0) continue;
    double sum = 0;
    for (std::size_t p = service.first; p < end; ++p) {
      if (low > 1) low_[p] /= low, high_[p] = low_[p];
      if (high < 1) high_[p] /= high, low_[p] = high_[p];
      if (high_[p] > 0) sum += equal_share[p] = most > 0 ? 1 / std::max(use_[p], 1e-6 * most) : 1;
    }
    for (std::size_t p = service.first; p < end; ++p) equal_share[p] /= sum;
    // A sum that only one point of the box has leaves nothing to decide.
    const double fill = high - low > kPinned ? (1 - low) / (high - low) : 0;
    if (low <= 1 && high >= 1 && (fill < kPinned || fill > 1 - kPinned)) {
      for (std::size_t p = service.first; p < end; ++p) low_[p] = high_[p] = fill < 0.5 ? low_[p] : high_[p];
    }
    remaining[s] = 1;
    for (std::size_t p = service.first; p < end; ++p) {
      if (high_[p] - low_[p] > kPinned) continue;
      fixed_share[p] = low_[p];
      high_[p] = low_[p];
      remaining[s] -= low_[p];
    }
  }
}

void Programme::price(const SolverInput& input) {
  cost_.assign(input.placements.size(), 0);
  spend_.assign(input.placements.size(), 0);
  budget.assign(input.services.size(), std::numeric_limits<double>::infinity());
  double largest = balance;
  for (ServiceIndex s = 0; s < input.services.size(); ++s) {
    const auto& service = input.services[s];
    const std::size_t end =
        std::min<std::size_t>(input.placements.size(), std::size_t{service.first} + service.count);
    const double limit = number(service.budget_per_hour), latency_weight = number(service.objective.latency);
    double money = 0, watts = 0;
    const auto each = [&](auto&& take) {
      for (std::size_t p = service.first; p < end; ++p) {
        if (service_at_[p] != s || equal_share[p] <= 0) continue;
        const auto& node = input.nodes[input.placements[p].node];
        take(p, use_[p] * (number(node.price_per_hour) + number(node.price_per_load_hour)),
             use_[p] * (number(node.idle_watts) + number(node.busy_watts)));
      }
    };
    each(
        [&](std::size_t p, double m, double w) { money += equal_share[p] * m, watts += equal_share[p] * w; });
    const double by_money = money > 0 ? number(service.objective.money) / money : 0;
    const double by_watts = watts > 0 ? number(service.objective.energy) / watts : 0;
    if (limit > 0) budget[s] = 1;
    each([&](std::size_t p, double m, double w) {
      cost_[p] = by_money * m + by_watts * w + std::min(1.0, number(input.placements[p].affinity));
      constant += cost_[p] * fixed_share[p];
      if (limit > 0) {
        spend_[p] = m / limit;
        budget[s] -= spend_[p] * fixed_share[p];
      }
      largest = std::max(largest, cost_[p]);
    });
    largest = std::max(largest, latency_weight * number(service.priority));
  }
  balance = std::max(balance, 1e-3 * std::max(largest, 1e-3));
  penalty = settings.penalty * std::max(largest, 1e-3);
  smallest = 1e-9 * std::max(largest, 1e-3);
}

void Programme::group(const SolverInput& input) {
  start_.assign(input.nodes.size() + 1, 0);
  order_.resize(input.placements.size());
  const auto counts = [&](std::size_t p) { return service_at_[p] != kNone && equal_share[p] > 0; };
  for (std::size_t p = 0; p < order_.size(); ++p)
    if (counts(p)) ++start_[input.placements[p].node + 1];
  for (std::size_t n = 0; n < input.nodes.size(); ++n) start_[n + 1] += start_[n];
  for (std::size_t p = 0; p < order_.size(); ++p)
    if (counts(p)) order_[start_[input.placements[p].node]++] = static_cast<PlacementIndex>(p);
  for (auto* list : {&lower, &upper, &cost, &spending, &base, &rates}) list->clear();
  placement_of.clear(), service_of.clear(), nodes.clear(), latency.clear(), row_dimension.clear();
  for (NodeIndex n = 0; n < input.nodes.size(); ++n) {
    const std::size_t from = n == 0 ? 0 : start_[n - 1], to = start_[n];
    if (from == to) continue;
    const auto& in = input.nodes[n];
    Node node{.index = n,
              .first = static_cast<std::uint32_t>(placement_of.size()),
              .first_row = static_cast<std::uint32_t>(base.size()),
              .first_rate = static_cast<std::uint32_t>(rates.size()),
              .first_latency = static_cast<std::uint32_t>(latency.size()),
              .limit = 1,
              .quadratic = 0,
              .capacity = 0,
              .curve = in.latency};
    node.curve.base = number(in.latency.base);
    node.curve.queue = number(in.latency.queue);
    PerDimension constant_use{};
    std::array<bool, kDimensions> moves{};
    double background = 0;
    for (std::size_t k = 0; k < kDimensions; ++k) {
      if (!(in.capacity[k] > 0) || !std::isfinite(in.capacity[k])) sound = false;
      const double capacity = capacity_of(in, k);
      node.capacity = std::max(node.capacity, capacity);
      constant_use[k] = number(in.background[k]) / capacity;
      background = std::max(background, constant_use[k]);
    }
    node.limit = std::max(1.0, background);
    for (std::size_t i = from; i < to; ++i) {
      const PlacementIndex p = order_[i];
      const auto& of = input.services[service_at_[p]];
      node.quadratic += settings.spread * number(of.objective.balance) * equal_share[p];
      const double weight = number(of.objective.latency) * number(of.priority) * equal_share[p];
      if (weight > 0 && number(of.latency_objective) > 0) add_latency(node, weight, of.latency_objective);
      const bool variable = high_[p] > low_[p];
      for (std::size_t k = 0; k < kDimensions; ++k) {
        const double rate =
            number(of.demand) * number(input.placements[p].per_flow_rate[k]) / capacity_of(in, k);
        if (variable)
          moves[k] = moves[k] || rate > 0;
        else
          constant_use[k] += rate * fixed_share[p];
      }
      if (!variable) continue;
      placement_of.push_back(p);
      service_of.push_back(service_at_[p]);
      lower.push_back(low_[p]), upper.push_back(high_[p]);
      cost.push_back(cost_[p]), spending.push_back(spend_[p]);
      ++node.count;
    }
    // Rows that nothing moves are one: the largest.
    std::size_t still = kDimensions;
    double most = -1;
    for (std::size_t k = 0; k < kDimensions; ++k)
      if (!moves[k] && constant_use[k] > most) most = constant_use[k], still = k;
    for (std::size_t k = 0; k < kDimensions; ++k) {
      if (!moves[k] && k != still) continue;
      base.push_back(constant_use[k]);
      row_dimension.push_back(static_cast<Dimension>(k));
      ++node.rows;
      for (std::uint32_t j = node.first; j < node.first + node.count; ++j) {
        const auto& of = input.services[service_of[j]];
        rates.push_back(number(of.demand) * number(input.placements[placement_of[j]].per_flow_rate[k]) /
                        capacity_of(in, k));
      }
    }
    drop_dominated(node);
    bound_levels(node);
    nodes.push_back(node);
  }
}

// Terms with one objective share a kink and are one.
void Programme::add_latency(Node& node, double weight, double objective) {
  const auto& curve = node.curve;
  if (curve.queue <= 0) {
    constant += weight * std::max(0.0, curve.base / objective - 1);
    return;
  }
  for (std::uint32_t i = node.first_latency; i < node.first_latency + node.latencies; ++i) {
    if (latency[i].objective != objective) continue;
    latency[i].weight += weight;
    return;
  }
  const double queued = std::max(0.0, objective - curve.base) / curve.queue,
               left = 1 - LatencyCurve::kMostRho;
  const double most = LatencyCurve::kMostRho / left;
  const double rho =
      queued <= most ? queued / (1 + queued) : LatencyCurve::kMostRho + (queued - most) * left * left;
  latency.push_back({weight, objective, rho / node.capacity});
  ++node.latencies;
}

// A row that another is above of at any shares never is the node's largest.
void Programme::drop_dominated(Node& node) {
  const std::size_t m = node.count;
  double* const rate = rates.data() + node.first_rate;
  const auto below = [&](std::size_t a, std::size_t b) {
    if (base[node.first_row + a] > base[node.first_row + b]) return false;
    for (std::size_t j = 0; j < m; ++j)
      if (rate[a * m + j] > rate[b * m + j]) return false;
    return true;
  };
  std::size_t kept = 0;
  for (std::size_t k = 0; k < node.rows; ++k) {
    bool needed = true;
    for (std::size_t other = 0; needed && other < kept; ++other) needed = !below(k, other);
    for (std::size_t other = k + 1; needed && other < node.rows; ++other) needed = !below(k, other);
    if (!needed) continue;
    base[node.first_row + kept] = base[node.first_row + k];
    row_dimension[node.first_row + kept] = row_dimension[node.first_row + k];
    std::copy_n(rate + k * m, m, rate + kept++ * m);
  }
  node.rows = static_cast<std::uint32_t>(kept);
  base.resize(node.first_row + kept);
  row_dimension.resize(node.first_row + kept);
  rates.resize(node.first_rate + kept * m);
}

void Programme::bound_levels(Node& node) {
  const double* rate = rates.data() + node.first_rate;
  for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k, rate += node.count) {
    double low = base[k], high = base[k];
    for (std::size_t j = 0; j < node.count; ++j) {
      low += rate[j] * lower[node.first + j];
      high += rate[j] * upper[node.first + j];
    }
    node.lowest = std::max(node.lowest, low);
    node.highest = std::max(node.highest, high);
  }
  // What no share can bring above its objective is no term.
  const auto terms = latency.begin() + node.first_latency;
  latency.erase(
      std::remove_if(terms, latency.end(), [&](const Latency& term) { return term.kink >= node.highest; }),
      latency.end());
  node.latencies = static_cast<std::uint32_t>(latency.size()) - node.first_latency;
}

Programme::Curve Programme::latency_at(const Node& node, const Latency& term, double s) const {
  const double rho = s * node.capacity, cut = std::clamp(rho, 0.0, LatencyCurve::kMostRho), left = 1 - cut;
  const double slope = node.curve.queue / (left * left), beyond = std::max(0.0, rho - cut);
  const double scale = term.weight / term.objective;
  return {scale * (node.curve.at(cut) + slope * beyond) - term.weight, scale * slope * node.capacity,
          beyond > 0 ? 0 : scale * 2 * slope / left * node.capacity * node.capacity};
}

Programme::Curve Programme::curve(const Node& node, double r) const {
  Curve sum{node.quadratic * r * r, 2 * node.quadratic * r, 2 * node.quadratic};
  for (std::uint32_t i = node.first_latency; i < node.first_latency + node.latencies; ++i) {
    const auto at = latency_at(node, latency[i], std::max(r, latency[i].kink));
    sum.value += at.value;
    if (r < latency[i].kink) continue;
    sum.slope += at.slope;
    sum.bend += at.bend;
  }
  return sum;
}

}  // namespace penstock::load
