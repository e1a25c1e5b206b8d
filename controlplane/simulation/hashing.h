// How a gateway turns a flow's hash and the weights into a backend. Production has dataplane/hash's Maglev
// tables, which the control plane may not include: perf/ and tests/ implement this with them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace penstock::simulation {

inline constexpr std::uint32_t kNoBackend = 0xffffffff;

class FlowHashing {
 public:
  virtual ~FlowHashing() = default;
  /// Weights per backend of the service, relative; 0 takes no new flow. All 0: pick() says kNoBackend.
  virtual void update(std::span<const std::uint32_t> weights) = 0;
  /// The backend of a new flow: an index into the weights.
  [[nodiscard]] virtual std::uint32_t pick(std::uint64_t flow_hash) const = 0;
  /// The flow's second candidate; the same as pick() only if there is no other.
  [[nodiscard]] virtual std::uint32_t alternate(std::uint64_t flow_hash) const = 0;
};

/// One per service: backends in the service's order, and their configured weights.
using HashingFactory = std::function<std::unique_ptr<FlowHashing>(std::span<const std::uint32_t> configured)>;

/// Plain reference: shares are exact (to 2^-53), a change of weights may move any hash. Picks in O(log
/// backends).
class ReferenceHashing final : public FlowHashing {
 public:
  void update(std::span<const std::uint32_t> weights) override;
  [[nodiscard]] std::uint32_t pick(std::uint64_t flow_hash) const override;
  [[nodiscard]] std::uint32_t alternate(std::uint64_t flow_hash) const override;

 private:
  std::vector<double> ends_;  // running sums
};

[[nodiscard]] std::unique_ptr<FlowHashing> make_reference_hashing(std::span<const std::uint32_t> configured);

}  // namespace penstock::simulation
