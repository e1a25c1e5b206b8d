// Where the desired state is kept: one durable write after another, each compare-and-swap on the generation,
// which is what a single SQLite file and a replicated key-value store have in common.
#pragma once

#include <cstdint>

#include "controlplane/model/desired_state.h"
#include "penstock/base/result.h"

namespace penstock {

/// One caller at a time. Implementations translate their library's failures into Error sentences.
class Store {
 public:
  virtual ~Store() = default;

  /// Everything that was ever acknowledged, checked as strictly as if it had come from the operator.
  [[nodiscard]] virtual Result<DesiredState> load() = 0;

  /// Makes `change` durable as one transaction and returns the new generation, `expected` + 1.
  /// kFailedPrecondition when the store stands at another generation. On any error nothing has changed; when
  /// it succeeds the change survives a crash of process, kernel or power.
  [[nodiscard]] virtual Result<std::uint64_t> commit(std::uint64_t expected, const Change& change) = 0;
};

}  // namespace penstock
