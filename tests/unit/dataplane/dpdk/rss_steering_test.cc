// The choice of source ports against a Toeplitz hash of our own. rte_thash takes its memory from EAL, which
// can be initialised once in a process, so each case forks.
#include "dataplane/dpdk/rss_steering.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <set>

#include "dataplane/dpdk/eal.h"

namespace penstock {
namespace {

// As the RSS specification words it: one bit of the tuple after the other, a window of 32 bits of the key.
std::uint32_t toeplitz(std::span<const std::uint8_t> key, const std::vector<std::uint8_t>& tuple) {
  const auto key_bit = [&](std::size_t bit) { return key[bit / 8] >> (7 - bit % 8) & 1U; };
  std::uint32_t hash = 0;
  for (std::size_t bit = 0; bit < 8 * tuple.size(); ++bit) {
    if ((tuple[bit / 8] >> (7 - bit % 8) & 1) == 0) continue;
    std::uint32_t window = 0;
    for (std::size_t i = 0; i < 32; ++i) window = window << 1 | key_bit(bit + i);
    hash ^= window;
  }
  return hash;
}

std::vector<std::uint8_t> hashed_bytes(const NatTuple& t) {
  std::vector<std::uint8_t> out(t.source.begin(), t.source.begin() + static_cast<long>(t.address_bytes()));
  out.insert(out.end(), t.destination.begin(), t.destination.begin() + static_cast<long>(t.address_bytes()));
  for (const be16 port : {t.source_port, t.destination_port}) {
    out.push_back(static_cast<std::uint8_t>(port.host() >> 8));
    out.push_back(static_cast<std::uint8_t>(port.host()));
  }
  return out;
}

// 0, or the number of what is wrong.
int answers_arrive_at_their_worker() {
  EalSettings settings;
  settings.cpus = {0};
  settings.memory_mb = 64;
  settings.no_huge = true;
  auto eal = Eal::init(settings);
  if (!eal) return 1;
  std::mt19937 random(7);
  for (const std::uint16_t queues : {2, 3, 8}) {
    for (const std::uint16_t entries : {64, 128, 512}) {
      const std::vector<RssShape> shapes{{"one", true, entries, 40}, {"two", true, 128, 52}};
      auto made = RssSteering::make(shapes, queues);
      if (!made) return 2;
      const std::uint32_t least = std::min<std::uint32_t>(entries, 128);
      for (int i = 0; i < 3000; ++i) {
        NatTuple answer;
        answer.v6 = i % 2 == 0;
        for (std::size_t at = 0; at < answer.address_bytes(); ++at) {
          answer.source[at] = static_cast<std::uint8_t>(random());
          answer.destination[at] = static_cast<std::uint8_t>(random());
        }
        answer.source_port = be16(80);
        answer.destination_port = be16(static_cast<std::uint16_t>(random()));
        const std::uint32_t worker = random() % queues;
        (*made)->of_worker(worker).adjust(answer);
        for (const RssShape& port : shapes) {
          const std::uint32_t hash = toeplitz((*made)->key(port.key_bytes), hashed_bytes(answer));
          if (hash % port.table_entries % queues != worker) return 3;
          if (hash % least % queues != worker) return 4;
        }
        const be16 before = answer.destination_port;
        (*made)->of_worker(worker).adjust(answer);
        if (!(answer.destination_port == before)) return 5;
      }
      // Every port is some worker's: none is lost.
      std::set<std::uint16_t> reached;
      NatTuple answer;
      for (std::uint32_t port = 0; port < 65536; ++port) {
        for (std::uint32_t worker = 0; worker < queues; ++worker) {
          answer.destination_port = be16(static_cast<std::uint16_t>(port));
          (*made)->of_worker(worker).adjust(answer);
          reached.insert(answer.destination_port.host());
        }
      }
      if (reached.size() < 65536U * least / std::max<std::uint32_t>(entries, 128)) return 6;
    }
  }
  return 0;
}

TEST(RssSteering, AnswersArriveAtTheirWorkerOnEveryPort) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(_exit(answers_arrive_at_their_worker()), ::testing::ExitedWithCode(0), "");
}

TEST(RssSteering, APortThatCannotBeSteeredIsRefusedByName) {
  const std::vector<RssShape> ring{{"net_ring0", false, 0, 0}};
  const auto refused = RssSteering::make(ring, 2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().field, "nat_source");
  EXPECT_NE(refused.error().message.find("net_ring0"), std::string::npos);
  EXPECT_FALSE(RssSteering::make(std::vector<RssShape>{{"odd", true, 100, 40}}, 2));
  EXPECT_FALSE(RssSteering::make(std::vector<RssShape>{{"short", true, 128, 16}}, 2));
  EXPECT_FALSE(RssSteering::make(std::vector<RssShape>{{"small", true, 4, 40}}, 5));
}

}  // namespace
}  // namespace penstock
