// Memory for benchmarks on 2 MiB pages, so that they measure cache misses and not page walks.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace penstock::perf {

/// Adds `pages` to the host's pool of 2 MiB pages for as long as it lives, then takes as many away again.
/// Several of them may be at work at once. Needs root; without it, or without memory, granted() is false.
class HugePageReservation {
 public:
  explicit HugePageReservation(std::size_t pages);
  ~HugePageReservation();
  HugePageReservation(const HugePageReservation&) = delete;
  HugePageReservation& operator=(const HugePageReservation&) = delete;

  [[nodiscard]] bool granted() const { return added_ != 0; }

 private:
  long added_ = 0;
};

/// Zeroed memory on 2 MiB pages; on transparent ones (a request, not a guarantee) where the pool has none
/// left. Prints one line to stderr when it falls back. Exits when the host is out of memory.
class HugeMemory {
 public:
  explicit HugeMemory(std::size_t bytes);
  ~HugeMemory();
  HugeMemory(HugeMemory&& other) noexcept;
  HugeMemory& operator=(HugeMemory&&) = delete;
  HugeMemory(const HugeMemory&) = delete;
  HugeMemory& operator=(const HugeMemory&) = delete;

  [[nodiscard]] std::span<std::byte> bytes() const { return {data_, used_}; }
  template <class T>
  [[nodiscard]] std::span<T> as() const {
    return {reinterpret_cast<T*>(data_), used_ / sizeof(T)};
  }
  [[nodiscard]] bool huge() const { return huge_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t used_ = 0;
  std::size_t mapped_ = 0;
  bool huge_ = false;
};

}  // namespace penstock::perf
