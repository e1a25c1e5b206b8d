#include "controlplane/load/policy.h"

namespace penstock::load {

Objective objective_of(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::kStatic: return {.balance = 0};
    case PolicyKind::kLeastLoad: return {.balance = 1};
    case PolicyKind::kLatency: return {.balance = 0.1, .latency = 1};
    case PolicyKind::kCost: return {.balance = 0.1, .latency = 1, .money = 1};
    case PolicyKind::kEnergy: return {.balance = 0.1, .latency = 1, .energy = 1};
    case PolicyKind::kCustom: return {.balance = 1};
  }
  return {};
}

}  // namespace penstock::load
