// Histograms, their windows, and when waiting counts as a stall: without a kernel.
#include <gtest/gtest.h>

#include "bpf/agent/telemetry/histogram_window.h"
#include "bpf/agent/telemetry/stall_watch.h"

namespace penstock {
namespace {

constexpr Nanoseconds ms(std::uint64_t count) { return Nanoseconds::from_millis(count); }

TEST(TelemetryHistogram, ABucketIsAtMostASixteenthOff) {
  for (std::uint64_t us = 8; us < (std::uint64_t{1} << 27); us += 1 + us / 100) {
    const auto value = static_cast<double>(us);
    ASSERT_LE(std::abs(microseconds_of(bucket_of(us)) - value), value / 16) << us;
  }
}

TEST(TelemetryHistogram, BucketsAreInOrderAndCoverEverything) {
  for (std::size_t i = 0; i + 1 < kBuckets; ++i) ASSERT_LT(microseconds_of(i), microseconds_of(i + 1)) << i;
  EXPECT_EQ(bucket_of((std::uint64_t{1} << 27) - 1), kBuckets - 1);
  EXPECT_EQ(bucket_of(~std::uint64_t{0}), kBuckets - 1);
}

TEST(TelemetryHistogram, AQuantileIsWhereThatManyAreBelow) {
  Histogram h{};
  h[10] = 98;
  h[20] = 1;
  h[30] = 1;
  EXPECT_EQ(quantile_bucket(h, 100, 0.5), 10U);
  EXPECT_EQ(quantile_bucket(h, 100, 0.99), 20U);
  EXPECT_EQ(quantile_bucket(h, 100, 1), 30U);
}

TEST(TelemetryWindow, HoldsWhatCameInItsSpanAndNoMore) {
  using Window = HistogramWindow<4, 50'000'000>;
  Histogram total{};
  Window window(ms(1000), total);
  for (std::uint64_t t = 1050; t <= 3000; t += 50) {
    total[5] += 10;
    const Histogram gained = window.advance(ms(t), total);
    const std::uint64_t intervals = std::min<std::uint64_t>((t - 1000) / 50, 4);
    ASSERT_EQ(gained[5], 10 * intervals) << t;
  }
  EXPECT_EQ(window.advance(ms(3050), total)[5], 30U);
  for (std::uint64_t t = 3100; t <= 3200; t += 50) window.advance(ms(t), total);
  EXPECT_EQ(window.advance(ms(3250), total)[5], 0U);
}

TEST(TelemetryWindow, SurvivesACounterThatWraps) {
  Histogram total{};
  total[3] = 0xfffffff0;
  HistogramWindow<4, 50'000'000> window(ms(0), total);
  total[3] += 0x20;
  EXPECT_EQ(window.advance(ms(50), total)[3], 0x20U);
}

class TelemetryStall : public testing::Test {
 protected:
  /// Works at a pace of 10 ms, so that it is known.
  void run_in() {
    for (int i = 0; i < 20; ++i, now_ = now_ + ms(50)) {
      EXPECT_LE(watch_.judge(now_, {false, true, now_ - ms(10), now_ - ms(20)}), ms(10));
    }
  }
  StallWatch watch_;
  Nanoseconds now_ = ms(10'000);
};

TEST_F(TelemetryStall, CountsFromTheFirstWorkAfterTheLastProgress) {
  run_in();
  const Nanoseconds progress = now_, work = now_ + ms(500);
  EXPECT_EQ(watch_.judge(now_ + ms(100), {false, false, progress, ms(0)}), ms(0)) << "no work waits";
  EXPECT_EQ(watch_.judge(work + ms(100), {false, true, progress, work}), ms(100));
  EXPECT_EQ(watch_.judge(work + ms(310), {true, false, progress, work}), ms(310));
}

TEST_F(TelemetryStall, AnUnknownServiceHasASecond) {
  EXPECT_EQ(watch_.judge(now_ + ms(900), {true, false, now_, now_}), ms(250));
  EXPECT_EQ(watch_.judge(now_ + ms(1100), {true, false, now_, now_}), ms(1100));
}

TEST_F(TelemetryStall, ThreePausesAreAPaceAndOneIsNot) {
  run_in();
  for (int i = 0; i < 3; ++i) {
    const Nanoseconds began = now_;
    EXPECT_EQ(watch_.judge(began + ms(350), {true, false, began, began}), ms(350)) << i;
    now_ = now_ + ms(400);
    watch_.judge(now_, {true, false, now_, now_});
  }
  EXPECT_EQ(watch_.judge(now_ + ms(500), {true, false, now_, now_}), ms(250));
  EXPECT_EQ(watch_.judge(now_ + ms(620), {true, false, now_, now_}), ms(620)) << "1.5 times its pace";
  now_ = now_ + ms(40'000);
  watch_.judge(now_, {false, false, now_, now_});
  EXPECT_EQ(watch_.judge(now_ + ms(350), {true, false, now_, now_}), ms(350)) << "long ago";
}

TEST_F(TelemetryStall, UnreadBytesOfOneConnectionAreForgottenAndAQueueIsNot) {
  run_in();
  EXPECT_EQ(watch_.judge(now_ + ms(9000), {false, true, now_, now_}), ms(9000));
  EXPECT_EQ(watch_.judge(now_ + ms(11'000), {false, true, now_, now_}), ms(0));
  EXPECT_EQ(watch_.judge(now_ + ms(60'000), {true, true, now_, now_}), ms(60'000));
}

}  // namespace
}  // namespace penstock
