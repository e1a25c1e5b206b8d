#include "perf/pktgen/rate_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "perf/pktgen/flow_ledger.h"

namespace penstock::perf {
namespace {

/// A device that loses everything above `capacity` packets per second, behind a generator that cannot send
/// more than `limit`.
RunTrial device(double capacity, double limit) {
  return [=](double pps, double seconds) {
    Trial trial;
    trial.wanted_pps = pps;
    trial.seconds = seconds;
    const double rate = pps == 0 ? limit : std::min(pps, limit);
    trial.offered = static_cast<std::uint64_t>(rate * seconds);
    trial.received = std::min(trial.offered, static_cast<std::uint64_t>(capacity * seconds));
    return trial;
  };
}

TEST(FindThroughput, FindsTheCapacityFromBelow) {
  for (const double capacity : {1e3, 123'456.0, 3e6}) {
    const SearchResult result = find_throughput({}, device(capacity, 10e6));
    EXPECT_LE(result.throughput(), capacity);
    EXPECT_GE(result.throughput(), 0.99 * capacity);
    EXPECT_EQ(result.confirmed.lost(), 0u);
    EXPECT_FALSE(result.generator_limited);
  }
}

TEST(FindThroughput, SaysWhenTheGeneratorIsTheLimit) {
  const SearchResult result = find_throughput({}, device(10e6, 1e6));
  EXPECT_TRUE(result.generator_limited);
  EXPECT_NEAR(result.throughput(), 1e6, 1);
}

TEST(FindThroughput, ConfirmationThatLosesGoesDownUntilOneDoesNot) {
  // Short trials survive on a buffer of 100,000 packets, long ones do not.
  const RunTrial run = [](double pps, double seconds) {
    Trial trial;
    trial.seconds = seconds;
    trial.offered = static_cast<std::uint64_t>((pps == 0 ? 5e6 : pps) * seconds);
    trial.received = std::min(trial.offered, static_cast<std::uint64_t>(1e6 * seconds) + 100'000);
    return trial;
  };
  const SearchResult result = find_throughput({}, run);
  EXPECT_EQ(result.confirmed.lost(), 0u);
  EXPECT_LE(result.throughput(), 1.01e6 + 1);
  EXPECT_GE(result.throughput(), 0.9e6);
}

TEST(FindThroughput, NothingGetsThroughIsNoThroughput) {
  const SearchResult result = find_throughput({}, device(0, 1e6));
  EXPECT_EQ(result.throughput(), 0);
  EXPECT_GT(result.confirmed.lost(), 0u);
}

TEST(FindThroughput, OneLossyTrialIsForgivenTwoAreNot) {
  unsigned calls = 0;
  const auto flaky = [&calls](unsigned period) {
    calls = 0;
    return [&calls, period](double pps, double seconds) {
      Trial trial = device(1e6, 5e6)(pps, seconds);
      if (++calls % period != 0 && trial.received != 0)
        --trial.received;  // only each period-th loses nothing
      return trial;
    };
  };
  EXPECT_GE(find_throughput({}, flaky(2)).throughput(), 0.98e6);
  EXPECT_EQ(find_throughput({}, flaky(1000)).throughput(), 0);
}

TEST(FindThroughput, AddsUpMisorderOverAllTrials) {
  const SearchResult result = find_throughput({}, [](double pps, double seconds) {
    Trial trial = device(1e6, 5e6)(pps, seconds);
    trial.misordered = 2;
    trial.moved = 1;
    return trial;
  });
  EXPECT_EQ(result.misordered, 2 * result.trials);
  EXPECT_EQ(result.moved, result.trials);
}

TEST(FlowLedger, CountsWhatWasOvertakenRepeatedOrMoved) {
  FlowLedger ledger(2);
  const auto take = [&](std::uint32_t flow, std::uint32_t sequence, std::uint32_t backend) {
    return ledger.take(Arrival{flow, sequence, backend, 0});
  };
  EXPECT_TRUE(take(0, 0, 7));
  EXPECT_TRUE(take(1, 0, 9));
  EXPECT_TRUE(take(0, 5, 7));  // a gap is loss, not disorder
  EXPECT_EQ(ledger.misordered(), 0u);
  EXPECT_TRUE(take(0, 4, 7));  // overtaken
  EXPECT_TRUE(take(0, 5, 7));  // repeated
  EXPECT_EQ(ledger.misordered(), 2u);
  EXPECT_EQ(ledger.moved(), 0u);
  EXPECT_TRUE(take(1, 1, 8));
  EXPECT_TRUE(take(1, 2, 8));
  EXPECT_EQ(ledger.moved(), 1u);
  EXPECT_FALSE(take(2, 0, 7)) << "there is no flow 2";
}

TEST(LatencyHistogram, QuantilesAreWithinABucketOfTheSortedValues) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::vector<std::uint64_t> values;
  LatencyHistogram histogram;
  for (int i = 0; i < 100'000; ++i) {
    values.push_back(random() >> (random() % 60));
    histogram.add(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double q : {0.001, 0.1, 0.5, 0.9, 0.99, 0.9999}) {
    const auto exact =
        values[static_cast<std::size_t>(q * static_cast<double>(values.size()) + 0.999999) - 1];
    EXPECT_GE(histogram.quantile(q), exact);
    EXPECT_LE(static_cast<double>(histogram.quantile(q)), 1.032 * static_cast<double>(exact) + 1);
  }
  EXPECT_EQ(histogram.min(), values.front());
  EXPECT_EQ(histogram.max(), values.back());
  EXPECT_EQ(histogram.quantile(1), values.back());
}

TEST(LatencyHistogram, EmptyIsAllZero) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.min(), 0u);
  EXPECT_EQ(histogram.quantile(0.99), 0u);
  EXPECT_EQ(histogram.mean(), 0);
}

}  // namespace
}  // namespace penstock::perf
