#include "dataplane/sync/record_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/unit/dataplane/sync/seeded.h"

namespace penstock {
namespace {

std::vector<std::byte> bytes_of(std::uint64_t value, std::size_t size) {
  std::vector<std::byte> out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(value >> i % 8 * 8);
  return out;
}

using Model = std::map<std::uint64_t, std::vector<std::byte>>;

void expect_equal(const RecordSet& set, const Model& model) {
  Model listed;
  set.for_each([&](const SyncRecord& r) { listed[r.key] = {r.bytes().begin(), r.bytes().end()}; });
  EXPECT_EQ(listed, model);
  EXPECT_EQ(set.size(), model.size());
}

TEST(RecordSet, BehavesAsAMapAndItsChecksumsDependOnContentOnly) {
  std::mt19937_64 random(random_seed());
  RecordSet set(SyncRecordType::kFlow, 100'000);
  Model model;
  for (int i = 0; i < 60'000; ++i) {
    const std::uint64_t key = random() % 8000;
    if (random() % 3 != 0) {
      const auto data = bytes_of(random() % 4, i > 30'000 && random() % 2 == 0 ? 40 : 12);
      const auto known = model.find(key);
      const auto expected = known == model.end()    ? RecordSet::Put::kNew
                            : known->second == data ? RecordSet::Put::kSame
                                                    : RecordSet::Put::kChanged;
      ASSERT_EQ(set.put(key, data), expected);
      model[key] = data;
    } else {
      ASSERT_EQ(set.erase(key), model.erase(key) == 1);
    }
  }
  expect_equal(set, model);
  RecordSet other(SyncRecordType::kFlow, 100'000);
  std::vector<std::uint64_t> keys;
  for (const auto& [key, data] : model) keys.push_back(key);
  std::shuffle(keys.begin(), keys.end(), random);
  for (const auto key : keys) other.put(key, model[key]);
  for (unsigned bits = 0; bits <= 9; ++bits) {
    for (std::size_t range = 0; range < 1U << bits; ++range) {
      ASSERT_EQ(set.checksum(bits, range), other.checksum(bits, range)) << bits << "/" << range;
    }
  }
}

TEST(RecordSet, ADifferenceShowsInItsRangeAlone) {
  std::mt19937_64 random(random_seed());
  RecordSet one(SyncRecordType::kFlow, 100'000), two(SyncRecordType::kFlow, 100'000);
  std::vector<std::uint64_t> keys(20'000);
  for (auto& key : keys) {
    key = random();
    one.put(key, bytes_of(key, 12));
    two.put(key, bytes_of(key, 12));
  }
  const unsigned bits = one.range_bits();
  EXPECT_GE(keys.size() >> bits, 32U);
  EXPECT_LE(keys.size() >> bits, 128U);
  const std::uint64_t changed = keys[random() % keys.size()];
  two.put(changed, bytes_of(changed + 1, 12));
  for (const unsigned finer : {bits, bits + 3}) {
    for (std::size_t range = 0; range < 1U << finer; ++range) {
      const bool its = RecordSet::mix(changed) >> (64 - finer) == range;
      ASSERT_EQ(one.checksum(finer, range) == two.checksum(finer, range), !its);
    }
  }
  two.erase(changed);
  EXPECT_NE(one.checksum(0, 0), two.checksum(0, 0));
}

TEST(RecordSet, RangesListEveryRecordOnce) {
  std::mt19937_64 random(random_seed());
  RecordSet set(SyncRecordType::kNatSession, 100'000);
  Model model;
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t key = random();
    model[key] = bytes_of(key, 1 + key % 100);
    set.put(key, model[key]);
  }
  for (int i = 0; i < 2000; ++i) {  // holes
    const auto any = std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % 100));
    set.erase(any->first);
    model.erase(any);
  }
  for (const unsigned bits : {1U, 5U, 10U}) {
    Model listed;
    for (std::uint64_t range = 0; range < std::uint64_t{1} << bits; ++range) {
      const std::uint64_t low = range << (64 - bits);
      set.for_each_in(low, low | UINT64_MAX >> bits, [&](const SyncRecord& r) {
        EXPECT_TRUE(listed.emplace(r.key, std::vector(r.bytes().begin(), r.bytes().end())).second);
      });
    }
    EXPECT_EQ(listed, model);
  }
}

TEST(RecordSet, ARoundEndsWhatWasNotListedInIt) {
  RecordSet set(SyncRecordType::kFlow, 1000);
  for (std::uint64_t key = 0; key < 100; ++key) set.put(key, bytes_of(key, 12));
  for (int round = 0; round < 3; ++round) {
    set.begin_round();
    for (std::uint64_t key = 0; key < 100; key += 2) set.put(key, bytes_of(key, 12));
    std::size_t ended = 0;
    set.end_round([&](std::uint64_t key) {
      EXPECT_EQ(key % 2, 1U);
      ++ended;
    });
    EXPECT_EQ(ended, round == 0 ? 50U : 0U);
    EXPECT_EQ(set.size(), 50U);
  }
}

TEST(RecordSet, RefusesMoreThanItsLimitAndStillChangesWhatItHas) {
  RecordSet set(SyncRecordType::kFlow, 10);
  for (std::uint64_t key = 0; key < 10; ++key)
    ASSERT_EQ(set.put(key, bytes_of(key, 12)), RecordSet::Put::kNew);
  EXPECT_EQ(set.put(10, bytes_of(1, 12)), RecordSet::Put::kFull);
  EXPECT_EQ(set.put(3, bytes_of(4, 12)), RecordSet::Put::kChanged);
  EXPECT_EQ(set.size(), 10U);
}

}  // namespace
}  // namespace penstock
