// The process penstock-gateway as a supervisor sees it: killed, restarted, asked to withdraw. The command
// lines are those of scripts/systemd.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "controlplane/announce/child_process.h"
#include "controlplane/announce/vip_routes.h"
#include "controlplane/gateway/last_good.h"
#include "eventually.h"
#include "fake_control.h"
#include "fake_dataplane.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using test::config_with;
using test::directive;
using test::eventually;
using test::FakeDataplane;
using test::holds_for;
using Clock = std::chrono::steady_clock;
using Words = std::vector<std::string>;

class GatewayProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for a network namespace";
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    ASSERT_EQ(std::system("ip link set lo up"), 0);
    witness_ = std::move(*VipRoutes::open({}));
    std::ofstream(dir_.path("gateway.yaml"))
        << "id: gw1\nstate_dir: " << dir_.path() << "\ndataplane_socket: " << dir_.path("dataplane.sock")
        << "\ncontrolplane: 127.0.0.1:1\nbirdc: /bin/true\nbird_include: " << dir_.path("bird.conf")
        << "\nrouting: bird\n";
    ASSERT_TRUE(LastGood(dir_.path()).save(directive(config_with({7, 1}))));
  }

  /// The words of `key` in a unit, for this build's binary and this test's settings.
  Words command(const std::string& unit, const std::string& key) {
    std::ifstream in(PENSTOCK_SOURCE_DIR "/scripts/systemd/" + unit);
    for (std::string line; std::getline(in, line);) {
      if (line.rfind(key + "=", 0) != 0) continue;
      std::istringstream rest(line.substr(key.size() + 1));
      Words words(std::istream_iterator<std::string>(rest), {});
      for (std::string& word : words) {
        if (word == "/usr/bin/penstock-gateway" || word == "-/usr/bin/penstock-gateway")
          word = PENSTOCK_GATEWAY;
        if (word == "/etc/penstock/gateway.yaml") word = dir_.path("gateway.yaml");
      }
      return words;
    }
    ADD_FAILURE() << unit << " has no " << key;
    return {};
  }

  void start_dataplane() { dataplane_ = std::make_unique<FakeDataplane>(dir_.path("dataplane.sock")); }
  void start_agent() {
    auto started = ChildProcess::start(command("penstock-gateway.service", "ExecStart"));
    ASSERT_TRUE(started) << started.error().text();
    agent_.emplace(std::move(*started));
  }
  void kill_agent() {
    agent_->kill();
    ASSERT_TRUE(agent_->wait(5s));
    agent_.reset();
  }
  void bring_up() {
    start_dataplane();
    start_agent();
    ASSERT_TRUE(eventually([&] { return routes() == kVip; }));
  }
  Announcements routes() { return *witness_->announced(); }

  const Announcements kVip{{*IpAddr::parse("203.0.113.10"), {}}};
  test::TempDir dir_;
  std::unique_ptr<VipRoutes> witness_;
  std::unique_ptr<FakeDataplane> dataplane_;
  std::optional<ChildProcess> agent_;
};

TEST_F(GatewayProcessTest, SupervisorThatKillsEverythingLeavesNoRoute) {
  for (const char* unit : {"penstock-gateway.service", "penstock-dataplane.service"}) {
    bring_up();
    const auto killed = Clock::now();
    kill_agent();
    dataplane_.reset();
    ASSERT_EQ(routes(), kVip) << "nobody could withdraw yet";
    auto said = run_command(command(unit, "ExecStopPost"), 5s);
    ASSERT_TRUE(said) << said.error().text();
    EXPECT_TRUE(routes().empty());
    std::printf("%s: routes gone %ld ms after the kill\n", unit,
                std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - killed).count());
  }
}

TEST_F(GatewayProcessTest, AgentAloneThatIsKilledKeepsTheRoutesOfALivingDataplane) {
  bring_up();
  kill_agent();
  auto said = run_command(command("penstock-gateway.service", "ExecStopPost"), 5s);
  ASSERT_TRUE(said) << said.error().text();
  EXPECT_EQ(routes(), kVip);
  start_agent();
  EXPECT_TRUE(holds_for(1500ms, [&] { return routes() == kVip; }));
  EXPECT_EQ(dataplane_->applied().size(), 1u) << "the running dataplane was configured again";
}

TEST_F(GatewayProcessTest, DataplaneThatHangsCountsAsDead) {
  bring_up();
  kill_agent();
  dataplane_->set_beating(false);
  ASSERT_TRUE(run_command(command("penstock-dataplane.service", "ExecStopPost"), 5s));
  EXPECT_TRUE(routes().empty());
}

TEST_F(GatewayProcessTest, WithdrawAlwaysDoesNotAskTheDataplane) {
  bring_up();
  kill_agent();
  Words words = command("penstock-gateway.service", "ExecStopPost");
  words.back() = "always";
  ASSERT_TRUE(run_command(words, 5s));
  EXPECT_TRUE(routes().empty());
}

TEST_F(GatewayProcessTest, WithdrawTouchesNoRouteOfOthers) {
  ASSERT_EQ(std::system("ip route add blackhole 198.51.100.1/32 metric 1"), 0);
  ASSERT_TRUE(run_command(command("penstock-gateway.service", "ExecStopPost"), 5s));
  EXPECT_EQ(std::system("ip route show 198.51.100.1 | grep -q blackhole"), 0);
}

TEST_F(GatewayProcessTest, NeedsAnIdToRun) {
  auto refused = run_command({PENSTOCK_GATEWAY, "--state-dir", dir_.path()}, 5s);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("status 64"));
}

}  // namespace
}  // namespace penstock
