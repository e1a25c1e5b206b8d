#include "controlplane/simulation/hashing.h"

#include <algorithm>

#include "controlplane/simulation/random.h"

namespace penstock::simulation {

void ReferenceHashing::update(std::span<const std::uint32_t> weights) {
  ends_.resize(weights.size());
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) ends_[i] = sum += weights[i];
}

std::uint32_t ReferenceHashing::pick(std::uint64_t flow_hash) const {
  if (ends_.empty() || ends_.back() <= 0) return kNoBackend;
  const double at = static_cast<double>(mix(flow_hash) >> 11) * 0x1p-53 * ends_.back();
  return static_cast<std::uint32_t>(std::upper_bound(ends_.begin(), ends_.end(), at) - ends_.begin());
}

std::uint32_t ReferenceHashing::alternate(std::uint64_t flow_hash) const {
  const std::uint32_t primary = pick(flow_hash);
  if (primary == kNoBackend) return kNoBackend;
  // The draw skips the primary's stretch, so that shares of the others stay in proportion.
  const double begin = primary == 0 ? 0 : ends_[primary - 1], width = ends_[primary] - begin;
  if (width >= ends_.back()) return primary;
  double at = static_cast<double>(mix(~flow_hash) >> 11) * 0x1p-53 * (ends_.back() - width);
  if (at >= begin) at += width;
  return static_cast<std::uint32_t>(std::upper_bound(ends_.begin(), ends_.end(), at) - ends_.begin());
}

std::unique_ptr<FlowHashing> make_reference_hashing(std::span<const std::uint32_t> configured) {
  auto hashing = std::make_unique<ReferenceHashing>();
  hashing->update(configured);
  return hashing;
}

}  // namespace penstock::simulation
