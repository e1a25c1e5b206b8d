// What a worker keeps for rare packets, next to its flow table: made once, at start-up, and bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/fragment/fragment_cache.h"
#include "dataplane/own/own_traffic.h"
#include "dataplane/pipeline/answer_budget.h"
#include "dataplane/pipeline/nat.h"
#include "dataplane/pipeline/vlan.h"

namespace penstock {

/// What the command line says about rare packets.
struct RareSettings {
  std::vector<VlanRule> vlan_rules;  // by position of the egress port; kKeep for those beyond the end
  NatSettings nat;
  OwnWorker* own = nullptr;  // who waits for answers to this gateway itself; null: nobody
};

struct RareState {
  RareState() : RareState(RareSettings{}) {}
  /// Throws std::bad_alloc, and std::runtime_error where the kernel has no random bytes (start-up only).
  explicit RareState(const RareSettings& settings);

  std::vector<VlanRule> vlan_rules;
  AnswerBudget echo_budget;     // echo replies
  AnswerBudget too_big_budget;  // fragmentation needed, packet too big
  std::unique_ptr<FragmentCache> fragments;
  std::uint32_t next_outer_id;  // identification of fragmented outer packets; from a random start
  Nat nat;
  OwnWorker* own;
};

}  // namespace penstock
