#include "controlplane/model/rfc3339.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>

namespace penstock {
namespace {

// The times were made with date(1): date -u -d @SECONDS +%FT%TZ
TEST(Rfc3339, IsWhatDateSays) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339(951'782'400), "2000-02-29T00:00:00Z");
  EXPECT_EQ(rfc3339(1'795'822'860), "2026-11-27T23:41:00Z");
  EXPECT_EQ(rfc3339(253'402'300'799), "9999-12-31T23:59:59Z");
}

TEST(Rfc3339, AnOffsetNamesTheSameTime) {
  EXPECT_EQ(unix_seconds_from_rfc3339("2026-11-28T01:41:00+02:00"), 1'795'822'860u);
  EXPECT_EQ(unix_seconds_from_rfc3339("2026-11-27T20:11:00-03:30"), 1'795'822'860u);
}

TEST(Rfc3339, WhatIsWrittenIsReadBack) {
  const auto seed = std::random_device{}();
  std::mt19937_64 random(seed);
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t time = random() % 253'402'300'800;
    ASSERT_EQ(unix_seconds_from_rfc3339(rfc3339(time)), time) << "seed " << seed;
  }
}

TEST(Rfc3339, WhatNoCalendarHasIsRefused) {
  for (const char* text : {"", "soon", "2026-11-28", "2026-11-28T10:00:00", "2026-11-28 10:00:00Z",
                           "2026-11-28T10:00:00z", "2026-02-29T10:00:00Z", "2026-13-01T10:00:00Z",
                           "2026-11-28T24:00:00Z", "2026-11-28T10:60:00Z", "2026-11-28T10:00:60Z",
                           "2026-11-28T10:00:00.5Z", "2026-11-28T10:00:00+24:00", "2026-11-28T10:00:00+0200",
                           "1969-12-31T23:59:59Z", "+026-11-28T10:00:00Z", "2026-11-28T10:00:00ZZ"}) {
    EXPECT_FALSE(unix_seconds_from_rfc3339(text)) << text;
  }
}

}  // namespace
}  // namespace penstock
