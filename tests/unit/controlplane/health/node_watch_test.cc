#include "controlplane/health/node_watch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace penstock {
namespace {

constexpr PathVotes kHeard{.heard = 2};
constexpr PathVotes kUnheard{.unheard = 2};
constexpr PathVotes kNobody{};
constexpr PathVotes kDoubted{.doubting = 2};

/// A node whose agent reports every second and whose gateways do as told, watched every 250 ms from second
/// 100.
class Watched {
 public:
  bool agent = true;
  PathVotes paths = kHeard;

  void run(unsigned milliseconds) {
    for (unsigned passed = 0; passed < milliseconds; passed += 250) {
      now_ms_ += 250;
      if (agent && now_ms_ % 1000 == 0) last_ms_ = now_ms_;
      if (watch_.update(at(last_ms_), paths, at(now_ms_))) states_.emplace_back(state());
    }
  }
  [[nodiscard]] const char* state() const { return node_state_name(watch_.state()); }
  [[nodiscard]] const std::vector<std::string>& states() const { return states_; }

 private:
  static Nanoseconds at(std::uint64_t ms) { return Nanoseconds::from_millis(ms); }

  std::uint64_t now_ms_ = 100'000;
  std::uint64_t last_ms_ = 100'000;
  NodeWatch watch_;
  std::vector<std::string> states_;
};

using States = std::vector<std::string>;

TEST(NodeWatch, WhoIsLostTellsWhatIsLost) {
  const struct {
    const char* what;
    bool agent;
    PathVotes paths;
    States states;
  } kCases[] = {
      {"agent killed, probes answered", false, kHeard, {"up", "agent_lost"}},
      {"probes lost, agent talks", true, kUnheard, {"up", "path_lost"}},
      {"one gateway's bad link", true, {.heard = 2, .unheard = 1}, {"up"}},
      {"half of the gateways' bad links", true, {.heard = 1, .unheard = 1}, {"up"}},
      {"host gone", false, kUnheard, {"up", "dead"}},
      {"host gone, says the majority", false, {.heard = 1, .unheard = 2}, {"up", "dead"}},
      {"agent silent, and no gateway says anything", false, kNobody, {"up", "unknown"}},
      {"agent silent, and the gateways doubt their links", false, kDoubted, {"up", "unknown"}},
      {"agent talks, the gateways doubt their links", true, kDoubted, {"up", "path_lost"}},
      {"gateways lost, agent talks", true, kNobody, {"up"}},
      {"one doubts, one hears", true, {.heard = 1, .doubting = 1}, {"up"}},
  };
  for (const auto& c : kCases) {
    Watched node;
    node.run(5000);
    node.agent = c.agent;
    node.paths = c.paths;
    node.run(10'000);
    EXPECT_EQ(node.states(), c.states) << c.what;
  }
}

TEST(NodeWatch, ADeathIsNotTakenForALostPathThoughTheAgentCountsAsTalkingForAWhile) {
  Watched node;
  node.run(5000);
  node.agent = false;
  node.paths = kUnheard;
  node.run(2750);
  EXPECT_STREQ(node.state(), "up");
  node.run(500);
  EXPECT_STREQ(node.state(), "dead");
}

TEST(NodeWatch, WhatWasLostCountsAsBackWhenItIsSteady) {
  Watched node;
  node.agent = false;
  node.run(5000);
  EXPECT_STREQ(node.state(), "agent_lost");
  node.agent = true;
  node.run(1500);
  EXPECT_STREQ(node.state(), "agent_lost") << "one message is not a steady stream";
  node.run(3000);
  EXPECT_STREQ(node.state(), "up");
  node.paths = kUnheard;
  node.run(2000);
  EXPECT_STREQ(node.state(), "path_lost");
  node.paths = kHeard;
  node.run(1000);
  EXPECT_STREQ(node.state(), "path_lost");
  node.run(2000);
  EXPECT_STREQ(node.state(), "up");
}

TEST(NodeWatch, AFlappingAgentIsOneEvent) {
  Watched node;
  node.run(5000);
  for (int flap = 0; flap < 20; ++flap) {
    node.agent = false;
    node.run(4000);
    node.agent = true;
    node.run(1000);
  }
  EXPECT_EQ(node.states(), (States{"up", "agent_lost"}));
}

TEST(NodeWatch, AFlappingPathIsOneEvent) {
  Watched node;
  node.run(5000);
  for (int flap = 0; flap < 20; ++flap) {
    node.paths = kUnheard;
    node.run(1000);
    node.paths = kHeard;
    node.run(1000);
  }
  EXPECT_EQ(node.states(), (States{"up", "path_lost"}));
}

TEST(NodeWatch, AStreamThatIsBrokenForLessThanThreeSecondsIsNoEvent) {
  Watched node;
  node.run(5000);
  node.agent = false;
  node.run(1750);
  node.agent = true;
  node.run(10'000);
  EXPECT_EQ(node.states(), States{"up"});
}

TEST(NodeWatch, ANodeThatComesBackFromTheDeadIsUpAgain) {
  Watched node;
  node.run(5000);
  node.agent = false;
  node.paths = kUnheard;
  node.run(10'000);
  node.paths = kHeard;
  node.agent = true;
  node.run(10'000);
  EXPECT_STREQ(node.state(), "up");
  EXPECT_EQ(node.states().front(), "up");
}

}  // namespace
}  // namespace penstock
