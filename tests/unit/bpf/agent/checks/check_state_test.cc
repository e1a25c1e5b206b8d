// The state machine of a check, as tables of results and what is believed after each.
#include "bpf/agent/checks/check_state.h"

#include <gtest/gtest.h>

#include <string>

namespace penstock {
namespace {

char letter(const CheckState& state) {
  switch (state.verdict()) {
    case CheckVerdict::kPassing:
      return 'P';
    case CheckVerdict::kFailing:
      return state.damped() ? 'D' : 'F';
    case CheckVerdict::kUnchecked:
      break;
  }
  return 'u';
}

/// Results, one every 100 ms: + or -. Returns a letter for what is believed after each: P, F, D (damped).
std::string after(CheckState& state, const std::string& results, std::uint64_t& now_ms) {
  std::string out;
  for (const char result : results) {
    now_ms += 100;
    const CheckVerdict before = state.verdict();
    const Nanoseconds now = Nanoseconds::from_millis(now_ms);
    const bool changed = result == '+' ? state.passed(now) : state.failed(now);
    EXPECT_EQ(changed, state.verdict() != before);
    if (changed) {
      EXPECT_EQ(state.since(), now);
    }
    out += letter(state);
  }
  return out;
}

std::string after(const CheckRules& rules, const std::string& results) {
  CheckState state(rules);
  EXPECT_EQ(letter(state), 'u');
  std::uint64_t now_ms = 1000;
  return after(state, results, now_ms);
}

TEST(CheckState, RiseAndFallCountResultsInARow) {
  struct Case {
    const char* what;
    std::uint32_t rise, fall;
    const char* results;
    const char* expected;
  };
  const Case cases[] = {
      {"the first result decides: good", 3, 3, "+", "P"},
      {"the first result decides: bad", 3, 3, "-", "F"},
      {"fall failures in a row", 2, 3, "+---", "PPPF"},
      {"a success between begins anew", 2, 3, "+--+--+---", "PPPPPPPPPF"},
      {"rise successes in a row", 2, 3, "-+-++", "FFFFP"},
      {"at once", 1, 1, "+-+-+", "PFPFP"},
      {"after the way back fall counts from zero", 2, 2, "--++-", "FFFPP"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(after({c.rise, c.fall, 0, 0}, c.results), c.expected) << c.what;
  }
}

TEST(CheckState, AFallIsHeldForItsTimeWhateverFollows) {
  // It fell at the second result; the hold of 300 ms ends at the fifth.
  EXPECT_EQ(after({1, 1, 300, 300}, "+-++++"), "PFDDPP");
  EXPECT_EQ(after({2, 1, 300, 300}, "+-++++"), "PFFDPP");
  EXPECT_EQ(after({1, 1, 300, 300}, "+-++-+"), "PFDDFP") << "a failure while held begins no new hold";
}

TEST(CheckState, WhoIsFoundFailingHasNotFallen) { EXPECT_EQ(after({2, 3, 60'000, 60'000}, "-++"), "FFP"); }

TEST(CheckState, EachFallSoonAfterTheLastDoublesTheHold) {
  CheckState state({1, 1, 200, 800});
  std::uint64_t now_ms = 0;
  EXPECT_EQ(after(state, "+", now_ms), "P");
  for (const std::uint64_t hold_ms : {200u, 400u, 800u, 800u, 800u}) {
    ASSERT_EQ(after(state, "-", now_ms), "F");
    EXPECT_EQ(state.hold_until(), Nanoseconds::from_millis(now_ms + hold_ms));
    now_ms += hold_ms;
    ASSERT_EQ(after(state, "+", now_ms), "P");
  }
}

TEST(CheckState, AFallLongAfterTheLastIsHeldAsTheFirst) {
  CheckState state({1, 1, 200, 800});
  std::uint64_t now_ms = 0;
  EXPECT_EQ(after(state, "+-++", now_ms), "PFDP");
  now_ms += 800;
  EXPECT_EQ(after(state, "-", now_ms), "F");
  EXPECT_EQ(state.hold_until(), Nanoseconds::from_millis(now_ms + 200));
}

TEST(CheckState, AFlappingCheckPassesAtMostOncePerHold) {
  CheckState state({1, 1, 1000, 8000});
  std::uint64_t now_ms = 0;
  std::string flapping;
  for (int i = 0; i < 300; ++i) flapping += "++--";  // 120 s
  const std::string believed = after(state, flapping, now_ms);
  std::size_t ways_back = 0;
  for (std::size_t i = 1; i < believed.size(); ++i) ways_back += believed[i] == 'P' && believed[i - 1] != 'P';
  EXPECT_LE(ways_back, 3u + 120u / 8u) << believed;
  EXPECT_GE(ways_back, 10u) << "it is held, not banned";
}

}  // namespace
}  // namespace penstock
