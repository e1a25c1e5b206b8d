// The gaps and the bytes on which the fault scenarios' verdicts rest.
#include "penstock/base/clock.h"
#include "tests/traffic/flow_state.h"
#include "tests/traffic/pattern.h"

#include <gtest/gtest.h>

#include <set>

namespace penstock::traffic {
namespace {

Nanoseconds ms(std::uint64_t count) { return Nanoseconds::from_millis(count); }

TEST(Gap, IsTheLongestWaitForAnAnswerAndNotThePauseBetweenMessages) {
  Gap gap;
  gap.begin(ms(100));
  gap.end(ms(105));
  gap.begin(ms(1100));
  gap.end(ms(1102));
  EXPECT_EQ(gap.longest(ms(9000)), ms(5));
  EXPECT_EQ(gap.began(ms(9000)), ms(100));
}

TEST(Gap, CountsAWaitThatIsStillOpen) {
  Gap gap;
  gap.begin(ms(100));
  gap.end(ms(105));
  gap.begin(ms(1000));
  EXPECT_EQ(gap.longest(ms(1300)), ms(300));
  EXPECT_EQ(gap.began(ms(1300)), ms(1000));
}

TEST(Gap, OpenAtAMarkCountsWhole) {
  Gap gap;
  gap.begin(ms(100));
  gap.mark();
  gap.end(ms(400));
  EXPECT_EQ(gap.longest(ms(500)), ms(300));
}

TEST(Gap, BeforeAMarkIsForgotten) {
  Gap gap;
  gap.begin(ms(100));
  gap.end(ms(400));
  gap.mark();
  EXPECT_EQ(gap.longest(ms(500)), ms(0));
}

TEST(Gap, ASecondBeginDoesNotShortenIt) {
  Gap gap;
  gap.begin(ms(100));
  gap.begin(ms(390));
  gap.end(ms(400));
  EXPECT_EQ(gap.longest(ms(400)), ms(300));
}

TEST(Pattern, MessagesDifferByFlowAndBySequence) {
  std::set<std::string> seen;
  for (std::uint64_t flow = 0; flow < 50; ++flow) {
    for (std::uint64_t sequence = 0; sequence < 50; ++sequence) seen.insert(message(flow, sequence, 16));
  }
  EXPECT_EQ(seen.size(), 2500U);
}

TEST(Pattern, ADownloadConsistsOfNumberedLines) {
  std::string text;
  for (std::uint64_t i = 0; i < 48; ++i) text += download_byte(0x1230 + i);
  EXPECT_EQ(text, "000000000000123\n000000000000124\n000000000000125\n");
}

}  // namespace
}  // namespace penstock::traffic
