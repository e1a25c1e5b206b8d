// Which backends this gateway's own probes have found dead, as the workers read it: one byte a backend,
// beside the snapshots, so that a verdict reaches the next new flow without a compilation.
//
// One thread writes (the prober), workers read. A fresh byte says alive.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/flow/flow_bucket.h"

namespace penstock {

class BackendLiveness {
 public:
  explicit BackendLiveness(std::size_t backends)
      : size_(backends), states_(std::make_unique<std::atomic<std::uint8_t>[]>(backends)) {}

  [[nodiscard]] bool is_down(BackendIndex backend) const noexcept {
    return backend < size_ && states_[backend].load(std::memory_order_relaxed) != 0;
  }
  void set_down(BackendIndex backend, bool down) noexcept {
    if (backend < size_) states_[backend].store(down ? 1 : 0, std::memory_order_relaxed);
  }

 private:
  std::size_t size_;
  std::unique_ptr<std::atomic<std::uint8_t>[]> states_;
};

}  // namespace penstock
