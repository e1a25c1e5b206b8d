// Which backend a flow gets, and what a change of configuration does to it.

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {
namespace {

std::vector<ServiceDocument> web(std::vector<BackendDocument> backends) {
  return {service("web", "203.0.113.10", kProtoTcp, 80, Encap::kIpip, std::move(backends))};
}
BackendDocument backend(int n, std::uint32_t weight = 1, bool drain = false) {
  return {"be" + std::to_string(n), ip("10.0.0." + std::to_string(n)), weight, drain};
}
PacketBuilder from(int client, std::uint16_t port = 1024) {
  return packet()
      .v4("198.51." + std::to_string(client / 250) + "." + std::to_string(client % 250), "203.0.113.10")
      .tcp(port, 80);
}

constexpr int kClients = 3000;

// Opens kClients connections; returns the backend of each.
std::vector<std::string> open_all(Harness& harness) {
  std::vector<std::string> out;
  for (int i = 0; i < kClients; ++i) {
    const Answer syn = harness.run(from(i).syn());
    EXPECT_EQ(syn.outcome, Outcome::kForwarded);
    out.push_back(harness.backend_id(syn.backend));
    EXPECT_EQ(harness.backend_id(harness.run(from(i).ack()).backend), out.back());
  }
  return out;
}

std::map<std::string, int> shares(const std::vector<std::string>& of) {
  std::map<std::string, int> out;
  for (const std::string& id : of) ++out[id];
  return out;
}

TEST(Select, SharesOfNewFlowsFollowTheWeights) {
  Harness harness(8192);
  harness.apply(web({backend(1, 1), backend(2, 2), backend(3, 3)}));
  const auto share = shares(open_all(harness));
  EXPECT_NEAR(share.at("be1"), kClients / 6.0, kClients * 0.03);
  EXPECT_NEAR(share.at("be2"), kClients / 3.0, kClients * 0.03);
  EXPECT_NEAR(share.at("be3"), kClients / 2.0, kClients * 0.03);
}

TEST(Select, EstablishedFlowsKeepTheirBackendWhenWeightsChange) {
  Harness harness(8192);
  harness.apply(web({backend(1, 1), backend(2, 2), backend(3, 3)}));
  const auto before = open_all(harness);
  harness.apply(web({backend(1, 1000), backend(2, 1), backend(3, 1)}));
  for (int i = 0; i < kClients; ++i) {
    const Answer answer = harness.run(from(i).ack());
    ASSERT_EQ(harness.backend_id(answer.backend), before[static_cast<std::size_t>(i)]);
    ASSERT_FALSE(answer.new_flow);
  }
}

TEST(Select, DrainedBackendKeepsItsFlowsAndGetsNoNewOnes) {
  for (const BackendDocument& leaving : {backend(2, 1, true), backend(2, 0, false)}) {
    Harness harness(8192);
    harness.apply(web({backend(1), backend(2), backend(3)}));
    const auto before = open_all(harness);
    harness.apply(web({backend(1), leaving, backend(3)}));
    for (int i = 0; i < kClients; ++i) {
      ASSERT_EQ(harness.backend_id(harness.run(from(i).ack()).backend), before[static_cast<std::size_t>(i)]);
      ASSERT_NE(harness.backend_id(harness.run(from(i, 2000).syn()).backend), "be2");
    }
  }
}

TEST(Select, SynOfAReusedTupleLeavesADrainedBackend) {
  Harness harness;
  harness.apply(web({backend(1), backend(2)}));
  int client = 0;
  while (harness.backend_id(harness.run(from(client).syn()).backend) != "be2") ++client;
  harness.run(from(client).ack());
  harness.apply(web({backend(1), backend(2, 1, true)}));
  EXPECT_EQ(harness.backend_id(harness.run(from(client).ack()).backend), "be2");
  const Answer again = harness.run(from(client).syn());
  EXPECT_EQ(harness.backend_id(again.backend), "be1");
  EXPECT_TRUE(again.new_flow);
  EXPECT_EQ(harness.backend_id(harness.run(from(client).ack()).backend), "be1");
}

TEST(Select, FlowsOfARemovedBackendAreSpreadAnewAndTheOthersStay) {
  Harness harness(8192);
  harness.apply(web({backend(1), backend(2), backend(3)}));
  const auto before = open_all(harness);
  harness.apply(web({backend(1), backend(3)}));
  for (int i = 0; i < kClients; ++i) {
    const Answer answer = harness.run(from(i).ack());
    ASSERT_EQ(answer.outcome, Outcome::kForwarded);
    const std::string now = harness.backend_id(answer.backend);
    if (before[static_cast<std::size_t>(i)] == "be2") {
      ASSERT_NE(now, "be2");
      ASSERT_TRUE(answer.new_flow);
    } else {
      ASSERT_EQ(now, before[static_cast<std::size_t>(i)]);
    }
    ASSERT_EQ(harness.backend_id(harness.run(from(i).ack()).backend), now);
  }
}

TEST(Select, FlowsOfARemovedBackendNeverReachTheOneThatComesAfterIt) {
  Harness harness(8192);
  harness.apply(web({backend(1), backend(2)}));
  const auto before = open_all(harness);
  harness.apply(web({backend(1)}));
  harness.apply(
      web({backend(1), backend(3, 0)}));  // takes no new flow: whatever reaches it came by an old entry
  for (int i = 0; i < kClients; ++i) {
    ASSERT_EQ(harness.backend_id(harness.run(from(i).ack()).backend), "be1");
  }
}

TEST(Select, BackendThatComesBackSoonKeepsItsSilentFlows) {
  Harness harness(8192);
  harness.apply(web({backend(1), backend(2)}));
  const auto before = open_all(harness);
  harness.apply(web({backend(1)}));
  harness.apply(web({backend(1, 1000), backend(2, 1)}));
  for (int i = 0; i < kClients; ++i) {
    ASSERT_EQ(harness.backend_id(harness.run(from(i).ack()).backend), before[static_cast<std::size_t>(i)]);
  }
}

TEST(Select, ServiceWithoutWillingBackendsRefusesNewFlowsAndKeepsTheEstablished) {
  Harness harness;
  harness.apply(web({backend(1)}));
  harness.run(from(1).syn());
  harness.run(from(1).ack());
  harness.apply(web({backend(1, 1, true)}));
  EXPECT_EQ(harness.run(from(1).ack()).outcome, Outcome::kForwarded);
  EXPECT_EQ(harness.run(from(2).syn()).outcome, Outcome::kNoBackendLeft);
  EXPECT_EQ(harness.run(from(2).ack()).outcome, Outcome::kNoBackendLeft);
}

TEST(Select, RefusedFlowOfARemovedBackendIsForgotten) {
  Harness harness;
  harness.apply(web({backend(1)}));
  harness.run(from(1).syn());
  ASSERT_EQ(harness.flows().stats().size, 1U);
  harness.apply(web({backend(2, 0)}));
  EXPECT_EQ(harness.run(from(1).ack()).outcome, Outcome::kNoBackendLeft);
  EXPECT_EQ(harness.flows().stats().size, 0U);
}

TEST(Select, FinOfARemovedBackendsFlowGoesOnAndTheFlowIsForgotten) {
  Harness harness;
  harness.apply(web({backend(1)}));
  harness.run(from(1).syn());
  harness.apply(web({backend(2)}));
  const Answer fin = harness.run(from(1).fin());
  EXPECT_EQ(harness.backend_id(fin.backend), "be2");
  EXPECT_FALSE(fin.new_flow);
  EXPECT_EQ(harness.flows().stats().size, 0U);
}

TEST(Select, PacketsOfOneNewFlowInOneBurstCountAsOneFlow) {
  Harness harness;
  harness.apply(web({backend(1), backend(2)}));
  const auto answers = harness.run(
      {from(1).syn().build(), from(1).ack().build(), from(2).syn().build(), from(1).ack().build()});
  EXPECT_TRUE(answers[0].new_flow);
  EXPECT_FALSE(answers[1].new_flow);
  EXPECT_TRUE(answers[2].new_flow);
  EXPECT_FALSE(answers[3].new_flow);
  EXPECT_EQ(answers[1].backend, answers[0].backend);
  EXPECT_EQ(harness.flows().stats().confirmed, 1U);  // the ACK confirmed the first flow within the burst
}

TEST(Select, EveryPipelineWithTheSameKeyChoosesAlike) {
  Harness one;
  Harness other;
  one.apply(web({backend(1), backend(2), backend(3)}));
  other.apply(web({backend(3), backend(1), backend(2)}));
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(one.backend_id(one.run(from(i).syn()).backend),
              other.backend_id(other.run(from(i).ack()).backend));
  }
}

TEST(Select, FullTableForwardsStatelesslyAndCounts) {
  Harness harness(1);
  harness.apply(web({backend(1), backend(2), backend(3)}));
  std::map<int, std::string> first;
  for (int i = 0; i < 500; ++i) {
    first[i] = harness.backend_id(harness.run(from(i).syn()).backend);
    harness.run(from(i).ack());
  }
  EXPECT_GT(harness.counters().flow_table_full.read(), 0U);
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(harness.backend_id(harness.run(from(i).ack()).backend), first[i]);
  }
  EXPECT_EQ(harness.count(Outcome::kForwarded), 1500U);
}

TEST(Select, EstablishedFlowIsForgottenAfterItsIdleTimeout) {
  Harness harness;
  auto services = web({backend(1), backend(2)});
  services[0].idle.tcp_established = 60;
  harness.apply(services);
  int client = 0;
  while (harness.backend_id(harness.run(from(client).syn()).backend) != "be1") ++client;
  harness.run(from(client).ack());
  services[0].backends[0].drain = true;
  harness.apply(services);
  harness.now = harness.now + Nanoseconds::from_seconds(59);
  EXPECT_EQ(harness.backend_id(harness.run(from(client).ack()).backend), "be1");
  harness.now = harness.now + Nanoseconds::from_seconds(66);
  EXPECT_EQ(harness.backend_id(harness.run(from(client).ack()).backend), "be2");
}

TEST(Account, CountsPerServiceAndPerBackend) {
  Harness harness;
  harness.apply(web({backend(1)}));
  const std::uint32_t index = harness.run(from(1).syn()).backend;
  harness.run(from(1).ack().payload(100));
  harness.run(from(1).ack().ttl(1));
  harness.run(from(1).ack().payload(2000).fragment(kIpv4DontFragment));
  const CompiledService& web_service = *harness.snapshot().services()[0];
  const ServiceCounters& s = harness.counters().service(web_service.index);
  EXPECT_EQ(s.outcomes[static_cast<std::size_t>(Outcome::kForwarded)].read(), 2U);
  EXPECT_EQ(s.outcomes[static_cast<std::size_t>(Outcome::kAnswered)].read(), 1U);
  const BackendCounters& b = harness.counters().backend(index);
  EXPECT_EQ(b.packets.read(), 2U);
  EXPECT_EQ(b.bytes.read(), 40U + 140U);
  EXPECT_EQ(b.new_flows.read(), 1U);
  EXPECT_EQ(harness.count(Outcome::kTtlExpired), 1U);
  EXPECT_EQ(harness.sum_of_outcomes(), harness.counters().received.read());
}

}  // namespace
}  // namespace penstock::test
