// FleetRelay against a dataplane that speaks real gRPC on a unix socket.
#include "controlplane/gateway/fleet_relay.h"

#include <gtest/gtest.h>

#include <memory>

#include "eventually.h"
#include "fake_dataplane.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::FakeDataplane;
using test::holds_for;

proto::FleetHealth dead(const std::string& backend) {
  proto::FleetHealth fleet;
  fleet.set_gateways(2);
  proto::FleetHealth::Verdict& verdict = *fleet.add_verdicts();
  verdict.set_service("web");
  verdict.set_backend(backend);
  return fleet;
}

class FleetRelayTest : public ::testing::Test {
 protected:
  test::TempDir dir_;
  const std::string socket_ = dir_.path("dataplane.sock");
  std::unique_ptr<FakeDataplane> dataplane_ = std::make_unique<FakeDataplane>(socket_);
  DataplaneClient client_{socket_};
  FleetRelay relay_{client_};
};

TEST_F(FleetRelayTest, EveryWordIsPassedOnOnceAndThenNothingMore) {
  relay_.submit(dead("be1"));
  ASSERT_TRUE(eventually([&] { return dataplane_->fleet().size() == 1; }));
  EXPECT_EQ(dataplane_->fleet()[0].SerializeAsString(), dead("be1").SerializeAsString());
  relay_.submit(dead("be1"));
  ASSERT_TRUE(eventually([&] { return dataplane_->fleet().size() == 2; })) << "a repetition keeps it alive";
  EXPECT_TRUE(holds_for(300ms, [&] { return dataplane_->fleet().size() == 2; }))
      << "else it would not expire";
}

TEST_F(FleetRelayTest, AnOlderDataplaneIsLeftInPeace) {
  dataplane_->forget_fleet_health();
  relay_.submit(dead("be1"));
  ASSERT_TRUE(eventually([&] { return dataplane_->fleet_in_vain() == 1; }));
  EXPECT_TRUE(holds_for(300ms, [&] { return dataplane_->fleet_in_vain() == 1; }));
  relay_.submit(dead("be2"));
  EXPECT_TRUE(eventually([&] { return dataplane_->fleet_in_vain() == 2; }));
}

TEST_F(FleetRelayTest, ADataplaneThatIsAwayMissesItAndItsSuccessorGetsTheNext) {
  dataplane_.reset();
  relay_.submit(dead("be1"));
  dataplane_ = std::make_unique<FakeDataplane>(socket_);
  // The word before may still be on its way to whoever listens now.
  ASSERT_TRUE(eventually([&] {
    relay_.submit(dead("be2"));
    const auto heard = dataplane_->fleet();
    return !heard.empty() && heard.back().verdicts(0).backend() == "be2";
  }));
}

}  // namespace
}  // namespace penstock
