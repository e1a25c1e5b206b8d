// What the weights of a service are for, as the operator says it: policies, and the kind of work that a
// service is. Values alone: their JSON is policy_document.h and workload_document.h. None of it is told to
// dataplanes, which only hear of weights.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace penstock {

inline constexpr const char* kStaticPolicy = "static";  // of a service that names none
inline constexpr std::size_t kMaxPolicies = 256;        // of the operator's
inline constexpr std::size_t kMaxLabels = 16;
inline constexpr std::size_t kMaxLabelName = 63;  // as the agent takes them: --label zone=eu-1a
inline constexpr std::size_t kMaxLabelValue = 255;
inline constexpr double kMaxCoefficient = 1000;
inline constexpr double kMaxBudgetPerHour = 1e9;
inline constexpr double kMaxLatencyObjectiveMs = 600'000;

/// What is minimised; kCustom says it by its coefficients.
enum class WeightPolicyKind : std::uint8_t { kStatic, kLeastLoad, kLatency, kCost, kEnergy, kCustom };

/// Unitless, 0–kMaxCoefficient; what the solver's objective weighs each of its terms with.
struct PolicyCoefficients {
  double balance = 1;
  double latency = 0;
  double money = 0;
  double energy = 0;

  bool operator==(const PolicyCoefficients&) const = default;
};

struct WeightPolicy {
  std::string id;
  WeightPolicyKind kind = WeightPolicyKind::kStatic;
  PolicyCoefficients coefficients{};  // kCustom; of the other kinds untouched
  double min_share = 0;         // of a service's new flows that each backend gets at least, 0–max_share
  double max_share = 1;         // and at most, 0–1
  double budget_per_hour = 0;   // money, in the unit of the nodes' prices; 0 = no limit
  double deadband = 0.005;      // relative deviation of a weight that is left alone, 0–1
  double slew = 2;              // most change of the natural logarithm of a weight in a second, above 0
  std::uint32_t min_awake = 1;  // kEnergy, kCustom: so many nodes of a service are never parked

  bool operator==(const WeightPolicy&) const = default;
};

/// What matters to a service; kAuto: learned from its traffic.
enum class WorkloadClass : std::uint8_t { kAuto, kLatencySensitive, kThroughput, kBatch };

struct Workload {
  WorkloadClass work = WorkloadClass::kAuto;
  double priority = 1;              // weighs the service's latency against that of others, 0.01–100
  double latency_objective_ms = 0;  // to a response's first byte; 0 = none

  bool operator==(const Workload&) const = default;
};

/// Whom a service would rather have: nodes whose agent has these labels. A wish, unless it says otherwise.
struct Preference {
  std::string zone;          // the label "zone"; empty = any
  bool zone_strict = false;  // nodes of other zones get nothing
  std::map<std::string, std::string, std::less<>> labels{};

  bool operator==(const Preference&) const = default;
};

/// static, least-load, latency, cost and energy, each of its kind with its defaults. They exist in every
/// site, and nobody can change them. Static storage.
[[nodiscard]] std::span<const WeightPolicy> built_in_policies();
/// Null when none has this id.
[[nodiscard]] const WeightPolicy* built_in_policy(std::string_view id);

}  // namespace penstock
