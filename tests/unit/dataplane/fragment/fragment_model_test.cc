// The cache beside a model that knows everything: a std::map of datagrams without bounds.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/unit/dataplane/fragment/fragment_fixture.h"

namespace penstock::test {
namespace {

struct Piece {
  std::uint32_t source;
  std::uint32_t id;
  FragmentPart part;
};

struct Model {
  std::uint32_t backend = 0;  // 0: the first fragment has not come
  std::vector<FragmentPart> waiting;
  std::size_t left = 0;
};

// A datagram in pieces of random length.
std::vector<Piece> pieces(std::uint32_t source, std::uint32_t id, std::mt19937_64& random) {
  std::vector<Piece> out;
  const std::uint32_t total = 100 + random() % 8000;
  for (std::uint32_t at = 0; at < total;) {
    const std::uint32_t length = std::min<std::uint32_t>(total - at, 8 * (64 + random() % 128));
    out.push_back({source, id, part(at, length, at + length < total)});
    at += length;
  }
  return out;
}

class FragmentModel : public testing::TestWithParam<int> {};

TEST_P(FragmentModel, EveryFragmentLeavesOnceForItsDatagramsBackend) {
  const std::uint64_t seed = std::random_device{}() + static_cast<std::uint64_t>(GetParam());
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  Fragments f;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Model> model;
  std::size_t sent = 0;
  std::size_t arrived = 0;

  for (std::uint32_t round = 0; round < 400; ++round) {
    std::vector<Piece> arriving;
    for (std::uint32_t n = 0; n < 6; ++n) {
      // Identifications come again as soon as the datagram before is complete.
      const auto more = pieces(static_cast<std::uint32_t>(random() % 50), n, random);
      const auto same = [&](const Piece& p) { return p.source == more[0].source && p.id == more[0].id; };
      if (std::none_of(arriving.begin(), arriving.end(), same))
        arriving.insert(arriving.end(), more.begin(), more.end());
    }
    std::shuffle(arriving.begin(), arriving.end(), random);
    arrived += arriving.size();
    for (const Piece& piece : arriving) {
      Model& m = model[{piece.source, piece.id}];
      const auto [verdict, datagram] = f.admit(piece.source, piece.id, piece.part);
      if (piece.part.is_first()) {
        ASSERT_EQ(verdict, FragmentVerdict::kFirst);
        m.backend = 1 + static_cast<std::uint32_t>(random() % 1000);
        f.cache.learn(*datagram, {0, 0, m.backend});
        for (const FragmentPart& waited : m.waiting) {
          const HeldFragment held = f.cache.release(*datagram);
          ASSERT_NE(held.bytes, nullptr);
          std::uint32_t offset = 0;
          std::memcpy(&offset, held.bytes, sizeof offset);
          ASSERT_EQ(offset, waited.offset);
          ++sent;
        }
        ASSERT_EQ(f.cache.release(*datagram).bytes, nullptr);
        m.waiting.clear();
        ++sent;
      } else if (m.backend != 0) {
        ASSERT_EQ(verdict, FragmentVerdict::kKnown);
        ASSERT_EQ(datagram->flow().backend, m.backend);
        ++sent;
      } else {
        ASSERT_EQ(verdict, FragmentVerdict::kWaits);
        std::vector<std::uint8_t> bytes(8);
        std::memcpy(bytes.data(), &piece.part.offset, sizeof piece.part.offset);
        const bool held = f.hold(*datagram, bytes);
        ASSERT_EQ(held, m.waiting.size() < kHeldPerDatagram);
        if (held) m.waiting.push_back(piece.part);
        if (!held) ++sent;  // dropped, and known to be
      }
      f.cache.finish(*datagram);
      std::size_t& left = m.left;
      ++left;
    }
    // All datagrams of the round are complete.
    model.clear();
    f.now = f.now + Nanoseconds::from_millis(1);
  }
  EXPECT_EQ(sent, arrived);
  EXPECT_EQ(f.cache.held(), 0U);
  EXPECT_EQ(f.cache.lost(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, FragmentModel, testing::Range(0, 10));

// Arbitrary parts, honest or not: within bounds always, and never two backends for one datagram.
TEST(FragmentModelUnderAttack, NoDatagramIsSplitBetweenBackends) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  Fragments f;
  std::map<Datagram*, std::uint32_t> backends;  // of the datagram that lives there now
  for (int n = 0; n < 300'000; ++n) {
    const auto source = static_cast<std::uint32_t>(random() % 300);
    const bool more = random() % 4 != 0;
    std::uint32_t length = 1 + static_cast<std::uint32_t>(random() % 200);
    if (more) length = (length + 7) / 8 * 8;
    const auto fragment = part(8 * static_cast<std::uint32_t>(random() % 40), length, more);
    const auto [verdict, datagram] = f.admit(source, static_cast<std::uint32_t>(random() % 40), fragment);
    ASSERT_NE(datagram, nullptr);
    switch (verdict) {
      case FragmentVerdict::kFirst:
        ASSERT_TRUE(fragment.is_first());
        backends[datagram] = static_cast<std::uint32_t>(n);
        f.cache.learn(*datagram, {0, 0, static_cast<std::uint32_t>(n)});
        while (f.cache.release(*datagram).bytes != nullptr) {
        }
        break;
      case FragmentVerdict::kKnown:
        ASSERT_EQ(datagram->flow().backend, backends[datagram]);
        break;
      case FragmentVerdict::kWaits:
        f.hold(*datagram, std::vector<std::uint8_t>(64));
        break;
      default:
        break;
    }
    if (verdict == FragmentVerdict::kFirst || verdict == FragmentVerdict::kKnown) f.cache.finish(*datagram);
    ASSERT_LE(f.cache.held(), kHeldFragments);
    if (random() % 64 == 0) {
      f.now = f.now + Nanoseconds::from_millis(random() % 50);
      f.cache.expire(f.now);
    }
  }
  f.now = f.now + kFragmentTimeout;
  f.cache.expire(f.now);
  EXPECT_EQ(f.cache.held(), 0U);
}

}  // namespace
}  // namespace penstock::test
