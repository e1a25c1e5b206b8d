// Maglev tables: shares, determinism, what a change moves, and what is refused.
#include "dataplane/hash/maglev.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <stdexcept>

namespace penstock {
namespace {

constexpr std::uint64_t kSeed = 0x70656E73746F636B;

std::vector<MaglevBackend> equal_backends(std::size_t count, std::uint32_t weight) {
  std::mt19937_64 identities(2026);
  std::vector<MaglevBackend> backends(count);
  for (MaglevBackend& backend : backends) backend = {identities(), weight, weight};
  return backends;
}

std::shared_ptr<const MaglevBase> base_of(const std::vector<MaglevBackend>& backends, std::uint32_t size) {
  auto base = MaglevBase::build(backends, size, kSeed);
  if (!base) throw std::runtime_error(base.error().text());
  return *base;
}

MaglevTable table_of(const MaglevBase& base, const std::vector<MaglevBackend>& backends) {
  auto table = MaglevTable::build(base, backends);
  if (!table) throw std::runtime_error(table.error().text());
  return *std::move(table);
}

std::vector<std::uint32_t> slots_per_backend(const MaglevTable& table, std::size_t count) {
  std::vector<std::uint32_t> slots(count);
  for (std::uint32_t slot = 0; slot < table.size(); ++slot) ++slots.at(table.owner(slot));
  return slots;
}

// Largest remainder straight from its definition, by sorting.
std::vector<std::uint32_t> expected_quotas(const std::vector<MaglevBackend>& backends, std::uint32_t size) {
  std::vector<std::uint32_t> order(backends.size()), quotas(backends.size());
  std::iota(order.begin(), order.end(), 0u);
  std::uint64_t total = 0;
  for (const MaglevBackend& backend : backends) total += backend.weight;
  const auto rest = [&](std::uint32_t i) { return std::uint64_t{backends[i].weight} * size % total; };
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return rest(a) != rest(b) ? rest(a) > rest(b) : backends[a].identity < backends[b].identity;
  });
  std::uint32_t given = 0;
  for (std::uint32_t i = 0; i < backends.size(); ++i) {
    given += quotas[i] = static_cast<std::uint32_t>(std::uint64_t{backends[i].weight} * size / total);
  }
  for (std::uint32_t k = 0; given < size; ++k, ++given) ++quotas[order[k]];
  return quotas;
}

std::uint32_t moved(const MaglevTable& a, const MaglevTable& b) {
  std::uint32_t count = 0;
  for (std::uint32_t slot = 0; slot < a.size(); ++slot) count += a.owner(slot) != b.owner(slot);
  return count;
}

std::uint32_t least_possible(const MaglevTable& a, const MaglevTable& b, std::size_t backends) {
  const auto before = slots_per_backend(a, backends), after = slots_per_backend(b, backends);
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < backends; ++i) count += before[i] > after[i] ? before[i] - after[i] : 0;
  return count;
}

double disruption(const std::vector<MaglevBackend>& before, const std::vector<MaglevBackend>& after,
                  std::uint32_t size) {
  const auto base = base_of(before, size);
  const MaglevTable a = table_of(*base, before), b = table_of(*base, after);
  return static_cast<double>(moved(a, b)) / least_possible(a, b, before.size());
}

TEST(TableSize, ChosenSizesArePrimeAndLargeEnough) {
  EXPECT_EQ(choose_table_size(10), 10'007u);
  for (std::size_t backends = 1; backends <= 10'000; ++backends) {
    const std::uint32_t size = choose_table_size(backends);
    ASSERT_TRUE(is_prime(size)) << size;
    ASSERT_GE(size, std::min<std::size_t>(1000 * backends, 1'000'000)) << backends;
    ASSERT_GE(size, 100 * backends) << backends;
  }
}

TEST(TableSize, PrimesAgreeWithASieve) {
  constexpr std::uint32_t kEnd = 200'000;
  std::vector<bool> composite(kEnd);
  for (std::uint32_t n = 2; n < kEnd; ++n) {
    ASSERT_EQ(is_prime(n), !composite[n]) << n;
    for (std::uint32_t multiple = 2 * n; multiple < kEnd; multiple += n) composite[multiple] = true;
  }
  EXPECT_FALSE(is_prime(0));
  EXPECT_FALSE(is_prime(1));
  EXPECT_TRUE(is_prime(4'294'967'291u));   // the largest 32-bit prime
  EXPECT_FALSE(is_prime(4'294'836'225u));  // 65535²
}

TEST(TableSize, SlotOfCoversTheTableEvenly) {
  EXPECT_EQ(slot_of(0, 65'537), 0u);
  EXPECT_EQ(slot_of(~std::uint64_t{0}, 65'537), 65'536u);
  std::vector<int> hits(1009);
  for (std::uint64_t i = 0; i < 1009 * 1000; ++i) ++hits[slot_of(i * 0x9E3779B97F4A7C15u, 1009)];
  const auto [least, most] = std::minmax_element(hits.begin(), hits.end());
  EXPECT_GT(*least, 950);
  EXPECT_LT(*most, 1050);
}

TEST(Maglev, EveryBackendGetsExactlyItsQuotaWhateverTheWeights) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 60; ++round) {
    auto backends = equal_backends(1 + random() % 300, 0);
    for (MaglevBackend& backend : backends) {
      const auto weight = [&] {
        return random() % 5 == 0 ? 0 : static_cast<std::uint32_t>(random() >> random() % 32);
      };
      backend.base_weight = weight();
      backend.weight = weight();
    }
    backends.front().weight = 1;
    const std::uint32_t size = round % 2 == 0 ? 10'007 : 1'009;
    const MaglevTable table = table_of(*base_of(backends, size), backends);
    ASSERT_EQ(table.size(), size);
    ASSERT_EQ(slots_per_backend(table, backends.size()), expected_quotas(backends, size))
        << "round " << round;
  }
}

TEST(Maglev, SharesAreWithinHalfAPercentOfTheWeights) {
  auto backends = equal_backends(100, 100);
  for (std::size_t i = 0; i < backends.size(); ++i) backends[i].weight = static_cast<std::uint32_t>(50 + i);
  const std::uint32_t size = choose_table_size(backends.size());
  const auto slots = slots_per_backend(table_of(*base_of(backends, size), backends), backends.size());
  double total = 0;
  for (const MaglevBackend& backend : backends) total += backend.weight;
  for (std::size_t i = 0; i < backends.size(); ++i) {
    const double due = backends[i].weight / total * size;
    EXPECT_NEAR(slots[i], due, 0.005 * due) << i;
  }
}

TEST(Maglev, AWeightStepOfAThousandthIsVisible) {
  auto backends = equal_backends(100, 100'000);
  const auto base = base_of(backends, 100'003);
  const auto before = slots_per_backend(table_of(*base, backends), 100);
  backends[7].weight = 100'200;
  EXPECT_GT(slots_per_backend(table_of(*base, backends), 100)[7], before[7]);
}

TEST(Maglev, BackendsWithoutWeightOwnNoSlot) {
  auto backends = equal_backends(10, 100);
  backends[3].weight = 0;
  EXPECT_EQ(slots_per_backend(table_of(*base_of(backends, 10'007), backends), 10)[3], 0u);
}

TEST(Maglev, OneBackendOwnsEverySlotAndIsItsOwnAlternate) {
  const auto backends = equal_backends(1, 1);
  const MaglevTable table = table_of(*base_of(backends, 1'009), backends);
  EXPECT_EQ(slots_per_backend(table, 1)[0], 1'009u);
  EXPECT_EQ(table.alternate(5), 0u);
}

TEST(Maglev, OrderOfTheListDoesNotMatter) {
  auto backends = equal_backends(50, 100);
  for (std::size_t i = 0; i < backends.size(); ++i)
    backends[i].weight = static_cast<std::uint32_t>(10 + 7 * i % 90);
  auto shuffled = backends;
  std::mt19937 random(5);
  std::shuffle(shuffled.begin(), shuffled.end(), random);
  const auto base = base_of(backends, 50'021), shuffled_base = base_of(shuffled, 50'021);
  const MaglevTable expected = table_of(*base, backends);
  for (const MaglevTable& table : {table_of(*shuffled_base, shuffled), table_of(*base, shuffled)}) {
    for (std::uint32_t slot = 0; slot < table.size(); ++slot) {
      ASSERT_EQ(shuffled[table.owner(slot)].identity, backends[expected.owner(slot)].identity) << slot;
      ASSERT_EQ(shuffled[table.alternate(slot)].identity, backends[expected.alternate(slot)].identity)
          << slot;
    }
  }
}

TEST(Maglev, ALateJoinerComputesTheTableOfThoseWhoSawEveryChange) {
  auto backends = equal_backends(100, 1000);
  const auto kept = base_of(backends, 100'003);
  std::mt19937 random(9);
  for (int change = 0; change < 50; ++change) {
    for (MaglevBackend& backend : backends) backend.weight = backend.weight * (950 + random() % 101) / 1000;
    const MaglevTable followed = table_of(*kept, backends);
    if (change % 10 != 9) continue;
    const auto joined = build_maglev(backends, 100'003, kSeed);
    ASSERT_TRUE(joined.ok());
    ASSERT_TRUE(std::ranges::equal(followed.owners(), joined->owners())) << change;
  }
}

TEST(Maglev, SeedsGiveUnrelatedTables) {
  const auto backends = equal_backends(100, 1);
  const auto a = build_maglev(backends, 10'007, 1), b = build_maglev(backends, 10'007, 2);
  const double same = 1 - static_cast<double>(moved(*a, *b)) / 10'007;
  EXPECT_LT(same, 0.03);  // 1 in 100 by chance
}

TEST(Maglev, CuttingATenthOfTheBackendsMovesOnlyWhatItMust) {
  for (const std::uint32_t size : {65'537u, 655'373u}) {
    const auto before = equal_backends(1000, 1000);
    auto after = before;
    for (std::size_t i = 0; i < after.size(); i += 10) after[i].weight = 900;
    EXPECT_LE(disruption(before, after, size), 1.1) << size;
  }
}

TEST(Maglev, CuttingOneOfTenByAPercentMovesOnlyWhatItMust) {
  const auto before = equal_backends(10, 1000);
  auto after = before;
  after[4].weight = 990;
  EXPECT_LE(disruption(before, after, 10'007), 1.1);
}

TEST(Maglev, DrainingOneOfAHundredMovesOnlyItsSlots) {
  const auto before = equal_backends(100, 1000);
  auto after = before;
  after[42].weight = 0;
  EXPECT_LE(disruption(before, after, 65'537), 1.1);
}

TEST(Maglev, RaisingOneBackendMovesOnlyWhatItMust) {
  const auto before = equal_backends(100, 1000);
  auto after = before;
  after[42].weight = 5000;
  EXPECT_LE(disruption(before, after, 100'003), 1.1);
}

TEST(Maglev, TakingABackendOffTheListMovesFewSlotsOfOthers) {
  for (const auto& [count, bound] : {std::pair<std::size_t, double>{10, 1.15}, {100, 1.35}}) {
    const auto before = equal_backends(count, 100);
    auto after = before;
    after.pop_back();
    const auto a = build_maglev(before, 100'003, kSeed), b = build_maglev(after, 100'003, kSeed);
    const std::uint32_t own = slots_per_backend(*a, count).back();
    EXPECT_LE(static_cast<double>(moved(*a, *b)) / own, bound) << count << " backends";
  }
}

TEST(Maglev, NoiseOfFivePercentAroundTheConfiguredWeightsMovesLittleMoreThanItMust) {
  auto backends = equal_backends(100, 1'000'000);
  const auto base = base_of(backends, 100'003);
  std::mt19937 random(3);
  MaglevTable before = table_of(*base, backends);
  double moves = 0, ideal = 0;
  for (int change = 0; change < 20; ++change) {
    for (MaglevBackend& backend : backends) backend.weight = 950'000 + random() % 100'001;
    MaglevTable after = table_of(*base, backends);
    moves += moved(before, after);
    ideal += least_possible(before, after, backends.size());
    before = std::move(after);
  }
  EXPECT_LE(moves / ideal, 1.25);
}

TEST(Maglev, AWalkFarFromTheConfiguredWeightsMovesLessThanTwiceTheLeast) {
  auto backends = equal_backends(100, 1'000'000);
  const auto base = base_of(backends, 100'003);
  std::mt19937 random(4);
  for (MaglevBackend& backend : backends) backend.weight = 300'000 + random() % 2'700'000;
  MaglevTable before = table_of(*base, backends);
  double moves = 0, ideal = 0;
  for (int change = 0; change < 20; ++change) {
    for (MaglevBackend& backend : backends) backend.weight = backend.weight / 1000 * (950 + random() % 101);
    MaglevTable after = table_of(*base, backends);
    moves += moved(before, after);
    ideal += least_possible(before, after, backends.size());
    before = std::move(after);
  }
  EXPECT_LE(moves / ideal, 1.85);
}

TEST(Maglev, AlternatesAreOthersAndFollowTheWeights) {
  auto backends = equal_backends(10, 100);
  backends[0].weight = 400;
  backends[9].weight = 0;
  const MaglevTable table = table_of(*base_of(backends, 10'007), backends);
  std::vector<int> alternates(backends.size());
  for (std::uint32_t slot = 0; slot < table.size(); ++slot) {
    ASSERT_NE(table.alternate(slot), table.owner(slot)) << slot;
    ++alternates[table.alternate(slot)];
  }
  EXPECT_EQ(alternates[9], 0);
  EXPECT_GT(alternates[0], 2 * alternates[1]);
}

TEST(Maglev, BadInputIsRefusedWithTheFieldNamed) {
  auto backends = equal_backends(20, 1);
  const auto refusal = [&](std::uint32_t size) {
    return MaglevBase::build(backends, size, kSeed).error().text();
  };
  EXPECT_EQ(refusal(1'000), "table_size: 1000 is not a prime number");
  EXPECT_EQ(refusal(19), "table_size: 19 slots are fewer than the 20 backends");
  EXPECT_EQ(refusal(4'294'967'291u), "table_size: 4294967291 is more than the largest size, 16777213");
  backends[4].identity = backends[2].identity;
  EXPECT_THAT(refusal(1'009), ::testing::MatchesRegex(
                                  "backends\\[[24]\\]\\.identity: another backend has the same identity"));
  backends.clear();
  EXPECT_EQ(refusal(1'009), "backends: a table needs at least one backend");
}

TEST(Maglev, TablesWithoutAnyWeightOrWithAForeignBaseAreRefused) {
  auto backends = equal_backends(3, 5);
  const auto base = base_of(backends, 1'009);
  for (MaglevBackend& backend : backends) backend.weight = 0;
  EXPECT_EQ(MaglevTable::build(*base, backends).error().text(),
            "backends: all weights are 0; at least one backend must take traffic");
  backends[0] = {backends[0].identity, 6, 6};
  EXPECT_FALSE(base->fits(backends));
  EXPECT_EQ(MaglevTable::build(*base, backends).error().code, ErrorCode::kInvalidArgument);
  backends.pop_back();
  EXPECT_EQ(MaglevTable::build(*base, backends).error().field, "backends");
}

}  // namespace
}  // namespace penstock
