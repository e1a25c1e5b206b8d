#include "controlplane/load/law.h"

#include <gtest/gtest.h>

namespace penstock::load {
namespace {

TEST(NoOvershootGain, IsTheClosedFormOfIntegralControlUnderDelay) {
  EXPECT_DOUBLE_EQ(no_overshoot_gain(0), 1);
  EXPECT_NEAR(no_overshoot_gain(1), 1.0 / 4, 1e-12);
  EXPECT_NEAR(no_overshoot_gain(2), 4.0 / 27, 1e-12);
  EXPECT_NEAR(no_overshoot_gain(3), 27.0 / 256, 1e-12);
}

}  // namespace
}  // namespace penstock::load
