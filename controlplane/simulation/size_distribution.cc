#include "controlplane/simulation/size_distribution.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace penstock::simulation {

SizeDistribution SizeDistribution::deterministic(double size) {
  SizeDistribution d;
  d.kind = Kind::kDeterministic;
  d.mean = size;
  return d;
}

SizeDistribution SizeDistribution::exponential(double mean) {
  SizeDistribution d;
  d.mean = mean;
  return d;
}

SizeDistribution SizeDistribution::bounded_pareto(double shape, double spread, double mean) {
  SizeDistribution d;
  d.kind = Kind::kBoundedPareto;
  d.shape = shape;
  d.low = 1;
  d.high = spread;
  const double scale = mean / d.average();
  d.low *= scale;
  d.high *= scale;
  return d;
}

SizeDistribution SizeDistribution::empirical(std::vector<CdfPoint> cdf, double mean) {
  SizeDistribution d;
  d.kind = Kind::kEmpirical;
  d.cdf = std::move(cdf);
  const double scale = mean / d.average();
  for (CdfPoint& point : d.cdf) point.size *= scale;
  return d;
}

double SizeDistribution::draw(Random& random) const {
  switch (kind) {
    case Kind::kDeterministic:
      return mean;
    case Kind::kExponential:
      return random.exponential(mean);
    case Kind::kBoundedPareto: {
      // Inverse of F(x) = (1 - (low/x)^shape) / (1 - (low/high)^shape).
      const double cut = 1 - std::pow(low / high, shape);
      return low * std::pow(1 - random.uniform() * cut, -1 / shape);
    }
    case Kind::kEmpirical:
      break;
  }
  const double p = random.uniform();
  const auto above = std::upper_bound(cdf.begin(), cdf.end(), p, [](double value, const CdfPoint& point) {
    return value < point.probability;
  });
  if (above == cdf.begin()) return above->size;
  if (above == cdf.end()) return cdf.back().size;
  const CdfPoint &a = *(above - 1), &b = *above;
  return a.size + (b.size - a.size) * (p - a.probability) / (b.probability - a.probability);
}

double SizeDistribution::average() const {
  if (kind == Kind::kBoundedPareto) {
    const double cut = 1 - std::pow(low / high, shape);
    return std::pow(low, shape) / cut * shape / (shape - 1) *
           (std::pow(low, 1 - shape) - std::pow(high, 1 - shape));
  }
  if (kind != Kind::kEmpirical) return mean;
  double sum = cdf.empty() ? 0 : cdf.front().size * cdf.front().probability;
  for (std::size_t i = 1; i < cdf.size(); ++i)
    sum += (cdf[i].probability - cdf[i - 1].probability) * (cdf[i].size + cdf[i - 1].size) / 2;
  return sum;
}

}  // namespace penstock::simulation
