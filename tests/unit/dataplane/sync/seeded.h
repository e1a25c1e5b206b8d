// A seed that a failing test prints.
#pragma once

#include <cstdint>
#include <cstdio>
#include <random>

namespace penstock {

inline std::uint64_t random_seed() {
  const std::uint64_t seed = std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace penstock
