// The gateways: which one a flow reaches, and what each remembers of its flows.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "controlplane/simulation/scenario.h"

namespace penstock::simulation {

class Gateways {
 public:
  Gateways(const std::vector<Gateway>& gateways, std::size_t placements);

  /// The living gateway that routers send this flow to (ECMP: a dead one's flows move, no others), or
  /// load::kNone.
  [[nodiscard]] std::uint32_t reached_by(std::uint64_t flow_hash) const;
  void set_alive(std::uint32_t gateway, bool alive) { alive_[gateway] = alive; }
  [[nodiscard]] bool alive(std::uint32_t gateway) const { return alive_[gateway]; }

  void establish(std::uint32_t gateway, std::uint64_t flow_hash, PlacementIndex placement);
  /// What the flow table says; load::kNone if it knows nothing.
  [[nodiscard]] PlacementIndex find(std::uint32_t gateway, std::uint64_t flow_hash) const;
  void end(std::uint32_t gateway, std::uint64_t flow_hash);
  [[nodiscard]] std::uint32_t flows(std::uint32_t gateway, PlacementIndex placement) const {
    return flows_[gateway][placement];
  }

 private:
  std::vector<double> share_;
  std::vector<bool> alive_;
  std::vector<std::unordered_map<std::uint64_t, PlacementIndex>> tables_;
  std::vector<std::vector<std::uint32_t>> flows_;  // [gateway][placement]
};

}  // namespace penstock::simulation
