// Who may hold a flow: what a gateway that has lived through changes, and one that joined now, make of a
// slot.

#include "dataplane/config/hop_candidates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <vector>

#include "dataplane/config/compiler.h"

namespace penstock {
namespace {

IpAddr ip(const std::string& text) { return IpAddr::parse(text).value(); }

BackendDocument backend(int n, std::uint32_t weight = 100, bool drain = false) {
  return {"be" + std::to_string(n), ip("10.0." + std::to_string(n / 250) + "." + std::to_string(n % 250 + 1)),
          weight, drain};
}

ServiceDocument web(std::vector<BackendDocument> backends, std::uint32_t table_size = 0) {
  ServiceDocument out;
  out.id = "web";
  out.key = {ip("203.0.113.10"), kProtoTcp, 80};
  out.backends = std::move(backends);
  out.table_size = table_size != 0 ? table_size : choose_table_size(out.backends.size());
  return out;
}

class Gateway {
 public:
  const Snapshot& apply(ServiceDocument service) {
    document_.services = {std::move(service)};
    ++document_.generation;
    auto compiled = compiler_.compile(document_, {}, Nanoseconds::from_seconds(100));
    if (!compiled) throw std::runtime_error(compiled.error().text());
    snapshot_ = std::move(*compiled);
    return *snapshot_;
  }
  [[nodiscard]] const Snapshot& snapshot() const { return *snapshot_; }
  [[nodiscard]] const CompiledService& service() const { return *snapshot_->services().front(); }
  [[nodiscard]] std::uint32_t slots() const { return service().base->size(); }
  [[nodiscard]] std::string id_of(BackendIndex index) const {
    const auto place = snapshot_->find_backend(index);
    return place.service == nullptr ? "" : place.service->document.backends[place.position].id;
  }
  [[nodiscard]] std::string owner(std::uint32_t slot) const {
    return id_of(service().backends[service().table->owner(slot)]);
  }
  [[nodiscard]] std::vector<std::string> candidates(std::uint32_t slot) const {
    std::vector<std::string> out;
    const HopCandidates found = hop_candidates(*snapshot_, service().index, slot);
    for (const BackendIndex index : found.all()) out.push_back(id_of(index));
    return out;
  }
  /// The ones that a packet can carry: the outer destination and three hops.
  [[nodiscard]] std::vector<std::string> carried(std::uint32_t slot) const {
    auto out = candidates(slot);
    if (out.size() > 4) out.resize(4);
    return out;
  }

 private:
  Compiler compiler_;
  Document document_{.epoch = 1, .generation = 1, .hash_key = {}, .services = {}};
  std::unique_ptr<const Snapshot> snapshot_;
};

bool contains(const std::vector<std::string>& in, const std::string& id) {
  return std::ranges::find(in, id) != in.end();
}

TEST(HopCandidates, OfAServiceThatNeverChangedAreOwnerAndAlternate) {
  Gateway gateway;
  gateway.apply(web({backend(1), backend(2), backend(3)}));
  EXPECT_EQ(gateway.service().hops.history, nullptr) << "no memory before the first change";
  for (std::uint32_t slot = 0; slot < gateway.slots(); ++slot) {
    const auto found = gateway.candidates(slot);
    ASSERT_EQ(found.size(), 2U);
    ASSERT_EQ(found[0], gateway.owner(slot));
    ASSERT_NE(found[1], found[0]);
  }
}

TEST(HopCandidates, OwnersBeforeComeNextAndTheBaseOwnerIsAmongThem) {
  Gateway gateway;
  const auto with = [&](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    gateway.apply(web({backend(1, a), backend(2, b), backend(3, c)}));
    std::vector<std::string> owners;
    for (std::uint32_t slot = 0; slot < gateway.slots(); ++slot) owners.push_back(gateway.owner(slot));
    return owners;
  };
  const auto base = with(100, 100, 100);  // equal weights: the base table
  const auto first = with(10, 100, 100);
  const auto second = with(100, 10, 100);
  const auto third = with(100, 100, 10);
  int moved = 0;
  for (std::uint32_t slot = 0; slot < gateway.slots(); ++slot) {
    const auto found = gateway.candidates(slot);
    ASSERT_EQ(found[0], third[slot]);
    for (const auto* before : {&base, &first, &second}) ASSERT_TRUE(contains(found, (*before)[slot])) << slot;
    if (second[slot] == third[slot]) continue;
    ++moved;
    ASSERT_EQ(found[1], second[slot]) << "the latest first";
  }
  EXPECT_GT(moved, 100);
}

TEST(HopCandidates, DrainedAndWeightlessBackendsStayAndRemovedOnesLeave) {
  Gateway gateway;
  gateway.apply(web({backend(1), backend(2), backend(3)}, 5003));
  std::vector<std::string> before;
  for (std::uint32_t slot = 0; slot < gateway.slots(); ++slot) before.push_back(gateway.owner(slot));
  for (const BackendDocument& leaving : {backend(2, 100, true), backend(2, 0)}) {
    gateway.apply(web({backend(1), leaving, backend(3)}, 5003));
    for (std::uint32_t slot = 0; slot < gateway.slots(); ++slot) {
      ASSERT_NE(gateway.owner(slot), "be2");
      ASSERT_TRUE(contains(gateway.carried(slot), before[slot]));
    }
  }
  gateway.apply(web({backend(1), backend(3)}, 5003));
  for (std::uint32_t slot = 0; slot < gateway.slots(); ++slot) {
    for (const std::string& id : gateway.candidates(slot)) ASSERT_TRUE(id == "be1" || id == "be3") << id;
    if (before[slot] != "be2") {
      ASSERT_TRUE(contains(gateway.carried(slot), before[slot]));
    }
  }
}

TEST(HopCandidates, OfAServiceWithoutWillingBackendsAreThoseThatWere) {
  Gateway gateway;
  gateway.apply(web({backend(1), backend(2)}));
  std::vector<std::string> before;
  for (std::uint32_t slot = 0; slot < gateway.slots(); ++slot) before.push_back(gateway.owner(slot));
  gateway.apply(web({backend(1, 100, true), backend(2, 100, true)}));
  ASSERT_EQ(gateway.service().table, nullptr);
  for (std::uint32_t slot = 0; slot < gateway.slots(); ++slot)
    ASSERT_TRUE(contains(gateway.carried(slot), before[slot]));
}

TEST(HopCandidates, SurviveAListThatGrowsAndATableThatGrowsWithIt) {
  Gateway gateway;
  gateway.apply(web({backend(1), backend(2), backend(3), backend(4), backend(5)}, 5003));
  const std::uint32_t slots_before = gateway.slots();
  std::vector<std::string> before;
  for (std::uint32_t slot = 0; slot < slots_before; ++slot) before.push_back(gateway.owner(slot));
  gateway.apply(web({backend(6), backend(1), backend(2), backend(3), backend(4), backend(5)}, 10007));
  ASSERT_EQ(gateway.slots(), 10007U);
  for (std::uint64_t n = 0; n < 100'000; ++n) {
    const std::uint64_t hash = n * 0x9e37'79b9'7f4a'7c15;
    ASSERT_TRUE(
        contains(gateway.carried(slot_of(hash, gateway.slots())), before[slot_of(hash, slots_before)]));
  }
}

TEST(HopCandidates, TablesThatWereRefusedLeaveNoTrace) {
  Compiler compiler;
  Document document{.epoch = 1, .generation = 1, .hash_key = {}, .services = {web({backend(1), backend(2)})}};
  const auto compile = [&] { return compiler.compile(document, {}, Nanoseconds::from_seconds(1)); };
  auto first = compile();
  ASSERT_TRUE(first.ok());
  document.services[0].backends[0].weight = 1;
  auto second = compile();
  ASSERT_TRUE(second.ok());
  const SlotHistory& history = *(*second)->services().front()->hops.history;
  std::vector<SlotHistory::Owners> remembered;
  for (std::uint32_t slot = 0; slot < history.size(); ++slot)
    remembered.push_back(history.owners_before(slot));

  document.services[0].backends[0].weight = 1000;
  document.services.push_back(web({backend(3)}));
  document.services[1].id = "broken";
  document.services[1].key.port = 81;
  document.services[1].table_size = 1000;  // no prime: past validation, only the compiler refuses it
  EXPECT_FALSE(compile().ok());
  for (std::uint32_t slot = 0; slot < history.size(); ++slot)
    ASSERT_EQ(history.owners_before(slot), remembered[slot]);
}

// A flow begins at one gateway, to the slot's owner of that moment. Weights go on changing. Then its packets
// come to another gateway: do they find it?
struct Coverage {
  double witness = 0;  // a gateway that has seen the same configurations
  double joined = 0;   // one that has seen the last one only
};

Coverage churn(int backends, int changes, std::uint32_t from, std::uint32_t to, std::mt19937_64& random) {
  Gateway witness;
  std::vector<std::vector<std::string>> began;  // owners per generation
  ServiceDocument now;
  for (int change = 0; change < changes; ++change) {
    std::vector<BackendDocument> list;
    for (int n = 1; n <= backends; ++n)
      list.push_back(backend(n, from + static_cast<std::uint32_t>(random() % (to - from + 1))));
    now = web(list, 5003);
    witness.apply(now);
    began.emplace_back();
    for (std::uint32_t slot = 0; slot < witness.slots(); ++slot) began.back().push_back(witness.owner(slot));
  }
  Gateway joined;
  joined.apply(now);
  Coverage found;
  for (std::uint32_t slot = 0; slot < witness.slots(); ++slot) {
    const auto of_witness = witness.carried(slot);
    const auto of_joined = joined.carried(slot);
    for (const auto& owners : began) {
      found.witness += contains(of_witness, owners[slot]);
      found.joined += contains(of_joined, owners[slot]);
    }
  }
  const double flows = static_cast<double>(changes) * witness.slots();
  return {found.witness / flows, found.joined / flows};
}

TEST(Churn, WithThreeBackendsEveryFlowIsFoundHoweverOftenWeightsChange) {
  const auto seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937_64 random(seed);
  const Coverage found = churn(3, 100, 1, 1000, random);
  EXPECT_EQ(found.witness, 1.0);
  std::printf("3 backends, 100 changes anywhere in 1-1000: %.4f; by a gateway that joined now %.4f\n",
              found.witness, found.joined);
}

TEST(Churn, WithManyBackendsMostFlowsAreFound) {
  const auto seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937_64 random(seed);
  for (const int backends : {5, 10, 50}) {
    const Coverage near = churn(backends, 30, 95, 105, random);
    const Coverage far = churn(backends, 30, 50, 200, random);
    std::printf("%d backends, 30 changes: within 5 %% %.4f (joined %.4f), up to 4x %.4f (joined %.4f)\n",
                backends, near.witness, near.joined, far.witness, far.joined);
    EXPECT_GT(near.witness, 0.98);
    EXPECT_GT(far.witness, 0.6);
    EXPECT_GE(near.witness, near.joined);
  }
}

TEST(EveryGatewayFinds, ExactlyWhatAGatewayWithoutHistoryCarries) {
  Gateway witness;
  witness.apply(web({backend(1, 10), backend(2), backend(3), backend(4)}));
  const ServiceDocument now = web({backend(1), backend(2, 30), backend(3, 80), backend(4)});
  witness.apply(now);
  Gateway joined;
  joined.apply(now);
  int found = 0;
  for (std::uint64_t n = 0; n < 20'000; ++n) {
    const std::uint64_t hash = n * 0x9e37'79b9'7f4a'7c15;
    const auto carried = joined.carried(slot_of(hash, joined.slots()));
    for (const BackendIndex index : witness.service().backends) {
      const bool finds = every_gateway_finds(witness.snapshot(), index, hash);
      ASSERT_EQ(finds, contains(carried, witness.id_of(index)));
      found += finds;
    }
  }
  EXPECT_GT(found, 20'000);
  EXPECT_FALSE(every_gateway_finds(witness.snapshot(), kNoBackend, 0));
}

TEST(EveryGatewayFinds, NothingOfAServiceWithoutSecondChance) {
  Gateway gateway;
  ServiceDocument off = web({backend(1), backend(2)});
  off.second_chance = SecondChance::kOff;
  gateway.apply(off);
  EXPECT_FALSE(every_gateway_finds(gateway.snapshot(), gateway.service().backends[0], 0));
  ServiceDocument ipip = web({backend(1), backend(2)});
  ipip.encap = Encap::kIpip;
  gateway.apply(ipip);
  EXPECT_FALSE(every_gateway_finds(gateway.snapshot(), gateway.service().backends[0], 0));
}

}  // namespace
}  // namespace penstock
