#include "dataplane/fragment/fragment_cache.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/fragment/fragment_fixture.h"

namespace penstock::test {
namespace {

using enum FragmentVerdict;

TEST(FragmentCache, LaterFragmentsFollowTheFirst) {
  Fragments f;
  auto first = f.admit(1, 1, part(0, 1480, true));
  ASSERT_EQ(first.verdict, kFirst);
  f.cache.learn(*first.datagram, {99, 3, 12});
  const auto later = f.admit(1, 1, part(1480, 1480, true));
  ASSERT_EQ(later.verdict, kKnown);
  EXPECT_EQ(later.datagram->flow().backend, 12U);
  EXPECT_EQ(later.datagram->flow().service, 3U);
  EXPECT_EQ(later.datagram->flow().hash, 99U);
}

TEST(FragmentCache, EarlyOnesWaitAndLeaveInTheirOrder) {
  Fragments f;
  for (std::uint8_t i = 3; i > 0; --i) {
    const auto early = f.admit(1, 1, part(i * 80U, 80, i != 3));
    ASSERT_EQ(early.verdict, kWaits);
    ASSERT_TRUE(f.hold(*early.datagram, {i, i, i}));
  }
  EXPECT_EQ(f.cache.held(), 3U);
  auto first = f.admit(1, 1, part(0, 80, true));
  ASSERT_EQ(first.verdict, kFirst);
  f.cache.learn(*first.datagram, {});
  for (std::uint8_t i = 3; i > 0; --i) {
    const HeldFragment held = f.cache.release(*first.datagram);
    ASSERT_NE(held.bytes, nullptr);
    EXPECT_EQ(std::vector<std::uint8_t>(held.bytes, held.bytes + held.length),
              std::vector<std::uint8_t>(3, i));
    EXPECT_EQ(held.ingress_port, 7);
  }
  EXPECT_EQ(f.cache.release(*first.datagram).bytes, nullptr);
  EXPECT_EQ(f.cache.held(), 0U);
  EXPECT_EQ(f.cache.lost(), 0U);
}

struct Overlap {
  const char* what;
  std::vector<FragmentPart> before;
  FragmentPart part;
};

TEST(FragmentCache, OverlapKillsTheDatagram) {
  const Overlap overlaps[] = {
      {"the end of another", {part(0, 80, true)}, part(72, 80, true)},
      {"the beginning of another", {part(80, 80, true)}, part(0, 88, true)},
      {"within another", {part(0, 800, true)}, part(80, 8, true)},
      {"around another", {part(80, 8, true)}, part(0, 800, true)},
      {"the same place, longer", {part(80, 80, true)}, part(80, 88, true)},
      {"the same place, shorter", {part(80, 80, true)}, part(80, 72, true)},
      {"behind the last one", {part(80, 80, false)}, part(160, 8, true)},
      {"up to the end, but more to come", {part(80, 80, false)}, part(80, 80, true)},
      {"a second end behind", {part(80, 80, false)}, part(160, 8, false)},
      {"an end before others", {part(160, 80, true)}, part(80, 8, false)},
      {"an end where there was more", {part(80, 80, true)}, part(80, 80, false)},
      {"two gaps", {part(0, 8, true), part(16, 8, true)}, part(8, 16, true)},
  };
  for (const Overlap& o : overlaps) {
    Fragments f;
    for (const FragmentPart& before : o.before) {
      const auto admission = f.admit(1, 1, before);
      ASSERT_NE(admission.verdict, kOverlap) << o.what;
      if (admission.verdict == kFirst) f.cache.learn(*admission.datagram, {});
      if (admission.verdict == kWaits) {
        ASSERT_TRUE(f.hold(*admission.datagram, {1}));
      }
    }
    EXPECT_EQ(f.admit(1, 1, o.part).verdict, kOverlap) << o.what;
    EXPECT_EQ(f.admit(1, 1, part(8000, 8, true)).verdict, kOverlap) << o.what << ": and all that follows";
    EXPECT_EQ(f.cache.held(), 0U) << o.what;
    EXPECT_EQ(f.admit(1, 2, o.part).verdict, o.part.is_first() ? kFirst : kWaits) << "another datagram";
  }
}

TEST(FragmentCache, ExactDuplicateIsNoOverlap) {
  Fragments f;
  const auto first = f.admit(1, 1, part(0, 80, true));
  f.cache.learn(*first.datagram, {1, 2, 3});
  EXPECT_EQ(f.admit(1, 1, part(0, 80, true)).verdict, kKnown) << "a repeated first one changes nothing";
  EXPECT_EQ(f.admit(1, 1, part(160, 8, false)).verdict, kKnown);
  EXPECT_EQ(f.admit(1, 1, part(160, 8, false)).verdict, kKnown);
}

TEST(FragmentCache, CompleteDatagramIsForgotten) {
  Fragments f;
  const auto first = f.admit(1, 1, part(0, 80, true));
  f.cache.learn(*first.datagram, {1, 2, 3});
  f.cache.finish(*first.datagram);
  const auto gap = f.admit(1, 1, part(160, 5, false));
  ASSERT_EQ(gap.verdict, kKnown);
  f.cache.finish(*gap.datagram);
  const auto last = f.admit(1, 1, part(80, 80, true));
  ASSERT_EQ(last.verdict, kKnown);
  f.cache.finish(*last.datagram);
  EXPECT_EQ(f.admit(1, 1, part(80, 80, true)).verdict, kWaits) << "of the next datagram with this id";
}

TEST(FragmentCache, RefusedDatagramStaysSo) {
  Fragments f;
  ASSERT_TRUE(f.hold(*f.admit(1, 1, part(80, 80, false)).datagram, {1}));
  const auto first = f.admit(1, 1, part(0, 80, true));
  f.cache.refuse(*first.datagram);
  EXPECT_EQ(f.cache.held(), 0U);
  EXPECT_EQ(f.cache.lost(), 1U);
  EXPECT_EQ(f.admit(1, 1, part(80, 80, false)).verdict, kRefused);
}

TEST(FragmentCache, TwoSecondsAreAllThatADatagramHas) {
  Fragments f;
  const auto first = f.admit(1, 1, part(0, 80, true));
  f.cache.learn(*first.datagram, {});
  ASSERT_TRUE(f.hold(*f.admit(1, 2, part(80, 80, true)).datagram, {1}));
  f.now = f.now + Nanoseconds::from_millis(1999);
  f.cache.expire(f.now);
  EXPECT_EQ(f.cache.held(), 1U);
  EXPECT_EQ(f.admit(1, 1, part(80, 80, true)).verdict, kKnown);
  f.now = f.now + Nanoseconds::from_millis(1);
  f.cache.expire(f.now);
  EXPECT_EQ(f.cache.held(), 0U);
  EXPECT_EQ(f.cache.lost(), 1U);
  EXPECT_EQ(f.admit(1, 1, part(160, 80, true)).verdict, kWaits);
}

TEST(FragmentCache, WhatOneDatagramMayKeepIsBounded) {
  Fragments f;
  for (std::size_t i = 1; i <= kHeldPerDatagram + 1; ++i) {
    const auto early = f.admit(1, 1, part(static_cast<std::uint32_t>(i * 80), 80, true));
    EXPECT_EQ(f.hold(*early.datagram, {1}), i <= kHeldPerDatagram);
  }
  const auto other = f.admit(1, 2, part(80, 80, true));
  EXPECT_FALSE(f.hold(*other.datagram, std::vector<std::uint8_t>(kHeldBytes + 1)));
  EXPECT_TRUE(f.hold(*other.datagram, std::vector<std::uint8_t>(kHeldBytes)));
}

TEST(FragmentCache, MoreGapsThanCanBeRememberedAreRefused) {
  Fragments f;
  const auto first = f.admit(1, 1, part(0, 8, true));
  f.cache.learn(*first.datagram, {});
  for (std::uint32_t i = 1; i < kSeenRanges; ++i)
    EXPECT_EQ(f.admit(1, 1, part(i * 16, 8, true)).verdict, kKnown);
  EXPECT_EQ(f.admit(1, 1, part(8000, 8, true)).verdict, kRefused);
}

TEST(FragmentCache, OneSourceCannotTakeWhatOthersNeed) {
  Fragments f;
  const auto victim_known = f.admit(2, 1, part(0, 80, true));
  f.cache.learn(*victim_known.datagram, {});
  ASSERT_TRUE(f.hold(*f.admit(2, 2, part(80, 80, true)).datagram, {42}));
  // Sources that share their sets or their pool with the victim are rare; this one does not.
  for (std::uint32_t id = 0; id < 100'000; ++id) {
    const auto flood = f.admit(1, id, part(80, 80, true));
    if (flood.verdict == kWaits) f.hold(*flood.datagram, {1});
  }
  EXPECT_LE(f.cache.held(), kHeldPerPool + 1);
  EXPECT_EQ(f.admit(2, 1, part(80, 80, true)).verdict, kKnown);
  const auto first = f.admit(2, 2, part(0, 80, true));
  ASSERT_EQ(first.verdict, kFirst);
  EXPECT_EQ(*f.cache.release(*first.datagram).bytes, 42);
}

TEST(FragmentCache, FloodFromEverywhereTakesTheOldestPlaces) {
  Fragments f;
  for (std::uint32_t source = 1; source < 20'000; ++source) {
    const auto early = f.admit(source, 1, part(80, 80, true));
    ASSERT_EQ(early.verdict, kWaits);
    f.hold(*early.datagram, {1});
    ASSERT_LE(f.cache.held(), kHeldFragments);
  }
  EXPECT_GT(f.cache.held(), kHeldFragments / 2);
  const auto early = f.admit(30'000, 1, part(80, 80, true));
  ASSERT_TRUE(f.hold(*early.datagram, {9})) << "a newcomer finds room";
  EXPECT_EQ(*f.cache.release(*f.admit(30'000, 1, part(0, 80, true)).datagram).bytes, 9);
}

}  // namespace
}  // namespace penstock::test
