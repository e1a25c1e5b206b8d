// What a worker keeps for rare packets, next to its flow table: made once, at start-up, and bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/pipeline/answer_budget.h"
#include "dataplane/pipeline/vlan.h"

namespace penstock {

/// What the command line says about rare packets.
struct RareSettings {
  std::vector<VlanRule> vlan_rules;  // by position of the egress port; kKeep for those beyond the end
};

struct RareState {
  RareState() : RareState(RareSettings{}) {}
  explicit RareState(const RareSettings& settings) : vlan_rules(settings.vlan_rules) {}

  std::vector<VlanRule> vlan_rules;
  AnswerBudget echo_budget;     // echo replies
  AnswerBudget too_big_budget;  // fragmentation needed, packet too big
};

}  // namespace penstock
