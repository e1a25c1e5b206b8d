#include "controlplane/load/workload_class.h"

#include <gtest/gtest.h>

#include <limits>

namespace penstock::load {
namespace {

/// 100 new flows a second that stay and carry this.
Traffic flows(double residence, double bytes_per_flow) {
  return {100, 100 * residence, 100 * bytes_per_flow};
}

void observe(WorkloadClassifier& classifier, const Traffic& traffic, int times) {
  for (int i = 0; i < times; ++i) classifier.observe(traffic, 1);
}

TEST(WorkloadClass, IsLearnedFromWhatFlowsCarryAndHowLongTheyStay) {
  struct Case {
    const char* what;
    Traffic traffic;
    WorkloadClass workload;
  };
  const Case cases[] = {
      {"requests", flows(0.05, 2'000), WorkloadClass::kLatencySensitive},
      {"idle sessions of a minute", flows(60, 20'000), WorkloadClass::kLatencySensitive},
      {"uploads", flows(5, 50e6), WorkloadClass::kThroughput},
      {"an hour of training", flows(3600, 100e6), WorkloadClass::kBatch},
      {"an hour at full speed", flows(3600, 36e9), WorkloadClass::kThroughput},
  };
  for (const Case& one : cases) {
    WorkloadClassifier classifier;
    observe(classifier, one.traffic, 100);
    EXPECT_EQ(classifier.workload(), one.workload) << one.what;
    EXPECT_EQ(classifier.confidence(), 1) << one.what;
  }
}

TEST(WorkloadClass, IsLatencySensitiveUntilSomethingIsLearned) {
  const WorkloadClassifier classifier;
  EXPECT_EQ(classifier.workload(), WorkloadClass::kLatencySensitive);
  EXPECT_EQ(classifier.confidence(), 0);
}

TEST(WorkloadClass, FollowsLittlesLaw) {
  WorkloadClassifier classifier;
  observe(classifier, flows(12.5, 4'000), 10);
  EXPECT_DOUBLE_EQ(classifier.residence_seconds(), 12.5);
  EXPECT_DOUBLE_EQ(classifier.bytes_per_flow(), 4'000);
}

TEST(WorkloadClass, ConfiguredWinsAndLearningGoesOn) {
  WorkloadClassifier classifier;
  classifier.configure(WorkloadClass::kBatch);
  observe(classifier, flows(5, 50e6), 100);
  EXPECT_EQ(classifier.workload(), WorkloadClass::kBatch);
  EXPECT_EQ(classifier.learned(), WorkloadClass::kThroughput);
  classifier.configure(std::nullopt);
  EXPECT_EQ(classifier.workload(), WorkloadClass::kThroughput);
}

TEST(WorkloadClass, DoesNotFlapAtABoundary) {
  WorkloadClassifier classifier;
  observe(classifier, flows(5, 50e6), 100);
  int changes = 0;
  WorkloadClass before = classifier.workload();
  for (int i = 0; i < 400; ++i) {
    observe(classifier, flows(5, i / 20 % 2 == 0 ? 0.8e6 : 1.3e6), 1);
    changes += classifier.workload() != before;
    before = classifier.workload();
  }
  EXPECT_EQ(changes, 0);
  observe(classifier, flows(5, 10'000), 100);
  EXPECT_EQ(classifier.workload(), WorkloadClass::kLatencySensitive);
}

TEST(WorkloadClass, IsNotChangedByABurst) {
  WorkloadClassifier classifier;
  observe(classifier, flows(0.05, 2'000), 100);
  observe(classifier, flows(5, 5e6), 3);
  EXPECT_EQ(classifier.workload(), WorkloadClass::kLatencySensitive);
  EXPECT_EQ(classifier.learned(), WorkloadClass::kLatencySensitive);
}

TEST(WorkloadClass, IsTaughtNothingByWhatIsNoNumber) {
  WorkloadClassifier classifier;
  observe(classifier, flows(5, 50e6), 100);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double value : {nan, infinity, -1.0}) {
    classifier.observe({value, 1, 1}, 1);
    classifier.observe({1, value, 1}, 1);
    classifier.observe({1, 1, value}, 1);
    classifier.observe({1, 1, 1}, value);
  }
  classifier.observe({}, 1);
  EXPECT_DOUBLE_EQ(classifier.residence_seconds(), 5);
  EXPECT_DOUBLE_EQ(classifier.bytes_per_flow(), 50e6);
}

}  // namespace
}  // namespace penstock::load
