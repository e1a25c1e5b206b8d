#include "perf/pktgen/scenario.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace penstock::perf {
namespace {

const std::string kGood = "[one]\nflows = 10\nframes = mix 64 1518\nsyns = 50\nmeasure = rate\n";

std::string refusal(const std::string& text) {
  const auto parsed = parse_scenarios(text);
  return parsed ? "accepted" : parsed.error().text();
}

TEST(Scenarios, TheShippedFileHasEveryScenarioOfTheSuite) {
  const auto all = read_scenarios(PENSTOCK_SOURCE_DIR "/perf/pktgen/scenarios.ini");
  ASSERT_TRUE(all) << all.error().text();
  std::vector<std::string> names;
  for (const Scenario& s : *all) names.push_back(s.name);
  EXPECT_EQ(names, (std::vector<std::string>{"many-flows", "imix", "syn-flood", "rfc2544-throughput",
                                             "rfc2544-latency"}));
  EXPECT_EQ((*all)[0].flows, 1'000'000u);
  EXPECT_EQ((*all)[3].frame_bytes, (*all)[4].frame_bytes) << "latency is measured where throughput was";
  EXPECT_EQ((*all)[4].measure, Measure::kLatency);
}

TEST(Scenarios, ImixIsSevenFourOne) {
  const auto all = read_scenarios(PENSTOCK_SOURCE_DIR "/perf/pktgen/scenarios.ini");
  ASSERT_TRUE(all);
  const auto& sizes = (*all)[1].frame_bytes;
  EXPECT_EQ(sizes.size(), 12u);
  EXPECT_EQ(std::count(sizes.begin(), sizes.end(), 64), 7);
  EXPECT_EQ(std::count(sizes.begin(), sizes.end(), 570), 4);
  EXPECT_EQ(std::count(sizes.begin(), sizes.end(), 1518), 1);
}

TEST(Scenarios, AllKeysAreRead) {
  const auto parsed = parse_scenarios("# comment\n\n" + kGood);
  ASSERT_TRUE(parsed) << parsed.error().text();
  ASSERT_EQ(parsed->size(), 1u);
  const Scenario& one = parsed->front();
  EXPECT_EQ(one.name, "one");
  EXPECT_EQ(one.flows, 10u);
  EXPECT_EQ(one.frame_bytes, (std::vector<std::uint16_t>{64, 1518}));
  EXPECT_FALSE(one.each_size);
  EXPECT_EQ(one.syn_percent, 50u);
}

TEST(Scenarios, BadInputIsRefusedByLine) {
  EXPECT_EQ(refusal("flows = 1\n"), "line 1: 'flows' stands before the first [scenario]");
  EXPECT_EQ(refusal("[]\n"), "line 1: '[]' is not [NAME]");
  EXPECT_EQ(refusal("[a\n"), "line 1: '[a' is not [NAME]");
  EXPECT_EQ(refusal("[a]\nflow = 1\n"), "line 2: unknown key 'flow'");
  EXPECT_EQ(refusal("[a]\nflows\n"), "line 2: 'flows' is not KEY = VALUE");
  EXPECT_EQ(refusal("[a]\nflows = 0\n"), "line 2: flows '0' is not 1-10000000");
  EXPECT_EQ(refusal("[a]\nflows = 1\nflows = 1\n"), "line 3: 'flows' is given twice");
  EXPECT_EQ(refusal("[a]\nsyns = 100\n"), "line 2: syns '100' is not 0-99");
  EXPECT_EQ(refusal("[a]\nframes = 64\n"), "line 2: frames must begin with mix or each");
  EXPECT_EQ(refusal("[a]\nframes = mix\n"), "line 2: frames names no size");
  EXPECT_EQ(refusal("[a]\nframes = mix 63\n"), "line 2: frame size '63' is not 64-1518");
  EXPECT_EQ(refusal("[a]\nmeasure = loss\n"), "line 2: measure is rate or latency");
  EXPECT_EQ(refusal("[a]\nflows = 1\n"), "line 2: [a] lacks 'frames'");
  EXPECT_EQ(refusal(kGood + kGood), "line 6: [one] is there twice");
}

TEST(Scenarios, ChosenByNameInTheOrderAsked) {
  const auto all =
      parse_scenarios(kGood + "[two]\nflows = 1\nframes = each 64\nsyns = 0\nmeasure = latency\n");
  ASSERT_TRUE(all) << all.error().text();
  const auto chosen = choose_scenarios(*all, {"two", "one"});
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->at(0).name, "two");
  EXPECT_EQ(chosen->at(1).name, "one");
  EXPECT_EQ(choose_scenarios(*all, {})->size(), 2u);
  const auto unknown = choose_scenarios(*all, {"three"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message, "there is no 'three'; there are: one, two");
}

}  // namespace
}  // namespace penstock::perf
