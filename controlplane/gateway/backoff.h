// Waiting times between attempts: doubling from `first` to `cap`, each shortened by a random part of up to
// one half, so that a fleet that lost its control plane does not return in step. Not thread safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace penstock {

class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds cap)
      : first_(first), cap_(cap), next_(first), random_(std::random_device{}()) {}

  [[nodiscard]] std::chrono::milliseconds next() {
    const auto full = next_.count();
    next_ = std::min(next_ * 2, cap_);
    return std::chrono::milliseconds(std::uniform_int_distribution<long>(full - full / 2, full)(random_));
  }
  void reset() { next_ = first_; }

 private:
  std::chrono::milliseconds first_, cap_, next_;
  std::mt19937 random_;
};

}  // namespace penstock
