#include "dataplane/sync/batch.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/unit/dataplane/sync/seeded.h"

namespace penstock {
namespace {

SyncRecord record_of(std::uint64_t key, std::uint8_t size, SyncRecordType type = SyncRecordType::kFlow) {
  SyncRecord record;
  record.type = type;
  record.key = key;
  record.size = size;
  for (std::size_t i = 0; i < size; ++i) record.data[i] = static_cast<std::byte>(key + i);
  return record;
}

struct Content {
  std::uint64_t low, high;
  std::vector<std::uint64_t> keys;
};

class Log final : public BatchReader {
 public:
  void on_put(const SyncRecord& r) override {
    puts.push_back(r.key);
    sizes.push_back(r.size);
  }
  void on_end(SyncRecordType, std::uint64_t key) override { ends.push_back(key); }
  void on_content(SyncRecordType, std::uint64_t low, std::uint64_t high,
                  std::span<const SyncRecord> records) override {
    Content content{low, high, {}};
    for (const auto& r : records) content.keys.push_back(r.key);
    contents.push_back(content);
  }
  void on_digest(SyncRecordType, unsigned bits, std::uint32_t first,
                 std::span<const std::uint32_t> checksums) override {
    for (std::size_t i = 0; i < checksums.size(); ++i) digests[first + i] = checksums[i];
    digest_bits = bits;
  }
  void on_ask(SyncRecordType, unsigned, std::span<const std::uint32_t> ranges) override {
    asked.insert(asked.end(), ranges.begin(), ranges.end());
  }

  std::vector<std::uint64_t> puts, ends;
  std::vector<std::uint8_t> sizes;
  std::vector<Content> contents;
  std::map<std::size_t, std::uint32_t> digests;
  unsigned digest_bits = 0;
  std::vector<std::uint32_t> asked;
};

void read_all(BatchWriter& writer, Log& log) {
  for (const auto& payload : writer.take()) {
    EXPECT_LE(payload.size(), kMaxBatchPayload);
    EXPECT_TRUE(log.read(payload));
  }
}

TEST(Batch, CarriesPutsAndEndsInOrderOverManyPayloads) {
  BatchWriter writer;
  for (std::uint64_t key = 1; key <= 1000; ++key) {
    if (key % 3 == 0) {
      writer.end(SyncRecordType::kFlow, key);
    } else {
      writer.put(record_of(key, key % 5 == 0 ? 140 : 12));
    }
  }
  Log log;
  read_all(writer, log);
  EXPECT_TRUE(writer.empty());
  ASSERT_EQ(log.puts.size() + log.ends.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(log.puts.begin(), log.puts.end()));
  EXPECT_TRUE(std::is_sorted(log.ends.begin(), log.ends.end()));
}

TEST(Batch, ContentCoversTheWholeRangeWithoutGapsEvenWhereItIsEmpty) {
  RecordSet set(SyncRecordType::kNatSession, 10'000);
  for (std::uint64_t key = 1; key <= 500; ++key) {
    const auto record = record_of(key, 140, SyncRecordType::kNatSession);
    set.put(key, record.bytes());
  }
  for (const unsigned bits : {0U, 2U, 12U}) {
    BatchWriter writer;
    std::size_t records = 0;
    for (std::size_t range = 0; range < 1U << bits; ++range) records += writer.content(set, bits, range);
    EXPECT_EQ(records, 500U);
    Log log;
    read_all(writer, log);
    std::uint64_t next = 0;
    std::set<std::uint64_t> keys;
    for (const auto& content : log.contents) {
      ASSERT_EQ(content.low, next);
      next = content.high + 1;
      for (const auto key : content.keys) {
        EXPECT_TRUE(keys.insert(key).second);
        EXPECT_GE(RecordSet::mix(key), content.low);
        EXPECT_LE(RecordSet::mix(key), content.high);
      }
    }
    EXPECT_EQ(next, 0U) << "up to the last key";
    EXPECT_EQ(keys.size(), 500U);
  }
}

TEST(Batch, DigestsNameEveryRangeAndAsksComeAsTheyWere) {
  RecordSet set(SyncRecordType::kFlow, 100'000);
  for (std::uint64_t key = 1; key <= 50'000; ++key) set.put(key, record_of(key, 12).bytes());
  BatchWriter writer;
  writer.digest(set);
  writer.ask(SyncRecordType::kFlow, 5, 31);
  writer.ask(SyncRecordType::kFlow, 6, 63);
  Log log;
  read_all(writer, log);
  ASSERT_EQ(log.digests.size(), std::size_t{1} << set.range_bits());
  EXPECT_EQ(log.digest_bits, set.range_bits());
  for (const auto& [range, sum] : log.digests) EXPECT_EQ(sum, set.checksum(set.range_bits(), range));
  EXPECT_EQ(log.asked, (std::vector<std::uint32_t>{31, 63}));
}

TEST(Batch, CutsAndGarbageAreMalformedAndNeverReadBeyondTheirEnd) {
  std::mt19937_64 random(random_seed());
  BatchWriter writer;
  for (std::uint64_t key = 1; key <= 20; ++key) writer.put(record_of(key, 12));
  writer.ask(SyncRecordType::kFlow, 3, 7);
  const auto payload = writer.take().at(0);
  for (std::size_t size = 1; size < payload.size(); ++size) {
    Log log;
    const std::vector<std::byte> cut(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(size));
    const bool whole_sections = size == 4 + 20 * 21;  // up to the ask
    EXPECT_EQ(log.read(cut), whole_sections) << size;
  }
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> garbage(random() % 200);
    for (auto& byte : garbage) byte = static_cast<std::byte>(random() % (i % 2 == 0 ? 256 : 6));
    Log log;
    static_cast<void>(log.read(garbage));
  }
}

TEST(Batch, RefusesContentOutsideItsRangeAndRangesThatDoNotExist) {
  RecordSet set(SyncRecordType::kFlow, 100);
  set.put(1, record_of(1, 12).bytes());
  BatchWriter writer;
  writer.content(set, 0, 0);
  auto payload = writer.take().at(0);
  for (std::size_t i = 4; i < 12; ++i) payload[i] = std::byte{0xff};  // low: above the record
  EXPECT_FALSE(Log().read(payload));
  writer.ask(SyncRecordType::kFlow, 3, 7);
  payload = writer.take().at(0);
  EXPECT_TRUE(Log().read(payload));
  payload.back() = std::byte{8};
  EXPECT_FALSE(Log().read(payload)) << "range 8 of 8";
}

}  // namespace
}  // namespace penstock
