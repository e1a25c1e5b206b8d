#include "controlplane/gateway/backoff.h"

#include <gtest/gtest.h>

#include <set>

namespace penstock {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesWithinItsBoundsUpToTheCap) {
  Backoff backoff(milliseconds(100), milliseconds(1000));
  for (long full : {100, 200, 400, 800, 1000, 1000}) {
    const long wait = backoff.next().count();
    EXPECT_GE(wait, full / 2);
    EXPECT_LE(wait, full);
  }
  backoff.reset();
  EXPECT_LE(backoff.next().count(), 100);
}

TEST(Backoff, DoesNotKeepAFleetInStep) {
  std::set<long> waits;
  for (int gateway = 0; gateway < 64; ++gateway) {
    waits.insert(Backoff(milliseconds(10'000), milliseconds(10'000)).next().count());
  }
  EXPECT_GT(waits.size(), 32u);
}

}  // namespace
}  // namespace penstock
