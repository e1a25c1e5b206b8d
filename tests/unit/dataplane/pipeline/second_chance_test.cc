// Hops: which packets carry them, which backends they name, and that the backend which knows a flow gets it.

#include <gmock/gmock.h>

#include <set>

#include "tests/unit/dataplane/pipeline/hops.h"

namespace penstock::test {
namespace {

using testing::ElementsAre;

TEST(SecondChance, EveryKindOfTcpPacketInTheMiddleCarriesHops) {
  Harness harness;
  harness.apply({web({backend(1), backend(2), backend(3)})});
  for (auto one : {from(1).ack(), from(1).fin(), from(1).rst(), from(1).flags(kTcpSyn | kTcpAck | kTcpFin)}) {
    const Answer answer = harness.run(one);
    const bool begins = one.build()[47] == (kTcpSyn | kTcpAck | kTcpFin);
    EXPECT_EQ(read_gue(answer.frame).way.size(), begins ? 1U : 2U);
  }
  EXPECT_EQ(harness.counters().second_chance.read(), 3U);
}

TEST(SecondChance, AnotherGatewaysFlowsAreFoundAfterWeightsHaveChanged) {
  Harness one(16384);
  Harness other;
  constexpr int kClients = 1500;
  std::vector<std::string> began;
  const std::vector<std::vector<std::uint32_t>> weights{
      {1, 1, 1}, {9, 1, 1}, {1, 9, 1}, {1, 1, 9}, {5, 4, 1}};
  std::vector<int> seen(kClients, -1);
  for (std::size_t round = 0; round < weights.size(); ++round) {
    for (Harness* gateway : {&one, &other}) {
      gateway->apply({web(
          {backend(1, weights[round][0]), backend(2, weights[round][1]), backend(3, weights[round][2])})});
    }
    for (int client = static_cast<int>(round); client < kClients;
         client += static_cast<int>(weights.size())) {
      one.run(from(client).syn());
    }
  }
  for (int client = 0; client < kClients; ++client) {
    const Answer known = one.run(from(client).ack());
    ASSERT_EQ(read_gue(known.frame).way.size(), 1U);
    const std::string holder = address_of(one, known.backend);
    const Sent sent = read_gue(other.run(from(client).ack()).frame);
    ASSERT_EQ(delivered(sent.way, holder), holder) << client;
  }
}

TEST(SecondChance, OnlyTheFamilyOfTheOuterPacketIsNamed) {
  Harness harness;
  harness.apply({web({backend(1), backend_v6(2), backend(3), backend_v6(4)})});
  harness.apply({web({backend(3), backend_v6(4), backend(1, 1), backend_v6(2)})});
  harness.apply({web({backend(1, 500), backend_v6(2), backend(3, 1), backend_v6(4)})});
  std::set<std::size_t> lengths;
  for (int client = 0; client < 500; ++client) {
    const Sent sent = read_gue(harness.run(from(client).ack()).frame);
    const bool v6 = sent.way.front().find(':') != std::string::npos;
    for (const std::string& hop : sent.way) ASSERT_EQ(hop.find(':') != std::string::npos, v6);
    lengths.insert(sent.way.size());
  }
  EXPECT_THAT(lengths, testing::Contains(1U)) << "a packet whose candidates are all of the other family";
  EXPECT_THAT(lengths, testing::Contains(2U));
}

TEST(SecondChance, HopsOfBackendsWithoutANextHopAreNamed) {
  Harness harness;
  harness.apply({web({backend(1), backend(2)})}, {"10.0.0.2"});
  std::set<std::vector<std::string>> ways;
  for (int client = 0; client < 50; ++client) {
    const Answer answer = harness.run(from(client).ack());
    if (answer.outcome == Outcome::kForwarded) ways.insert(read_gue(answer.frame).way);
  }
  EXPECT_THAT(ways, ElementsAre(ElementsAre("10.0.0.1", "10.0.0.2")));
}

TEST(SecondChance, OffMeansAsBefore) {
  for (const Encap encap : {Encap::kGue, Encap::kIpip}) {
    Harness harness;
    ServiceDocument service = web({backend(1), backend(2), backend(3)}, encap);
    if (encap == Encap::kGue) service.second_chance = SecondChance::kOff;
    harness.apply({service});
    const Answer answer = harness.run(from(1).ack());
    EXPECT_EQ(answer.outcome, Outcome::kForwarded);
    EXPECT_TRUE(answer.new_flow);
    EXPECT_EQ(harness.flows().stats().size, 1U);
    EXPECT_EQ(harness.counters().second_chance.read(), 0U);
  }
}

TEST(SecondChance, FlowOfTheOnlyBackendIsEntered) {
  Harness harness;
  harness.apply({web({backend(1)})});
  const Answer answer = harness.run(from(1).ack());
  EXPECT_THAT(read_gue(answer.frame).way, ElementsAre("10.0.0.1"));
  EXPECT_TRUE(answer.new_flow);
}

TEST(SecondChance, DrainedServiceGoesOnServingWhatItHas) {
  Harness harness;
  harness.apply({web({backend(1), backend(2)})});
  harness.apply({web({backend(1, 100, true), backend(2, 100, true)})});
  EXPECT_EQ(harness.run(from(1).syn()).outcome, Outcome::kNoBackendLeft);
  for (int client = 0; client < 20; ++client) {
    const Answer answer = harness.run(from(client).ack());
    ASSERT_EQ(answer.outcome, Outcome::kForwarded);
  }
  EXPECT_EQ(harness.flows().stats().size, 0U);
}

TEST(SecondChance, EntryOfARemovedBackendIsForgotten) {
  Harness harness;
  harness.apply({web({backend(1), backend(2), backend(3)})});
  int client = 0;
  while (harness.backend_id(harness.run(from(client).syn()).backend) != "be2") ++client;
  const auto before = harness.flows().stats().size;
  harness.apply({web({backend(1), backend(3)})});
  const Answer answer = harness.run(from(client).ack());
  EXPECT_EQ(read_gue(answer.frame).way.size(), 2U);
  EXPECT_EQ(harness.flows().stats().size, before - 1);
}

TEST(SecondChance, PacketsOfABurstKeepTheirOwnHops) {
  Harness harness;
  harness.apply({web({backend(1), backend(2), backend(3), backend(4)})});
  std::vector<Bytes> frames;
  std::vector<std::vector<std::string>> alone;
  for (int client = 0; client < 32; ++client) {
    // Beginnings, the middle of flows, and packets for nobody in turn.
    frames.push_back(client % 3 == 0 ? from(client).syn().build() : from(client).ack().build());
    if (client % 3 == 2) frames.back() = packet().v4("198.51.100.1", "192.0.2.77").tcp(1, 2).build();
  }
  for (int client = 0; client < 32; ++client)
    alone.push_back(client % 3 == 1 ? read_gue(harness.run(from(client).ack()).frame).way
                                    : std::vector<std::string>());
  const auto answers = harness.run(frames);
  for (std::size_t client = 0; client < 32; ++client) {
    if (client % 3 == 2) {
      EXPECT_EQ(answers[client].outcome, Outcome::kNotVip);
      continue;
    }
    const auto way = read_gue(answers[client].frame).way;
    EXPECT_EQ(way, client % 3 == 1 ? alone[client] : std::vector<std::string>{way.front()});
  }
  EXPECT_EQ(harness.sum_of_outcomes(), harness.counters().received.read());
}

TEST(SecondChance, SynToADeadBackendThatItsEntryNamesBeginsElsewhere) {
  BackendStates states(4096, 64);
  Harness harness(4096, {}, {&states, nullptr});
  harness.apply({web({backend(1), backend(2), backend(3)})});
  const BackendIndex first = harness.run(from(1).syn()).backend;
  states.set(first, kDownState);
  const BackendIndex second = harness.run(from(1).syn()).backend;
  EXPECT_NE(second, first) << "the client's second try must not meet the dead backend again";
  EXPECT_EQ(harness.run(from(1).ack()).backend, second);
  states.set(second, kDownState);
  EXPECT_EQ(harness.run(from(1).ack()).backend, second) << "established flows never move";
}

TEST(SecondChance, NewFlowsOfOtherEncapsulationsAvoidTheDeadAsWell) {
  BackendStates states(4096, 64);
  Harness harness(16384, {}, {&states, nullptr});
  std::vector<BackendDocument> backends;
  for (int n = 1; n <= 10; ++n) backends.push_back(backend(n));
  harness.apply({web(backends, Encap::kIpip)});
  const std::vector<BackendIndex> indexes = harness.snapshot().services().front()->backends;
  for (std::size_t n = 0; n + 1 < indexes.size(); ++n) {
    states.set(indexes[n], kDownState);  // in the end one is left
    int dead = 0;
    for (int client = 0; client < 500; ++client)
      dead += states.backend(harness.run(from(client + static_cast<int>(n) * 500).syn()).backend).down();
    EXPECT_LE(dead, n + 2 < indexes.size() ? 0 : 5) << n;
  }
  states.set(indexes.back(), kDownState);
  EXPECT_EQ(harness.run(from(9000).syn()).outcome, Outcome::kForwarded) << "all dead: as if none were";
}

TEST(SecondChance, OneShotDatagramsAvoidTheDead) {
  BackendStates states(4096, 64);
  Harness harness(4096, {}, {&states, nullptr});
  ServiceDocument service = dns({backend(1), backend(2), backend(3)});
  service.second_chance = SecondChance::kTcp;
  service.one_shot = true;
  harness.apply({service});
  const BackendIndex dead = harness.run(asks(1)).backend;
  states.set(dead, kDownState);
  for (int client = 0; client < 100; ++client) ASSERT_NE(harness.run(asks(client)).backend, dead);
  EXPECT_GT(harness.counters().avoided.read(), 10U);
  states.set(dead, kUpState);
  EXPECT_EQ(harness.run(asks(1)).backend, dead);
}

TEST(SecondChance, ForeignFlowsServeTheOtherEncapsulationsAndUdp) {
  ForeignFlows foreign(64);
  Harness harness(4096, {}, {nullptr, &foreign});
  auto plain = service("plain", "203.0.113.10", kProtoUdp, 53, Encap::kIpip, {backend(1), backend(2)});
  harness.apply({plain, web({backend(1), backend(2)}, Encap::kIpip)});
  for (int client = 0; client < 20; ++client) {
    for (const bool udp : {true, false}) {
      const Bytes frame = udp ? asks(client).build() : from(client).ack().build();
      const std::uint64_t hash = flow_hash_of(harness, frame);
      const auto& owner = *harness.snapshot().services()[udp ? 0 : 1];
      const BackendIndex told = owner.backends[static_cast<std::size_t>(client) % 2];
      foreign.put(hash, told, 1, tick_of(harness.now) + 1000);
      ASSERT_EQ(harness.run({frame}).front().backend, told);
      foreign.erase(hash, 1);
      ASSERT_EQ(harness.run({frame}).front().backend, told) << "it is this gateway's own now";
    }
  }
  EXPECT_EQ(harness.counters().foreign_flows.read(), 40U);
}

TEST(SecondChance, ForeignEntryOfAnotherServicesBackendIsNotBelieved) {
  ForeignFlows foreign(64);
  Harness harness(4096, {}, {nullptr, &foreign});
  harness.apply({web({backend(1), backend(2)}, Encap::kIpip), dns({backend(3)})});
  const Bytes frame = from(1).ack().build();
  const std::uint64_t hash = flow_hash_of(harness, frame);
  const BackendIndex stranger = harness.snapshot().services().front()->document.id == "dns"
                                    ? harness.snapshot().services().front()->backends[0]
                                    : harness.snapshot().services().back()->backends[0];
  for (const BackendIndex told : {stranger, BackendIndex{4000}}) {
    foreign.put(hash, told, 1, tick_of(harness.now) + 1000);
    EXPECT_NE(harness.run({frame}).front().backend, told);
  }
  EXPECT_EQ(harness.counters().foreign_flows.read(), 0U);
}

TEST(SecondChance, UdpIsForTheChosenBackendUnlessAskedFor) {
  Harness harness;
  ServiceDocument plain = dns({backend(1), backend(2)});
  plain.second_chance = SecondChance::kTcp;
  harness.apply({plain});
  const Answer answer = harness.run(asks(1));
  EXPECT_EQ(read_gue(answer.frame).way.size(), 1U);
  EXPECT_TRUE(answer.new_flow);
}

TEST(SecondChance, UdpComesBackToTheChosenBackendAndStaysThere) {
  Harness harness;
  harness.apply({dns({backend(1, 10), backend(2), backend(3), backend(4)})});
  harness.apply({dns({backend(1), backend(2, 10), backend(3), backend(4)})});
  std::size_t longest = 0;
  for (int client = 0; client < 300; ++client) {
    const Answer answer = harness.run(asks(client));
    const Sent sent = read_gue(answer.frame);
    longest = std::max(longest, sent.way.size());
    ASSERT_GE(sent.way.size(), 3U);
    ASSERT_EQ(sent.way.front(), sent.way.back()) << "what nobody knows is the chosen one's";
    ASSERT_EQ(delivered(sent.way, "nobody"), sent.way.front());
    ASSERT_TRUE(answer.new_flow);
  }
  EXPECT_EQ(longest, 4U) << "the chosen one and three hops, itself the last";
  std::vector<BackendIndex> chosen;
  for (int client = 0; client < 300; ++client) chosen.push_back(harness.run(asks(client)).backend);
  harness.apply({dns({backend(1, 1), backend(2, 500), backend(3, 1), backend(4, 1)})});
  for (std::size_t client = 0; client < 300; ++client) {
    const Answer answer = harness.run(asks(static_cast<int>(client)));
    ASSERT_EQ(answer.backend, chosen[client]) << "new weights do not move it";
    ASSERT_FALSE(answer.new_flow);
  }
}

}  // namespace
}  // namespace penstock::test
