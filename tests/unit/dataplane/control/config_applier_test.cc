#include "dataplane/control/config_applier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/proto/dataplane.pb.h"
#include "tests/unit/dataplane/control/control_harness.h"

namespace penstock {
namespace {

using ::testing::ElementsAre;

const proto::Service kWeb = service("web", "203.0.113.10", {"10.0.0.1", "10.0.0.2"});
const proto::Service kDns = service("dns", "203.0.113.11", {"10.0.0.3"});

std::uint32_t weight_of(const ControlHarness& h, std::size_t backend) {
  return h.publisher.current().services()[0]->document.backends[backend].weight;
}

TEST(ConfigApplier, VipsAreSteeredBeforeTheirSnapshotAndReleasedAfterTheirLast) {
  ControlHarness h;
  EXPECT_TRUE(h.applier.apply(config(1, 1, {kWeb})).accepted);
  EXPECT_TRUE(h.applier.apply(config(1, 2, {kDns})).accepted);
  EXPECT_THAT(h.log,
              ElementsAre("steer 203.0.113.10 at 0", "steer 203.0.113.11 at 1", "unsteer 203.0.113.10 at 2"));
}

TEST(ConfigApplier, OlderGenerationOfTheEpochIsRefusedAndTheNewerRunsOn) {
  ControlHarness h;
  ASSERT_TRUE(h.applier.apply(config(1, 5, {kWeb})).accepted);
  const auto verdict = h.applier.apply(config(1, 4, {kDns}));
  EXPECT_FALSE(verdict.accepted);
  EXPECT_EQ(verdict.running_generation, 5U);
  ASSERT_EQ(verdict.refusals.size(), 1U);
  EXPECT_EQ(verdict.refusals[0].text(), "generation: must be greater than 5, which is running");
  EXPECT_EQ(h.publisher.current().services()[0]->document.id, "web");
}

TEST(ConfigApplier, RunningGenerationIsAcceptedAgainWithoutEffect) {
  ControlHarness h;
  ASSERT_TRUE(h.applier.apply(config(1, 5, {kWeb})).accepted);
  const Snapshot* before = &h.publisher.current();
  EXPECT_TRUE(h.applier.apply(config(1, 5, {kWeb})).accepted);
  EXPECT_EQ(&h.publisher.current(), before);
}

TEST(ConfigApplier, RunningGenerationWithOtherContentIsRefused) {
  ControlHarness h;
  ASSERT_TRUE(h.applier.apply(config(1, 5, {kWeb})).accepted);
  const auto verdict = h.applier.apply(config(1, 5, {kDns}));
  EXPECT_FALSE(verdict.accepted);
  EXPECT_EQ(verdict.refusals[0].text(),
            "generation: must be greater than 5, which is running with other content");
}

TEST(ConfigApplier, NatWithoutAnAddressOfTheBackendsFamilyIsRefusedNamingTheSetting) {
  ControlHarness h;  // its only NAT address is 192.0.2.200
  auto nat = config(1, 1, {service("web", "203.0.113.10", {"10.0.0.1", "2001:db8::1"})});
  nat.mutable_services(0)->set_encap(proto::NAT);
  const auto verdict = h.applier.apply(nat);
  EXPECT_FALSE(verdict.accepted);
  ASSERT_EQ(verdict.refusals.size(), 1U);
  EXPECT_EQ(verdict.refusals[0].text(),
            "services[0].backends[1].address: NAT to 2001:db8::1 needs an address of its family on this "
            "gateway: give penstock-dataplane a --nat-source");
  nat.mutable_services(0)->mutable_backends()->RemoveLast();
  EXPECT_TRUE(h.applier.apply(nat).accepted);
}

TEST(ConfigApplier, NatAddressesOfTheGatewayAreNeitherVipsNorBackends) {
  ControlHarness h;
  const auto verdict = h.applier.apply(config(
      1, 1, {service("web", "192.0.2.200", {"10.0.0.1"}), service("dns", "203.0.113.11", {"192.0.2.200"})}));
  EXPECT_FALSE(verdict.accepted);
  ASSERT_GE(verdict.refusals.size(), 1U);
  EXPECT_FALSE(h.applier.apply(config(1, 1, {service("dns", "203.0.113.11", {"192.0.2.200"})})).accepted);
}

// The harness's backup is an IPv6 address: a service that needs one to send from is refused all the same.
TEST(ConfigApplier, BackupsOfOtherGatewaysAreNeitherVipsNorBackendsNorSentFrom) {
  ControlHarness h;
  EXPECT_FALSE(h.applier.apply(config(1, 1, {service("web", "2001:db8:ff::201", {"10.0.0.1"})})).accepted);
  EXPECT_FALSE(
      h.applier.apply(config(1, 1, {service("web", "203.0.113.10", {"2001:db8:ff::201"})})).accepted);
  auto nat = config(1, 1, {service("web", "203.0.113.10", {"2001:db8::1"})});
  nat.mutable_services(0)->set_encap(proto::NAT);
  EXPECT_FALSE(h.applier.apply(nat).accepted);
}

TEST(ConfigApplier, AnotherEpochStartsItsOwnCount) {
  ControlHarness h;
  ASSERT_TRUE(h.applier.apply(config(1, 5, {kWeb})).accepted);
  const auto verdict = h.applier.apply(config(2, 1, {kDns}));
  EXPECT_TRUE(verdict.accepted);
  EXPECT_EQ(verdict.running_epoch, 2U);
  EXPECT_EQ(verdict.running_generation, 1U);
}

TEST(ConfigApplier, AVipPrefixIsSteeredAsOne) {
  ControlHarness h;
  EXPECT_TRUE(h.applier.apply(config(1, 1, {service("net", "203.0.113.0/24", {"10.0.0.1"})})).accepted);
  EXPECT_THAT(h.log, ElementsAre("steer 203.0.113.0/24 at 0"));
}

TEST(ConfigApplier, RefusalNamesEveryFieldAndChangesNothing) {
  ControlHarness h;
  ASSERT_TRUE(h.applier.apply(config(1, 1, {kWeb})).accepted);
  auto bad = config(1, 2, {kDns, kDns});
  bad.mutable_services(0)->mutable_backends(0)->set_weight(1001);
  bad.mutable_services(1)->set_port(65536);
  const auto verdict = h.applier.apply(bad);
  EXPECT_FALSE(verdict.accepted);
  EXPECT_EQ(verdict.running_generation, 1U);
  std::vector<std::string> fields;
  for (const Error& refusal : verdict.refusals) fields.push_back(refusal.field);
  EXPECT_THAT(fields, ::testing::IsSupersetOf({"services[0].backends[0].weight", "services[1].port"}));
  EXPECT_EQ(h.publisher.current().generation(), 1U);
  EXPECT_THAT(h.log, ElementsAre("steer 203.0.113.10 at 0"));
}

TEST(ConfigApplier, VipThatCannotBeSteeredRefusesTheWholeAndReleasesTheOthers) {
  ControlHarness h;
  h.refused_vip = "203.0.113.11";
  const auto verdict = h.applier.apply(config(1, 1, {kWeb, kDns}));
  EXPECT_FALSE(verdict.accepted);
  EXPECT_EQ(h.publisher.current().generation(), 0U);
  EXPECT_THAT(h.log, ::testing::Contains("unsteer 203.0.113.10 at 0"));
}

TEST(ConfigApplier, NewNextHopReachesTheRunningBackends) {
  ControlHarness h;
  h.reachable = false;
  ASSERT_TRUE(h.applier.apply(config(1, 1, {kWeb})).accepted);
  const BackendIndex backend = h.publisher.current().services()[0]->backends[0];
  EXPECT_FALSE(h.publisher.current().backend(backend).next_hop_mac());
  h.reachable = true;
  h.applier.refresh_next_hops();
  EXPECT_EQ(h.publisher.current().backend(backend).next_hop_mac(), h.neighbour);
  EXPECT_EQ(h.applier.generation(), 1U);
}

TEST(ConfigApplier, NextHopsBeforeAnyConfigurationChangeNothing) {
  ControlHarness h;
  h.applier.refresh_next_hops();
  EXPECT_EQ(h.publisher.current().generation(), 0U);
  EXPECT_EQ(h.resolutions, 0);
}

proto::UpdateWeightsRequest weights(std::uint64_t base, std::uint64_t version, const std::string& service_id,
                                    const std::string& backend, std::uint32_t weight) {
  proto::UpdateWeightsRequest update;
  update.set_epoch(1);
  update.set_base_generation(base);
  update.set_version(version);
  auto& changed = *update.add_services();
  changed.set_service(service_id);
  auto& one = *changed.add_backends();
  one.set_backend(backend);
  one.set_weight(weight);
  return update;
}

/// What the pipeline and its reports are told of the only service.
bool follows_load(const ControlHarness& h) {
  return h.publisher.current().services()[0]->document.weights_follow_load;
}

TEST(ConfigApplier, AServiceFollowsLoadForAsLongAsOtherWeightsLieOverItsOwn) {
  ControlHarness h;
  ASSERT_TRUE(h.applier.apply(config(1, 1, {kWeb})).accepted);
  EXPECT_FALSE(follows_load(h));
  ASSERT_TRUE(h.applier.update_weights(weights(1, 1, "web", "be2", 1)).accepted);
  EXPECT_TRUE(follows_load(h)) << "the same weights, but not by configuration";
  const ServiceIndex index = h.publisher.current().services()[0]->index;
  EXPECT_TRUE(h.publisher.current().service(index).gentle);
  ASSERT_TRUE(h.applier.apply(config(1, 2, {kWeb})).accepted);
  EXPECT_TRUE(follows_load(h));
  auto nothing = weights(2, 1, "web", "be2", 1);
  nothing.clear_services();
  ASSERT_TRUE(h.applier.update_weights(nothing).accepted);
  EXPECT_FALSE(follows_load(h));
  EXPECT_FALSE(h.publisher.current().service(index).gentle);
}

TEST(ConfigApplier, WeightUpdateChangesWeightsWithoutAskingForRoutesAgain) {
  ControlHarness h;
  ASSERT_TRUE(h.applier.apply(config(1, 1, {kWeb})).accepted);
  const int resolutions = h.resolutions;
  const auto verdict = h.applier.update_weights(weights(1, 2, "web", "be2", 7));
  EXPECT_TRUE(verdict.accepted);
  EXPECT_EQ(verdict.running_generation, 1U) << "the weights are no part of the configuration";
  EXPECT_EQ(h.applier.weights_version(), 2U);
  EXPECT_EQ(weight_of(h, 0), 1U);
  EXPECT_EQ(weight_of(h, 1), 7U);
  EXPECT_EQ(h.resolutions, resolutions);
  const BackendIndex backend = h.publisher.current().services()[0]->backends[1];
  EXPECT_EQ(h.publisher.current().backend(backend).next_hop_mac(), h.neighbour);
}

TEST(ConfigApplier, WeightUpdateThatDoesNotFitIsRefusedWithItsField) {
  struct Case {
    proto::UpdateWeightsRequest update;
    std::string refusal;
  };
  auto other_epoch = weights(1, 2, "web", "be1", 1);
  other_epoch.set_epoch(9);
  const std::vector<Case> cases{
      {other_epoch, "epoch: must be 1, which is running"},
      {weights(7, 8, "web", "be1", 1), "base_generation: must be 1, which is running"},
      {weights(1, 0, "web", "be1", 1), "version: must be greater than 0"},
      {weights(1, 2, "nope", "be1", 1), "services[0].service: there is no service 'nope'"},
      {weights(1, 2, "web", "be9", 1), "services[0].backends[0].backend: 'be9' is no backend of 'web'"},
      {weights(1, 2, "web", "be1", 1001), "services[0].backends[0].weight: must be 0-1000, not 1001"},
  };
  ControlHarness h;
  EXPECT_FALSE(h.applier.update_weights(weights(0, 1, "web", "be1", 1)).accepted) << "nothing runs yet";
  ASSERT_TRUE(h.applier.apply(config(1, 1, {kWeb})).accepted);
  for (const Case& c : cases) {
    const auto verdict = h.applier.update_weights(c.update);
    EXPECT_FALSE(verdict.accepted) << c.refusal;
    ASSERT_EQ(verdict.refusals.size(), 1U);
    EXPECT_EQ(verdict.refusals[0].text(), c.refusal);
    EXPECT_EQ(h.applier.generation(), 1U);
    EXPECT_EQ(weight_of(h, 0), 1U);
  }
}

// A gateway applies again what it thinks was lost; that must not be taken for another configuration.
TEST(ConfigApplier, TheConfigurationBeneathOtherWeightsIsStillTheOneThatRuns) {
  ControlHarness h;
  ASSERT_TRUE(h.applier.apply(config(1, 1, {kWeb})).accepted);
  ASSERT_TRUE(h.applier.update_weights(weights(1, 1, "web", "be2", 7)).accepted);
  EXPECT_TRUE(h.applier.apply(config(1, 1, {kWeb})).accepted);
  EXPECT_EQ(weight_of(h, 1), 7U) << "which changes nothing";
  EXPECT_TRUE(h.applier.apply(config(1, 2, {kWeb, kDns})).accepted) << "and the next generation follows";
}

TEST(ConfigApplier, WeightsThatAnUpdateDoesNotNameAreTheConfiguredOnes) {
  ControlHarness h;
  ASSERT_TRUE(h.applier.apply(config(1, 1, {kWeb})).accepted);
  ASSERT_TRUE(h.applier.update_weights(weights(1, 1, "web", "be1", 7)).accepted);
  ASSERT_TRUE(h.applier.update_weights(weights(1, 2, "web", "be2", 5)).accepted);
  EXPECT_EQ(weight_of(h, 0), 1U);
  EXPECT_EQ(weight_of(h, 1), 5U);
  auto nothing = weights(1, 3, "web", "be2", 5);
  nothing.clear_services();
  ASSERT_TRUE(h.applier.update_weights(nothing).accepted);
  EXPECT_EQ(weight_of(h, 1), 1U);
  EXPECT_EQ(h.applier.weights_version(), 0U) << "nothing lies over the configuration";
}

TEST(ConfigApplier, AnOlderUpdateIsRefusedAndTheLastOneAgainHasNoEffect) {
  ControlHarness h;
  ASSERT_TRUE(h.applier.apply(config(1, 1, {kWeb})).accepted);
  ASSERT_TRUE(h.applier.update_weights(weights(1, 5, "web", "be2", 7)).accepted);
  EXPECT_FALSE(h.applier.update_weights(weights(1, 4, "web", "be2", 3)).accepted);
  const Snapshot* snapshot = &h.publisher.current();
  EXPECT_TRUE(h.applier.update_weights(weights(1, 5, "web", "be2", 7)).accepted);
  EXPECT_EQ(&h.publisher.current(), snapshot);
  EXPECT_EQ(weight_of(h, 1), 7U);
}

TEST(ConfigApplier, TheNextConfigurationKeepsWeightsOfServicesWhoseBackendsItLeavesAlone) {
  proto::Service other = kWeb;
  other.mutable_backends(0)->set_weight(3);
  proto::Service longer = service("web", "203.0.113.10", {"10.0.0.1", "10.0.0.2", "10.0.0.4"});
  proto::Service moved = kWeb;
  moved.mutable_idle_timeouts()->set_udp_seconds(7);
  struct Case {
    const char* what;
    proto::Service next;
    std::uint64_t epoch;
    std::uint32_t weight;
  };
  for (const Case& c : {Case{"nothing", kWeb, 1, 7}, Case{"something else", moved, 1, 7},
                        Case{"a configured weight", other, 1, 1}, Case{"the backends", longer, 1, 1},
                        Case{"the store", kWeb, 2, 1}}) {
    SCOPED_TRACE(c.what);
    ControlHarness h;
    ASSERT_TRUE(h.applier.apply(config(1, 1, {kWeb})).accepted);
    ASSERT_TRUE(h.applier.update_weights(weights(1, 9, "web", "be2", 7)).accepted);
    ASSERT_TRUE(h.applier.apply(config(c.epoch, 2, {c.next})).accepted);
    EXPECT_EQ(weight_of(h, 1), c.weight);
    EXPECT_EQ(h.applier.weights_version(), c.weight == 7 ? 9U : 0U);
    auto word = weights(2, 1, "web", "be2", 4);
    word.set_epoch(c.epoch);
    EXPECT_TRUE(h.applier.update_weights(word).accepted) << "versions are of their base_generation";
    EXPECT_EQ(weight_of(h, 1), 4U);
  }
}

TEST(ConfigApplier, WeightsOutliveNewNextHops) {
  ControlHarness h;
  ASSERT_TRUE(h.applier.apply(config(1, 1, {kWeb})).accepted);
  ASSERT_TRUE(h.applier.update_weights(weights(1, 1, "web", "be2", 7)).accepted);
  h.neighbour = MacAddr{{2, 0, 0, 0, 0, 7}};
  h.applier.refresh_next_hops();
  EXPECT_EQ(weight_of(h, 1), 7U);
}

}  // namespace
}  // namespace penstock
