#include "perf/micro/load_model/allocation_count.h"

#include <atomic>
#include <cstddef>

namespace {

std::atomic<std::uint64_t> allocations{0};

}  // namespace

extern "C" {

void* __libc_malloc(std::size_t size);

void* malloc(std::size_t size) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}

}  // extern "C"

namespace penstock::perf {

std::uint64_t allocation_count() { return allocations.load(std::memory_order_relaxed); }

}  // namespace penstock::perf
