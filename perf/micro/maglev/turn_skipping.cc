#include "perf/micro/maglev/turn_skipping.h"

#include <algorithm>

#include "dataplane/hash/mix.h"

namespace penstock::perf {

std::vector<std::uint16_t> turn_skipping_maglev(std::span<const MaglevBackend> backends, std::uint32_t size,
                                                std::uint64_t seed) {
  struct Walker {
    std::uint32_t slot, skip, weight;
    std::uint64_t credit;
  };
  std::vector<Walker> walkers;
  std::uint64_t heaviest = 0;
  for (const MaglevBackend& backend : backends) {
    const std::uint64_t bits = mix(backend.identity, seed);
    walkers.push_back({slot_of(bits, size), 1 + slot_of(mix(bits, 1), size - 1), backend.weight, 0});
    heaviest = std::max<std::uint64_t>(heaviest, backend.weight);
  }
  constexpr std::uint16_t kFree = 0xFFFF;
  std::vector<std::uint16_t> owners(size, kFree);
  for (std::uint32_t filled = 0; filled < size;) {
    for (std::size_t i = 0; i < walkers.size() && filled < size; ++i) {
      Walker& walker = walkers[i];
      walker.credit += walker.weight;
      if (walker.credit < heaviest) continue;
      walker.credit -= heaviest;
      const auto step = [&] {
        walker.slot += walker.skip;
        if (walker.slot >= size) walker.slot -= size;
      };
      while (owners[walker.slot] != kFree) step();
      owners[walker.slot] = static_cast<std::uint16_t>(i);
      ++filled;
      step();
    }
  }
  return owners;
}

}  // namespace penstock::perf
