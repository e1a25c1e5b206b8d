// Which backends this gateway's own probes have found dead, as the workers read it: one byte a backend,
// beside the snapshots, so that a verdict reaches the next new flow without a compilation.
//
// One thread writes (the prober), workers and reports read. A fresh byte says unknown, which is alive.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/flow/flow_bucket.h"

namespace penstock {

enum class BackendVerdict : std::uint8_t {
  kUnknown,  // not probed, or it never answered: taken for alive
  kUp,
  kDown,
};

class BackendLiveness {
 public:
  explicit BackendLiveness(std::size_t backends)
      : size_(backends), states_(std::make_unique<std::atomic<std::uint8_t>[]>(backends)) {}

  [[nodiscard]] bool is_down(BackendIndex backend) const noexcept {
    return verdict(backend) == BackendVerdict::kDown;
  }
  [[nodiscard]] BackendVerdict verdict(BackendIndex backend) const noexcept {
    if (backend >= size_) return BackendVerdict::kUnknown;
    return static_cast<BackendVerdict>(states_[backend].load(std::memory_order_relaxed));
  }
  void set(BackendIndex backend, BackendVerdict verdict) noexcept {
    if (backend < size_)
      states_[backend].store(static_cast<std::uint8_t>(verdict), std::memory_order_relaxed);
  }
  void set_down(BackendIndex backend, bool down) noexcept {
    set(backend, down ? BackendVerdict::kDown : BackendVerdict::kUp);
  }

 private:
  std::size_t size_;
  std::unique_ptr<std::atomic<std::uint8_t>[]> states_;
};

}  // namespace penstock
