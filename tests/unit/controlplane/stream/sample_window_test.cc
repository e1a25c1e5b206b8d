#include "controlplane/stream/sample_window.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(SampleWindow, ACounterIsReadBetweenItsSamples) {
  SampleWindow window;
  window.push(1, 100);
  EXPECT_DOUBLE_EQ(window.at(0), 100);
  EXPECT_DOUBLE_EQ(window.at(2), 100);
  window.push(2, 200);
  EXPECT_DOUBLE_EQ(window.at(1.25), 125);
  EXPECT_DOUBLE_EQ(window.at(3), 200);
}

TEST(SampleWindow, AValueStandsForTheTimeSinceTheOneBefore) {
  SampleWindow window;
  window.push(1, 0.9);
  EXPECT_DOUBLE_EQ(window.mean_since(0), 0.9);
  window.push(1.1, 0.2);
  window.push(1.3, 0.5);
  EXPECT_DOUBLE_EQ(window.mean_since(1.2), 0.5);
  EXPECT_NEAR(window.mean_since(1), (0.1 * 0.2 + 0.2 * 0.5) / 0.3, 1e-12);
}

TEST(SampleWindow, ManySourcesOfOneValueDoNotPushItsPastOut) {
  SampleWindow window;
  for (int ms = 0; ms <= 1000; ++ms) window.push(ms / 1000.0, ms);
  EXPECT_LE(window.oldest(), 1 - 0.5);
  EXPECT_DOUBLE_EQ(window.newest(), 1);
  EXPECT_NEAR(window.at(0.75), 750, 1e-9);
}

TEST(SampleWindow, WhatComesLateIsLeftOut) {
  SampleWindow window;
  window.push(2, 20);
  window.push(1, 10);
  EXPECT_DOUBLE_EQ(window.last(), 20);
  EXPECT_DOUBLE_EQ(window.oldest(), 2);
}

}  // namespace
}  // namespace penstock
