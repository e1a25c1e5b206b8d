#include "dataplane/sync/groups.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/dataplane/sync/seeded.h"

namespace penstock {
namespace {

struct Sent {
  DatagramHeader header;
  std::vector<std::byte> payload;
};

std::vector<Sent> send(GroupSender& sender, std::size_t payloads, std::mt19937_64& random) {
  std::vector<ParityCoder::Shard> batch(payloads);
  for (auto& payload : batch) {
    payload.resize(8 + random() % 100);
    for (auto& byte : payload) byte = static_cast<std::byte>(random());
  }
  std::vector<Sent> out;
  sender.send(batch, [&](const DatagramHeader& header, std::span<const std::byte> payload) {
    out.push_back({header, {payload.begin(), payload.end()}});
  });
  return out;
}

TEST(Groups, AreOfAtMostKAndEvenAndNeighboursBelongToDifferentOnes) {
  std::mt19937_64 random(random_seed());
  GroupSender sender({10, 4});
  const auto sent = send(sender, 25, random);
  ASSERT_EQ(sent.size(), 25U + 3 * 4);
  std::map<std::uint32_t, unsigned> data, parity;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    ++(sent[i].header.kind == DatagramKind::kData ? data : parity)[sent[i].header.group];
    if (i > 0 && sent[i].header.kind == sent[i - 1].header.kind) {
      EXPECT_NE(sent[i].header.group, sent[i - 1].header.group);
    }
  }
  EXPECT_EQ(data.size(), 3U);
  for (const auto& [group, count] : data) EXPECT_TRUE(count == 8 || count == 9);
  for (const auto& [group, count] : parity) EXPECT_EQ(count, 4U);
}

TEST(Groups, ABurstOfLossesAsLongAsGroupsTimesParityIsRestored) {
  std::mt19937_64 random(random_seed());
  GroupSender sender({10, 4});
  for (std::size_t first = 0; first + 12 <= 42; ++first) {
    auto receiver = std::make_unique<GroupReceiver>();
    const auto sent = send(sender, 30, random);
    std::size_t delivered = 0;
    for (std::size_t i = 0; i < sent.size(); ++i) {
      if (i >= first && i < first + 12) continue;
      receiver->take(sent[i].header, sent[i].payload, [&](auto) { ++delivered; });
    }
    EXPECT_EQ(delivered, 30U) << "lost from " << first;
  }
}

TEST(Groups, DeliverEveryPayloadOnceUnderLossReorderingAndFewDataDatagrams) {
  std::mt19937_64 random(random_seed());
  GroupSender sender({10, 4});
  auto receiver = std::make_unique<GroupReceiver>();
  for (int round = 0; round < 2000; ++round) {
    auto sent = send(sender, 1 + random() % 12, random);
    std::map<std::vector<std::byte>, int> delivered;
    std::map<std::uint32_t, std::size_t> lost, size;
    std::vector<Sent> arriving;
    std::size_t payloads = 0;
    for (auto& one : sent) {
      payloads += one.header.kind == DatagramKind::kData ? 1 : 0;
      ++size[one.header.group];
      if (random() % 10 < 3 && lost[one.header.group] < 4) {
        ++lost[one.header.group];
      } else {
        arriving.push_back(one);
      }
    }
    std::shuffle(arriving.begin(), arriving.end(), random);
    for (const auto& one : arriving) {
      receiver->take(one.header, one.payload, [&](auto payload) {
        ++delivered[{payload.begin(), payload.end()}];
      });
    }
    ASSERT_EQ(delivered.size(), payloads);
    for (const auto& [payload, times] : delivered) ASSERT_EQ(times, 1);
  }
  EXPECT_EQ(receiver->counts().beyond, 0U);
  EXPECT_GT(receiver->counts().recovered, 1000U);
}

TEST(Groups, CountThoseThatLostTooMuch) {
  std::mt19937_64 random(random_seed());
  GroupSender sender({10, 4});
  auto receiver = std::make_unique<GroupReceiver>();
  for (std::size_t i = 0; i < 2 * GroupReceiver::kGroups; ++i) {
    std::size_t lost = 0;
    for (const auto& one : send(sender, 10, random)) {
      if (lost++ < 5) continue;
      receiver->take(one.header, one.payload, [](auto) {});
    }
  }
  EXPECT_EQ(receiver->counts().groups, 2 * GroupReceiver::kGroups);
  EXPECT_EQ(receiver->counts().beyond, GroupReceiver::kGroups) << "of those no longer kept open";
  EXPECT_EQ(receiver->counts().recovered, 0U);
}

}  // namespace
}  // namespace penstock
