#include "controlplane/simulation/gateways.h"

#include "controlplane/simulation/random.h"

namespace penstock::simulation {
namespace {

/// An index drawn by the hash in proportion to the shares; load::kNone if all are 0.
template <class Share>
std::uint32_t draw(std::uint64_t hash, std::size_t count, Share share) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += share(i);
  if (sum <= 0) return load::kNone;
  double at = static_cast<double>(mix(hash) >> 11) * 0x1p-53 * sum;
  std::uint32_t last = load::kNone;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (share(i) <= 0) continue;
    last = i;
    if ((at -= share(i)) < 0) break;
  }
  return last;
}

}  // namespace

Gateways::Gateways(const std::vector<Gateway>& gateways, std::size_t placements)
    : alive_(gateways.size(), true),
      tables_(gateways.size()),
      flows_(gateways.size(), std::vector<std::uint32_t>(placements)) {
  for (const Gateway& gateway : gateways) share_.push_back(gateway.share);
}

std::uint32_t Gateways::reached_by(std::uint64_t flow_hash) const {
  if (share_.size() == 1) return alive_[0] ? 0 : load::kNone;
  const std::uint64_t hash = flow_hash ^ 0x6a09e667f3bcc908;  // routers hash otherwise than gateways
  const std::uint32_t usual = draw(hash, share_.size(), [&](std::size_t i) { return share_[i]; });
  if (usual == load::kNone || alive_[usual]) return usual;
  return draw(~hash, share_.size(), [&](std::size_t i) { return alive_[i] ? share_[i] : 0.0; });
}

void Gateways::establish(std::uint32_t gateway, std::uint64_t flow_hash, PlacementIndex placement) {
  tables_[gateway][flow_hash] = placement;
  ++flows_[gateway][placement];
}

PlacementIndex Gateways::find(std::uint32_t gateway, std::uint64_t flow_hash) const {
  const auto found = tables_[gateway].find(flow_hash);
  return found == tables_[gateway].end() ? load::kNone : found->second;
}

void Gateways::end(std::uint32_t gateway, std::uint64_t flow_hash) {
  const auto found = tables_[gateway].find(flow_hash);
  if (found == tables_[gateway].end()) return;
  --flows_[gateway][found->second];
  tables_[gateway].erase(found);
}

}  // namespace penstock::simulation
