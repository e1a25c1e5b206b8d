// Random numbers that are the same on every machine: the standard library's distributions are not.
// xoshiro256** (Blackman, Vigna: "Scrambled linear pseudorandom number generators", 2021), seeded by
// splitmix64.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace penstock::simulation {

/// splitmix64's step: a good 64-bit mix of any number.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// Each part of a run has a stream of its own, so that a change in one leaves the others' draws alone.
class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t stream) {
    std::uint64_t x = mix(seed) ^ mix(~stream);
    for (auto& word : state_) word = mix(x += 0x9e3779b97f4a7c15);
  }

  std::uint64_t bits() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9, t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  /// [0, 1)
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  /// [0, n), n > 0; the bias is below n / 2^32.
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(((bits() >> 32) * n) >> 32); }
  double exponential(double mean) { return -mean * std::log1p(-uniform()); }
  /// Box-Muller, one of the pair.
  double normal() {
    const double radius = std::sqrt(-2 * std::log1p(-uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace penstock::simulation
