// New flows whose slot's owner is down, hot or starting slowly, and services without anybody.

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/unit/dataplane/pipeline/hops.h"

namespace penstock::test {
namespace {

constexpr BackendState kHot(BackendState::kKnown | BackendState::kLate);
constexpr BackendState kBusyState(BackendState::kKnown | BackendState::kBusy);
constexpr BackendState kMaintained(BackendState::kKnown | BackendState::kDown | BackendState::kMaintenance);

BackendState takes(unsigned of_256) {
  return BackendState(static_cast<std::uint16_t>(BackendState::kKnown | (256 - of_256)));
}

ServiceDocument datagrams() {
  ServiceDocument out = dns({backend(1), backend(2), backend(3)});
  out.second_chance = SecondChance::kTcp;
  return out;
}

class NewFlow : public testing::Test {
 protected:
  void serve(int backends, Encap encap = Encap::kGue) {
    std::vector<BackendDocument> list;
    for (int n = 1; n <= backends; ++n) list.push_back(backend(n));
    harness.apply({web(list, encap)});
    indexes = harness.snapshot().services().front()->backends;
  }
  void all(BackendState state) {
    for (const BackendIndex index : indexes) states.set(index, state);
  }
  // New flows of so many clients, by backend.
  std::map<BackendIndex, int> begin(int clients) {
    std::map<BackendIndex, int> out;
    for (int n = 0; n < clients; ++n) ++out[harness.run(from(next_client++).syn()).backend];
    return out;
  }
  [[nodiscard]] std::size_t service() const { return harness.snapshot().services().front()->index; }

  BackendStates states{4096, 256};
  Harness harness{65'536, {}, {&states, nullptr}};
  std::vector<BackendIndex> indexes;
  int next_client = 0;
};

// What a late backend keeps, so that its responses are measured: 4 of 256, of the flows that it would get.
constexpr int kTrickleOfThousand = 12;

TEST_F(NewFlow, AHotPrimaryLosesItsNewFlowsToAColdAlternateAndKeepsItsOldOnes) {
  serve(4);
  std::vector<std::pair<int, BackendIndex>> old;
  for (int n = 0; n < 200; ++n) old.emplace_back(20'000 + n, harness.run(from(20'000 + n).syn()).backend);
  states.set(indexes[0], kHot);
  const int kept = begin(1000)[indexes[0]];
  EXPECT_LE(kept, kTrickleOfThousand);
  EXPECT_GE(kept, 1) << "or nobody would learn that it is quick again";
  EXPECT_GT(harness.counters().cooler.read(), 150U);
  EXPECT_EQ(harness.counters().avoided.read(), 0U);
  for (const auto& [client, where] : old) ASSERT_EQ(harness.run(from(client).ack()).backend, where);
}

TEST_F(NewFlow, LateIsWorseThanBusyAndEqualsStayWhereTheyAre) {
  serve(2);
  states.set(indexes[0], kHot);
  states.set(indexes[1], kBusyState);
  EXPECT_LE(begin(300)[indexes[0]], kTrickleOfThousand);
  states.set(indexes[1], kHot);
  const auto both = begin(300);
  EXPECT_GT(both.at(indexes[0]), 100) << "nobody is cooler: the slots decide";
  states.set(indexes[0], kBusyState);
  EXPECT_LE(begin(300)[indexes[1]], kTrickleOfThousand);
}

TEST_F(NewFlow, HeatIsGentleWhereWeightsFollowLoad) {
  serve(4);
  ServiceDocument document = harness.snapshot().services().front()->document;
  document.weights_follow_load = true;
  harness.apply({document});
  // Of 256: 64 at the latest leave, 16 of a busy one, and only for a cooler alternate.
  const int plain = begin(4000)[indexes[0]];
  for (const auto& [state, kept] :
       {std::pair(BackendState(BackendState::kKnown | 3 * BackendState::kLate), 192), std::pair(kHot, 240),
        std::pair(kBusyState, 240)}) {
    states.set(indexes[0], state);
    EXPECT_NEAR(begin(4000)[indexes[0]], plain * kept / 256.0, 150) << kept;
  }
  EXPECT_GT(harness.counters().cooler.read(), 0U);
}

TEST_F(NewFlow, AHotPrimaryDoesNotGiveAStartingAlternateMoreThanItsShare) {
  serve(2);
  states.set(indexes[0], kHot);
  states.set(indexes[1], takes(64));
  // Its own half, of which it takes a quarter, and a quarter of the other's.
  EXPECT_NEAR(begin(4000)[indexes[1]], 1000, 120);
}

TEST_F(NewFlow, WhoStartsSlowlyGetsItsShareAndTheOthersTheRest) {
  serve(4);
  for (const unsigned share : {1U, 26U, 128U, 250U}) {
    states.set(indexes[2], takes(share));
    const auto got = begin(8000);
    const int mine = got.contains(indexes[2]) ? got.at(indexes[2]) : 0;
    EXPECT_NEAR(mine, 2000.0 * share / 256, 10 + 4 * std::sqrt(2000.0 * share / 256)) << share;
  }
  EXPECT_GT(harness.counters().withheld.read(), 1000U);
}

TEST_F(NewFlow, WhenAllStartSlowlyNobodyIsTurnedAway) {
  serve(4);
  all(takes(26));
  const auto got = begin(4000);
  for (const BackendIndex index : indexes) EXPECT_NEAR(got.at(index), 1000, 150);
}

TEST_F(NewFlow, TheDeadOnesFlowsGoToWhoAdmitsThemFirst) {
  serve(3);
  states.set(indexes[0], kDownState);
  states.set(indexes[1], takes(1));
  EXPECT_LE(begin(2000)[indexes[1]], 30);
  states.set(indexes[2], kDownState);
  EXPECT_EQ(begin(200)[indexes[1]], 200) << "the only one that lives takes all, ramp or not";
}

TEST_F(NewFlow, GatewaysThatKnowTheSameChooseTheSame) {
  serve(5);
  Harness other{65'536, {}, {&states, nullptr}};
  std::vector<BackendDocument> list;
  for (int n = 1; n <= 5; ++n) list.push_back(backend(n));
  other.apply({web(list)});
  states.set(indexes[1], kHot);
  states.set(indexes[2], takes(100));
  states.set(indexes[3], kDownState);
  for (int n = 0; n < 1000; ++n)
    ASSERT_EQ(harness.run(from(n).syn()).backend, other.run(from(n).syn()).backend) << n;
}

std::uint32_t read32(const Bytes& b, std::size_t at) { return read16(b, at) << 16 | read16(b, at + 2); }

TEST_F(NewFlow, AServiceWithoutAnybodyResetsSyns) {
  serve(3);
  all(kDownState);
  states.set_service(service(), ServiceState::kReset);
  const PacketBuilder syn = from(1).syn();
  const std::uint32_t sequence = read32(syn.build(), 14 + 20 + 4);
  const Answer answer = harness.run(syn);
  EXPECT_EQ(answer.outcome, Outcome::kAnsweredReset);
  ASSERT_EQ(answer.frame.size(), 14U + 20 + 20);
  const std::size_t tcp = 14 + 20;
  EXPECT_EQ(address(answer.frame, 14 + 12, false), "203.0.113.10") << "in the VIP's name";
  EXPECT_EQ(read16(answer.frame, tcp), 80U);
  EXPECT_EQ(read32(answer.frame, tcp + 4), 0U) << "RFC 9293, 3.10.7.1: SEQ=0";
  EXPECT_EQ(read32(answer.frame, tcp + 8), sequence + 1) << "ACK=SEG.SEQ+SEG.LEN";
  EXPECT_EQ(answer.frame[tcp + 13], kTcpRst | kTcpAck);
  EXPECT_EQ(harness.flows().stats().size, 0U) << "and nothing is remembered";
  EXPECT_EQ(harness.sum_of_outcomes(), harness.counters().received.read());
}

TEST_F(NewFlow, AServiceWithoutAnybodyKeepsItsOldFlowsAndDropsWhatCannotBeReset) {
  serve(3);
  const BackendIndex old = harness.run(from(1).syn()).backend;
  const PacketBuilder datagram = asks(1);
  ServiceDocument udp = datagrams();
  harness.apply({web({backend(1), backend(2), backend(3)}), udp});
  for (const auto& each : harness.snapshot().services()) {
    for (const BackendIndex index : each->backends) states.set(index, kDownState);
  }
  for (const ServiceState state : {ServiceState::kReset, ServiceState::kDrop}) {
    for (const auto& each : harness.snapshot().services()) states.set_service(each->index, state);
    EXPECT_EQ(harness.run(from(1).ack()).backend, old);
    EXPECT_EQ(harness.run(datagram).outcome, Outcome::kNoBackendAlive);
    EXPECT_EQ(harness.run(from(2).syn()).outcome,
              state == ServiceState::kReset ? Outcome::kAnsweredReset : Outcome::kNoBackendAlive);
  }
  EXPECT_EQ(harness.sum_of_outcomes(), harness.counters().received.read());
}

TEST_F(NewFlow, UseAllIsAsIfNoneWereDownButMaintenanceComesLast) {
  serve(4);
  const auto before = begin(2000);
  all(kDownState);
  states.set_service(service(), ServiceState::kUseAll);
  next_client = 0;  // the same clients once more: down means nothing, so nobody moves
  const auto again = begin(2000);
  for (const BackendIndex index : indexes) EXPECT_EQ(again.at(index), before.at(index));
  EXPECT_EQ(harness.counters().avoided.read(), 0U);
  states.set(indexes[0], kMaintained);
  EXPECT_EQ(begin(1000)[indexes[0]], 0);
  all(kMaintained);
  EXPECT_EQ(begin(100).size(), 4U) << "all in maintenance: all";
}

TEST_F(NewFlow, OneShotDatagramsFollowTheSameRules) {
  ServiceDocument document = datagrams();
  document.one_shot = true;
  harness.apply({document});
  indexes = harness.snapshot().services().front()->backends;
  states.set(indexes[0], kHot);
  for (int n = 0; n < 200; ++n) ASSERT_NE(harness.run(asks(n)).backend, indexes[0]);
  EXPECT_GT(harness.counters().cooler.read(), 20U);
  all(kDownState);
  states.set_service(service(), ServiceState::kReset);
  const Answer answer = harness.run(asks(1));
  EXPECT_EQ(answer.outcome, Outcome::kNoBackendAlive);
  EXPECT_EQ(answer.backend, kNoBackend);
}

TEST_F(NewFlow, ClientsKeptTogetherByAffinityAreDrawnTogetherAndDoNotLeaveForHeat) {
  ServiceDocument document = web({backend(1), backend(2), backend(3), backend(4)});
  document.affinity.ipv4_prefix = 24;
  harness.apply({document});
  indexes = harness.snapshot().services().front()->backends;
  const auto where = [&](int net, int port) {
    return harness
        .run(packet().v4("198.51." + std::to_string(net) + ".7", "203.0.113.10").tcp(port, 80).syn())
        .backend;
  };
  std::vector<BackendIndex> before;
  for (int net = 0; net < 100; ++net) before.push_back(where(net, 1000));
  all(kUpState);
  states.set(indexes[1], kHot);
  for (int net = 0; net < 100; ++net) EXPECT_EQ(where(net, 2000), before[static_cast<std::size_t>(net)]);
  states.set(indexes[1], takes(128));
  for (int net = 0; net < 100; ++net) {
    const BackendIndex first = where(net, 3000);
    for (int port = 3001; port < 3010; ++port) ASSERT_EQ(where(net, port), first);
  }
}

}  // namespace
}  // namespace penstock::test
