#include "perf/micro/flowtable/huge_memory.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

namespace penstock::perf {
namespace {

constexpr const char* kPool = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
constexpr std::size_t kPage = std::size_t{2} << 20;

long pool_size() {
  long pages = 0;
  std::ifstream(kPool) >> pages;
  return pages;
}

}  // namespace

HugePageReservation::HugePageReservation(std::size_t pages) {
  const long before = pool_size();
  std::ofstream(kPool) << before + static_cast<long>(pages);
  added_ = pool_size() - before;
}

HugePageReservation::~HugePageReservation() {
  if (added_ > 0) std::ofstream(kPool) << pool_size() - added_;
}

HugeMemory::HugeMemory(std::size_t bytes) : used_(bytes), mapped_((bytes + kPage - 1) / kPage * kPage) {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
  void* p = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, kFlags | MAP_HUGETLB | MAP_POPULATE, -1, 0);
  huge_ = p != MAP_FAILED;
  if (!huge_) {
    std::fprintf(stderr, "no %zu hugepages left, using transparent ones for %zu bytes\n", mapped_ / kPage,
                 bytes);
    p = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, kFlags, -1, 0);
    if (p == MAP_FAILED) {
      std::perror("flowtable_bench: mmap");
      std::exit(1);
    }
    madvise(p, mapped_, MADV_HUGEPAGE);
    std::memset(p, 0, mapped_);
  }
  data_ = static_cast<std::byte*>(p);
}

HugeMemory::~HugeMemory() {
  if (data_ != nullptr) munmap(data_, mapped_);
}

HugeMemory::HugeMemory(HugeMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      used_(other.used_),
      mapped_(other.mapped_),
      huge_(other.huge_) {}

}  // namespace penstock::perf
