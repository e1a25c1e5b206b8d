// Every combination of: a SYN or not, who knows the flow, and which of the backends that may are found dead.

#include <gmock/gmock.h>

#include <array>
#include <stdexcept>

#include "dataplane/config/hop_candidates.h"
#include "tests/unit/dataplane/pipeline/hops.h"

namespace penstock::test {
namespace {

// The slot's owners now and in the base table, its latest owner before and its alternate, all distinct.
struct Slot {
  int client;
  BackendIndex primary, before, base, alternate;
};

Slot find_slot(Harness& harness) {
  const Snapshot& s = harness.snapshot();
  const CompiledService& web_service = *s.services().front();
  for (int client = 0; client < 20'000; ++client) {
    const std::uint64_t hash = flow_hash_of(harness, from(client).ack().build());
    const std::uint32_t slot = slot_of(hash, web_service.base->size());
    const HopCandidates found = hop_candidates(s, web_service.index, slot);
    const auto all = found.all();
    if (all.size() != 4) continue;
    const auto& owners = web_service.hops.history->owners_before(slot);
    const BackendIndex base = web_service.hops.by_rank[web_service.base->owners()[slot]];
    if (owners[0] != all[1] || owners[1] != kNoBackend || base != all[2]) continue;
    return {client, all[0], all[1], all[2], all[3]};
  }
  throw std::runtime_error("no slot with four candidates");
}

// Weights that moved slots twice, and back to none of the owners before: base, before and now differ in many.
void live_through_changes(Harness& harness) {
  const auto apply = [&](std::vector<std::uint32_t> weights) {
    std::vector<BackendDocument> backends;
    for (std::size_t n = 0; n < weights.size(); ++n)
      backends.push_back(backend(static_cast<int>(n) + 1, weights[n]));
    harness.apply({web(backends)});
  };
  apply({10, 20, 30, 300, 100, 100});  // the base owner has no part in the history of many slots
  apply({300, 100, 20, 10, 30, 100});
}

enum class Knows { kNobody, kOwnTable, kForeign, kBefore, kBase, kAlternate };
constexpr std::array kKnows{Knows::kNobody, Knows::kOwnTable, Knows::kForeign,
                            Knows::kBefore, Knows::kBase,     Knows::kAlternate};

// A gateway and its slot with four candidates, one of which may know the flow.
class Situation {
 public:
  Situation(Knows knows, unsigned down) : knows_(knows), harness_(4096, {}, {&states_, &foreign_}) {
    live_through_changes(harness_);
    slot_ = find_slot(harness_);
    candidates_ = {slot_.primary, slot_.before, slot_.base, slot_.alternate};
    teach();
    for (std::size_t n = 0; n < candidates_.size(); ++n)
      states_.set(candidates_[n], (down >> n & 1) != 0 ? kDownState : kUpState);
    entries_before_ = harness_.flows().stats().size;
  }

  void run(bool syn) {
    answer_ = harness_.run(syn ? from(slot_.client).syn() : from(slot_.client).ack());
    ASSERT_EQ(answer_.outcome, Outcome::kForwarded);
    way_ = read_gue(answer_.frame).way;
    if (syn) {
      expect_beginning();
    } else if (knows_ == Knows::kOwnTable || knows_ == Knows::kForeign) {
      expect_known();
    } else {
      expect_sought();
    }
  }

 private:
  [[nodiscard]] std::uint64_t hash() const {
    return flow_hash_of(harness_, from(slot_.client).ack().build());
  }
  [[nodiscard]] bool is_down(BackendIndex backend) const { return states_.backend(backend).down(); }

  void teach() {
    switch (knows_) {
      case Knows::kNobody:
        return;
      case Knows::kOwnTable:
        holder_ = slot_.primary;
        harness_.run(from(slot_.client).syn());
        harness_.run(from(slot_.client).ack());
        return;
      case Knows::kForeign:
        holder_ = slot_.alternate;
        ASSERT_TRUE(foreign_.put(hash(), holder_, 1, tick_of(harness_.now) + 1000));
        return;
      case Knows::kBefore:
        holder_ = slot_.before;
        return;
      case Knows::kBase:
        holder_ = slot_.base;
        return;
      case Knows::kAlternate:
        holder_ = slot_.alternate;
        return;
    }
  }

  // No hops, and to one that lives: the primary, the alternate, any.
  void expect_beginning() const {
    EXPECT_EQ(way_.size(), 1U);
    EXPECT_FALSE(is_down(answer_.backend)) << "two of the six backends always live";
    if (!is_down(slot_.primary)) {
      EXPECT_EQ(answer_.backend, slot_.primary);
    } else if (!is_down(slot_.alternate)) {
      EXPECT_EQ(answer_.backend, slot_.alternate);
    }
    EXPECT_EQ(harness_.counters().avoided.read(), is_down(slot_.primary) ? 1U : 0U);
    EXPECT_EQ(harness_.flows().find(hash()), answer_.backend);
  }

  // Established flows never move, dead backend or not.
  void expect_known() const {
    EXPECT_THAT(way_, testing::ElementsAre(address_of(harness_, holder_)));
    EXPECT_EQ(harness_.flows().find(hash()), holder_);
    EXPECT_EQ(harness_.counters().foreign_flows.read(), knows_ == Knows::kForeign ? 1U : 0U);
    EXPECT_EQ(harness_.counters().second_chance.read(), 0U);
  }

  // All four, the living ones first; nothing is entered, because nobody here knows who takes it.
  void expect_sought() const {
    std::vector<std::string> expected;
    for (const bool dead : {false, true}) {
      for (const BackendIndex candidate : candidates_) {
        if (is_down(candidate) == dead) expected.push_back(address_of(harness_, candidate));
      }
    }
    EXPECT_EQ(way_, expected);
    EXPECT_EQ(harness_.flows().stats().size, entries_before_);
    EXPECT_FALSE(answer_.new_flow);
    EXPECT_EQ(harness_.counters().second_chance.read(), 1U);
    if (holder_ == kNoBackend) return;
    EXPECT_EQ(delivered(way_, address_of(harness_, holder_)), address_of(harness_, holder_));
  }

  Knows knows_;
  BackendStates states_{4096, 64};
  ForeignFlows foreign_{64};
  mutable Harness harness_;
  Slot slot_{};
  std::array<BackendIndex, 4> candidates_{};
  BackendIndex holder_ = kNoBackend;
  std::size_t entries_before_ = 0;
  Answer answer_{};
  std::vector<std::string> way_;
};

TEST(SecondChanceModel, EveryPacketGoesWhereItsFlowIs) {
  for (const bool syn : {true, false}) {
    for (const Knows knows : kKnows) {
      for (unsigned down = 0; down < 16; ++down) {
        SCOPED_TRACE("syn " + std::to_string(syn) + ", knows " + std::to_string(static_cast<int>(knows)) +
                     ", down " + std::to_string(down));
        Situation(knows, down).run(syn);
      }
    }
  }
}

}  // namespace
}  // namespace penstock::test
