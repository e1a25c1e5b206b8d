#include "dataplane/sync/snapshot_stream.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/dataplane/sync/seeded.h"

namespace penstock {
namespace {

using Verdict = SnapshotReader::Verdict;

SyncKey key_of(std::uint8_t byte) {
  DerivedKey key;
  key.fill(byte);
  return SyncKey(key);
}

SyncRecord record_of(std::uint64_t key, std::mt19937_64& random) {
  SyncRecord record;
  record.type = key % 3 == 0 ? SyncRecordType::kNatSession : SyncRecordType::kFlow;
  record.key = key;
  record.size = static_cast<std::uint8_t>(key % 3 == 0 ? SyncRecord::kMaxBytes : 12);
  for (std::size_t i = 0; i < record.size; ++i) record.data[i] = static_cast<std::byte>(random() % 4);
  return record;
}

class SnapshotStream : public testing::Test {
 protected:
  std::vector<std::byte> write(std::size_t records) {
    SnapshotWriter writer(nonce_, key_);
    for (std::size_t i = 1; i <= records; ++i) writer.add(record_of(i, random_));
    return writer.finish();
  }
  Verdict read(std::span<const std::byte> bytes, std::size_t limit = 1'000'000) {
    SnapshotReader reader(nonce_, key_, limit);
    records_ = 0;
    return reader.feed(bytes, [&](const SyncRecord&) { ++records_; });
  }

  std::mt19937_64 random_{random_seed()};
  SyncKey key_ = key_of(1);
  SnapshotNonce nonce_{std::byte{7}};
  std::size_t records_ = 0;
};

TEST_F(SnapshotStream, CarriesAllRecordsOverChunksHoweverItArrives) {
  std::map<std::uint64_t, SyncRecord> sent;
  SnapshotWriter writer(nonce_, key_);
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    sent[i] = record_of(i, random_);
    writer.add(sent[i]);
  }
  const auto bytes = writer.finish();
  EXPECT_LT(bytes.size(), std::size_t{20'000} * 60) << "compressed";
  SnapshotReader reader(nonce_, key_, 20'000);
  std::size_t told = 0;
  Verdict verdict = Verdict::kMore;
  for (std::size_t at = 0; at < bytes.size();) {
    ASSERT_EQ(verdict, Verdict::kMore);
    const std::size_t piece = std::min<std::size_t>(1 + random_() % 5000, bytes.size() - at);
    verdict = reader.feed(std::span(bytes).subspan(at, piece), [&](const SyncRecord& record) {
      ++told;
      const auto& expected = sent.at(record.key);
      EXPECT_EQ(record.type, expected.type);
      EXPECT_TRUE(std::ranges::equal(record.bytes(), expected.bytes()));
    });
    at += piece;
  }
  EXPECT_EQ(verdict, Verdict::kDone);
  EXPECT_EQ(told, sent.size());
}

TEST_F(SnapshotStream, AnEmptyOneIsDoneAtOnce) {
  EXPECT_EQ(read(write(0)), Verdict::kDone);
  EXPECT_EQ(records_, 0U);
}

TEST_F(SnapshotStream, EveryFlippedBitIsRefused) {
  auto bytes = write(30);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= std::byte{1} << bit % 8;
    const Verdict verdict = read(bytes);
    ASSERT_NE(verdict, Verdict::kDone) << "bit " << bit;
    ASSERT_EQ(records_, 0U) << "nothing of it was believed";
    bytes[bit / 8] ^= std::byte{1} << bit % 8;
  }
}

TEST_F(SnapshotStream, OneThatIsCutOffIsNeverDone) {
  const auto bytes = write(1000);
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, bytes.size() / 2, bytes.size() - 1}) {
    EXPECT_EQ(read(std::span(bytes).first(size)), Verdict::kMore);
  }
}

TEST_F(SnapshotStream, AnotherKeyAnotherRequestOrAnotherOrderIsForged) {
  const auto bytes = write(10);
  SnapshotReader other_nonce(SnapshotNonce{std::byte{8}}, key_, 100);
  EXPECT_EQ(other_nonce.feed(bytes, [](const SyncRecord&) {}), Verdict::kForged);
  const SyncKey other = key_of(2);
  SnapshotReader other_key(nonce_, other, 100);
  EXPECT_EQ(other_key.feed(bytes, [](const SyncRecord&) {}), Verdict::kForged);
  auto twice = bytes;
  twice.insert(twice.end(), bytes.begin(), bytes.end());
  EXPECT_EQ(read(twice), Verdict::kMalformed) << "goes on behind the last chunk";
}

TEST_F(SnapshotStream, MoreRecordsThanTheLimitAreMalformed) {
  EXPECT_EQ(read(write(100), 100), Verdict::kDone);
  EXPECT_EQ(read(write(101), 100), Verdict::kMalformed);
}

TEST_F(SnapshotStream, RequestsAreBelievedWithTheKeyOnly) {
  auto bytes = write_request({nonce_, 42}, key_);
  ASSERT_EQ(bytes.size(), kSnapshotRequestBytes);
  SnapshotRequest request;
  Refusal why{};
  ASSERT_TRUE(read_request(bytes, key_, request, why));
  EXPECT_EQ(request.nonce, nonce_);
  EXPECT_EQ(request.sent_ms, 42U);
  EXPECT_FALSE(read_request(bytes, key_of(2), request, why));
  EXPECT_EQ(why, Refusal::kAuthentication);
  bytes[0] = std::byte{0};
  EXPECT_FALSE(read_request(bytes, key_, request, why));
  EXPECT_EQ(why, Refusal::kMalformed);
}

}  // namespace
}  // namespace penstock
