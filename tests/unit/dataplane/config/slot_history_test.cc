#include "dataplane/config/slot_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace penstock {
namespace {

using testing::ElementsAre;
constexpr BackendIndex kNone = kNoBackend;

TEST(SlotHistory, StartsEmpty) {
  const SlotHistory history(1009);
  for (std::uint32_t slot = 0; slot < 1009; ++slot)
    ASSERT_THAT(history.owners_before(slot), ElementsAre(kNone, kNone, kNone));
}

TEST(SlotHistory, RemembersTheLatestThreeAndForgetsTheOldest) {
  SlotHistory history(7);
  history.pass_on(3, 0, 10);
  EXPECT_THAT(history.owners_before(3), ElementsAre(0, kNone, kNone));
  history.pass_on(3, 10, 20);
  history.pass_on(3, 20, 30);
  EXPECT_THAT(history.owners_before(3), ElementsAre(20, 10, 0));
  history.pass_on(3, 30, 40);
  EXPECT_THAT(history.owners_before(3), ElementsAre(30, 20, 10));
  EXPECT_THAT(history.owners_before(2), ElementsAre(kNone, kNone, kNone));
  EXPECT_THAT(history.owners_before(4), ElementsAre(kNone, kNone, kNone));
}

TEST(SlotHistory, NamesEveryOwnerOnceAndNeverTheOneOfNow) {
  SlotHistory history(7);
  history.pass_on(0, 1, 2);
  history.pass_on(0, 2, 1);
  EXPECT_THAT(history.owners_before(0), ElementsAre(2, kNone, kNone));
  history.pass_on(0, 1, 3);
  history.pass_on(0, 3, 2);
  EXPECT_THAT(history.owners_before(0), ElementsAre(3, 1, kNone));
}

TEST(SlotHistory, KeepsTheOwnersOfASlotThatNobodyOwnsForAWhile) {
  SlotHistory history(7);
  history.pass_on(0, 1, kNoBackend);
  EXPECT_THAT(history.owners_before(0), ElementsAre(1, kNone, kNone));
  history.pass_on(0, kNoBackend, 2);
  EXPECT_THAT(history.owners_before(0), ElementsAre(1, kNone, kNone));
}

TEST(SlotHistory, HoldsTheGreatestIndexOfABackend) {
  constexpr BackendIndex kGreatest = (1U << 18) - 1;
  SlotHistory history(2);
  history.pass_on(0, kGreatest, 1);
  history.pass_on(0, 1, 2);
  history.pass_on(0, 2, 3);
  EXPECT_THAT(history.owners_before(0), ElementsAre(2, 1, kGreatest));
}

TEST(RecordChange, EntersWhatDiffersByBackendNotByPlace) {
  const std::vector<BackendIndex> before{10, 11, 12};
  const std::vector<BackendIndex> now{12, 10};  // 11 has left the list
  std::vector<std::uint16_t> old_owners(200), new_owners(200);
  for (std::uint16_t slot = 0; slot < 200; ++slot) {
    old_owners[slot] = slot % 3;
    new_owners[slot] = slot % 3 == 2 ? 0 : 1;  // 12 and 10 keep theirs
  }
  SlotHistory history(200);
  record_change(history, {old_owners, before}, {new_owners, now});
  for (std::uint32_t slot = 0; slot < 200; ++slot) {
    ASSERT_EQ(history.owners_before(slot)[0], slot % 3 == 1 ? 11 : kNone) << slot;
  }
}

TEST(RecordChange, FindsSingleChangesInEveryPlaceOfABlock) {
  const std::vector<BackendIndex> backends{5, 6};
  const std::vector<std::uint16_t> before(1009, 0);
  for (std::uint32_t changed = 0; changed < 1009; ++changed) {
    std::vector<std::uint16_t> now = before;
    now[changed] = 1;
    SlotHistory history(1009);
    record_change(history, {before, backends}, {now, backends});
    for (std::uint32_t slot = 0; slot < 1009; ++slot)
      ASSERT_EQ(history.owners_before(slot)[0], slot == changed ? 5 : kNone) << changed;
  }
}

// Every flow hash that met an owner under the table before meets it in the history of the one after, as far
// as three places last.
TEST(Resized, SlotsInheritFromThoseThatSharedTheirHashes) {
  for (const auto& [from, to] : {std::pair{1009U, 2003U}, {2003U, 1009U}, {1009U, 1013U}, {5003U, 10007U}}) {
    std::vector<BackendIndex> before(from), now{9999};
    std::iota(before.begin(), before.end(), 1U);
    std::vector<std::uint16_t> old_owners(from);
    std::iota(old_owners.begin(), old_owners.end(), std::uint16_t{0});
    const std::vector<std::uint16_t> new_owners(to, 0);
    const auto history = resized(nullptr, {old_owners, before}, from, {new_owners, now}, to);
    for (std::uint64_t n = 0; n < 20'000; ++n) {
      const std::uint64_t hash = n * 0x9e37'79b9'7f4a'7c15;
      const auto scaled = [hash](std::uint32_t size) {
        __extension__ using Wide = unsigned __int128;
        return static_cast<std::uint32_t>(static_cast<Wide>(hash) * size >> 64);
      };
      ASSERT_THAT(history->owners_before(scaled(to)), testing::Contains(before[scaled(from)]))
          << from << " to " << to;
    }
  }
}

TEST(Resized, PutsTheLatestOwnersFirst) {
  SlotHistory history(7);
  history.pass_on(0, 1, 2);
  const std::vector<BackendIndex> backends{2, 3};
  const std::vector<std::uint16_t> before(7, 0), now(7, 1);
  const auto out = resized(&history, {before, backends}, 7, {now, backends}, 7);
  EXPECT_THAT(out->owners_before(0), ElementsAre(2, 1, kNone));
}

}  // namespace
}  // namespace penstock
