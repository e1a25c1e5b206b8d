// Drains with a deadline: the dataplane ends them by itself.
#include <gtest/gtest.h>

#include "penstock/proto/dataplane.pb.h"
#include "tests/unit/dataplane/control/control_harness.h"

namespace penstock {
namespace {

constexpr std::uint64_t kFarAway = std::uint64_t{1} << 40;

proto::DataplaneConfig draining(std::uint64_t generation, std::uint64_t reset_after) {
  proto::DataplaneConfig out =
      config(1, generation, {service("web", "203.0.113.10", {"10.0.0.1", "10.0.0.2"})});
  auto& backend = *out.mutable_services(0)->mutable_backends(0);
  backend.set_drain(true);
  backend.set_reset_after_unix_seconds(reset_after);
  return out;
}

class DrainDeadline : public ::testing::Test {
 protected:
  [[nodiscard]] bool is_over(std::size_t backend) const {
    const Snapshot& snapshot = harness_.publisher.current();
    return snapshot.backend(snapshot.services()[0]->backends[backend]).has(BackendRecord::kDrainOver);
  }
  ControlHarness harness_;
};

TEST_F(DrainDeadline, PassesForItsBackendOnly) {
  ASSERT_TRUE(harness_.applier.apply(draining(1, kFarAway)).accepted);
  harness_.applier.end_drains(kFarAway - 1);
  EXPECT_FALSE(is_over(0));
  harness_.applier.end_drains(kFarAway);
  EXPECT_TRUE(is_over(0));
  EXPECT_FALSE(is_over(1));
  EXPECT_EQ(harness_.applier.generation(), 1U) << "no new configuration";
}

TEST_F(DrainDeadline, ThatHasPassedBeforeTheConfigurationCameCountsAtOnce) {
  ASSERT_TRUE(harness_.applier.apply(draining(1, 1'000'000'000)).accepted);
  EXPECT_TRUE(is_over(0));
}

TEST_F(DrainDeadline, WithoutOneADrainGoesOn) {
  ASSERT_TRUE(harness_.applier.apply(draining(1, 0)).accepted);
  harness_.applier.end_drains(UINT64_MAX - 1);
  EXPECT_FALSE(is_over(0));
}

TEST_F(DrainDeadline, ThatHasPassedMakesNoOtherConfiguration) {
  ASSERT_TRUE(harness_.applier.apply(draining(1, 1'000'000'000)).accepted);
  EXPECT_TRUE(harness_.applier.apply(draining(1, 1'000'000'000)).accepted) << "what runs is accepted again";
}

TEST_F(DrainDeadline, ThatIsPutOffIsNotOver) {
  ASSERT_TRUE(harness_.applier.apply(draining(1, 1'000'000'000)).accepted);
  ASSERT_TRUE(harness_.applier.apply(draining(2, kFarAway)).accepted);
  EXPECT_FALSE(is_over(0));
}

TEST_F(DrainDeadline, StaysPassedWhenWeightsOrNextHopsChange) {
  ASSERT_TRUE(harness_.applier.apply(draining(1, kFarAway)).accepted);
  harness_.applier.end_drains(kFarAway);
  proto::UpdateWeightsRequest update;
  update.set_epoch(1);
  update.set_base_generation(1);
  update.set_version(1);
  auto& weights = *update.add_services();
  weights.set_service("web");
  auto& weight = *weights.add_backends();
  weight.set_backend("be2");
  weight.set_weight(7);
  ASSERT_TRUE(harness_.applier.update_weights(update).accepted);
  EXPECT_TRUE(is_over(0));
  harness_.neighbour = MacAddr{{2, 0, 0, 0, 0, 7}};
  harness_.applier.refresh_next_hops();
  EXPECT_TRUE(is_over(0));
}

}  // namespace
}  // namespace penstock
