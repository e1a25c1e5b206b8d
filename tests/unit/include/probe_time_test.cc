#include "penstock/net/probe_time.h"

#include <gtest/gtest.h>

#include <iostream>
#include <random>

namespace penstock {
namespace {

TEST(ProbeTime, EveryTimeIsItsOwnBestForm) {
  for (std::uint32_t time = 0; time < PENSTOCK_PROBE_NO_VALUE; ++time) {
    const auto form = static_cast<std::uint16_t>(time);
    const std::uint16_t again = to_probe_time(from_probe_time(form));
    ASSERT_EQ(from_probe_time(again), from_probe_time(form)) << time;
    if ((time & 0x7ff) >= 0x400 || time < 0x800) {
      ASSERT_EQ(again, form);
    }
  }
}

TEST(ProbeTime, SaysWhatIsBelowTwoMillisecondsExactly) {
  for (std::uint64_t us = 0; us < 2048; ++us) ASSERT_EQ(from_probe_time(to_probe_time(us)), us);
}

TEST(ProbeTime, IsNeverTooLongAndHardlyTooShort) {
  const auto seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  const std::uint64_t longest = from_probe_time(kLongestProbeTime);
  for (int i = 0; i < 1'000'000; ++i) {
    const std::uint64_t us = random() >> random() % 64;
    const std::uint16_t time = to_probe_time(us);
    ASSERT_NE(time, PENSTOCK_PROBE_NO_VALUE) << us;
    ASSERT_LE(from_probe_time(time), us);
    if (us > longest) {
      ASSERT_EQ(time, kLongestProbeTime) << us;
    } else {
      ASSERT_LE(us - from_probe_time(time), us / 1000) << us;
    }
  }
}

TEST(ProbeTime, NeverShrinksWhileTheTimeGrows) {
  std::uint16_t before = 0;
  for (std::uint64_t us = 0; us < 1'000'000; ++us) {
    const std::uint16_t time = to_probe_time(us);
    ASSERT_GE(time, before) << us;
    before = time;
  }
}

static_assert(to_probe_time(0) == 0);
static_assert(to_probe_time(2047) == 2047);
static_assert(to_probe_time(2048) == (1 << 11 | 1024));
static_assert(to_probe_time(~0ULL) == kLongestProbeTime);
static_assert(to_probe_time(0x7ffULL << 31) == kLongestProbeTime, "not NO_VALUE");

}  // namespace
}  // namespace penstock
