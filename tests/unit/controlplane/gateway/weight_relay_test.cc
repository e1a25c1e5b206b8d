// WeightRelay against a dataplane that speaks real gRPC on a unix socket.
#include "controlplane/gateway/weight_relay.h"

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

proto::UpdateWeightsRequest word(ConfigId base, std::uint64_t version) {
  proto::UpdateWeightsRequest out;
  out.set_epoch(base.epoch);
  out.set_base_generation(base.generation);
  out.set_version(version);
  auto& service = *out.add_services();
  service.set_service("web");
  auto& backend = *service.add_backends();
  backend.set_backend("be1");
  backend.set_weight(static_cast<std::uint32_t>(version));
  return out;
}

class WeightRelayTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::size_t taken() const { return dataplane_->weights().size(); }
  [[nodiscard]] std::uint64_t in_force() const {
    const auto weights = dataplane_->weights();
    return weights.empty() ? 0 : weights.back().version();
  }
  /// The dataplane comes to run it, and beats.
  void run(ConfigId id) {
    dataplane_->set_running(id);
    relay_.observe(id);
  }

  test::TempDir dir_;
  const std::string socket_ = dir_.path("dataplane.sock");
  std::unique_ptr<FakeDataplane> dataplane_ = std::make_unique<FakeDataplane>(socket_);
  DataplaneClient client_{socket_};
  WeightRelay relay_{client_};
};

TEST_F(WeightRelayTest, AWordIsLaidOverItsConfigurationOnce) {
  run({7, 3});
  relay_.submit(word({7, 3}, 1));
  ASSERT_TRUE(eventually([&] { return taken() == 1; }));
  EXPECT_EQ(dataplane_->weights()[0].SerializeAsString(), word({7, 3}, 1).SerializeAsString());
  relay_.observe({7, 3});
  EXPECT_TRUE(holds_for(200ms, [&] { return taken() == 1; })) << "a beat that says the same is no reason";
  EXPECT_EQ(relay_.services(), std::vector<std::string>{"web"});
}

TEST_F(WeightRelayTest, AWordWaitsForItsConfiguration) {
  run({7, 3});
  relay_.submit(word({7, 4}, 1));
  EXPECT_TRUE(holds_for(100ms, [&] { return dataplane_->weights_in_vain() == 0 && taken() == 0; }));
  run({7, 4});
  EXPECT_TRUE(eventually([&] { return in_force() == 1; }));
}

TEST_F(WeightRelayTest, AnOlderWordNeverFollowsANewerOne) {
  run({7, 3});
  relay_.submit(word({7, 3}, 5));
  relay_.submit(word({7, 3}, 4));
  relay_.submit(word({7, 2}, 9));
  ASSERT_TRUE(eventually([&] { return in_force() == 5; }));
  EXPECT_EQ(relay_.counts().late, 2U);
  relay_.submit(word({7, 4}, 1));
  run({7, 4});
  ASSERT_TRUE(eventually([&] { return in_force() == 1; })) << "versions are of their configuration";
  run({8, 1});
  relay_.submit(word({8, 1}, 2));
  EXPECT_TRUE(eventually([&] { return in_force() == 2; })) << "another store counts for itself";
}

TEST_F(WeightRelayTest, ARestartedDataplaneGetsThemAgain) {
  run({7, 3});
  relay_.submit(word({7, 3}, 1));
  ASSERT_TRUE(eventually([&] { return taken() == 1; }));
  dataplane_.reset();
  dataplane_ = std::make_unique<FakeDataplane>(socket_);
  relay_.reconnected();
  relay_.observe({});
  EXPECT_EQ(dataplane_->weights_in_vain(), 0) << "it runs nothing yet";
  run({7, 3});
  EXPECT_TRUE(eventually([&] { return taken() == 1; }));
}

TEST_F(WeightRelayTest, ADataplaneThatIsAwayIsAskedAgainUntilItAnswers) {
  dataplane_.reset();
  relay_.observe({7, 3});
  relay_.submit(word({7, 3}, 1));
  dataplane_ = std::make_unique<FakeDataplane>(socket_, ConfigId{7, 3});
  EXPECT_TRUE(eventually([&] { return in_force() == 1; }));
}

TEST_F(WeightRelayTest, AnOlderDataplaneIsAskedOncePerWordAndLeftInPeace) {
  for (const auto how : {FakeDataplane::Weights::kRefused, FakeDataplane::Weights::kUnimplemented}) {
    SCOPED_TRACE(static_cast<int>(how));
    const int before = dataplane_->weights_in_vain();
    const auto refused = relay_.counts().refused;
    dataplane_->set_weights(how);
    run({7, 3});
    relay_.submit(word({7, 3}, static_cast<std::uint64_t>(before) + 1));
    ASSERT_TRUE(eventually([&] { return dataplane_->weights_in_vain() == before + 1; }));
    EXPECT_TRUE(holds_for(200ms, [&] { return dataplane_->weights_in_vain() == before + 1; }));
    EXPECT_EQ(relay_.counts().refused, refused + 1);
  }
  dataplane_->set_weights(FakeDataplane::Weights::kTaken);
  relay_.submit(word({7, 3}, 10));
  EXPECT_TRUE(eventually([&] { return in_force() == 10; }));
}

}  // namespace
}  // namespace penstock
