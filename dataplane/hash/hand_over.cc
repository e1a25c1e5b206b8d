#include "dataplane/hash/hand_over.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "dataplane/hash/mix.h"
#include "dataplane/hash/table_size.h"

namespace penstock {

namespace {

// More of any of these costs time and moves hardly fewer slots (README.md has the numbers).
constexpr std::size_t kDraws = 24;
constexpr std::size_t kRacers = 12;
constexpr int kCorrections = 2;
// Racers are drawn from the first slots only, so that the draws stay in the first-level cache.
constexpr std::size_t kDrawnSlots = 16'384;
// Pulls, times and scores are logarithms to base 2 with this many fraction bits.
constexpr int kFractionBits = 11;
constexpr std::int32_t kNoPull = -(1 << 30);
// How close a race was, in steps of 1/32 of a factor 2: 64 is a tie, 0 a factor 4 or more.
constexpr int kClosenessShift = kFractionBits - 5;
constexpr std::uint32_t kTie = 64;

// By a straight line between powers of two: at most 0.09 off, never falling, and, unlike libm's, the same on
// all machines. log2_of(0) is 0.
constexpr std::int32_t log2_of(std::uint64_t number) noexcept {
  const int whole = std::bit_width(number | 1) - 1;
  const auto fraction = static_cast<std::int32_t>((number << (63 - whole) << 1) >> (64 - kFractionBits));
  return (whole << kFractionBits) + fraction;
}

// The time from one draw to the next, exponential with mean 256: -ln of the middle of each of 256 steps.
constexpr auto kWaits = [] {
  constexpr int kLn2 = 177;  // × 256
  std::array<std::uint16_t, 256> waits{};
  for (std::uint32_t i = 0; i < waits.size(); ++i) {
    waits[i] =
        static_cast<std::uint16_t>(((9 << kFractionBits) - log2_of(2 * i + 1)) * kLn2 >> kFractionBits);
  }
  return waits;
}();

// rank << 16 | log2 of its time. The rank after the last stands for nobody.
using Racer = std::uint32_t;
constexpr std::uint32_t rank_of(Racer racer) noexcept { return racer >> 16; }

static_assert(kDraws * kWaits[0] <= 0xFFFF, "all draws' waits fit the time's bits");

constexpr std::int64_t kNoScore = std::numeric_limits<std::int64_t>::min();

// Pull / time, with the racer below it: who compares scores has the winner too.
std::int64_t score(Racer racer, const std::int32_t* pulls) noexcept {
  const std::int32_t points = pulls[rank_of(racer)] - static_cast<std::int32_t>(racer & 0xFFFF);
  return std::int64_t{points} << 32 | racer;
}
std::uint32_t rank_of_score(std::int64_t score) noexcept {
  return rank_of(static_cast<std::uint32_t>(score));
}

class HandOver {
 public:
  HandOver(std::span<const std::uint32_t> slots, std::span<const std::uint16_t> owners,
           std::span<const std::uint32_t> lacks, std::uint64_t seed);

  void draw_racers();
  void race();
  void correct_pulls();
  void drop_surplus();
  void give_dropped();
  [[nodiscard]] std::vector<std::uint16_t> winners() && { return std::move(winners_); }

 private:
  // What a backend with a surplus drops: all wins that were closer, and `more` of just this closeness.
  struct Cut {
    std::uint32_t closeness = kTie + 1;
    std::uint32_t more = 0;
  };

  [[nodiscard]] std::span<const Racer> racers_for(std::size_t place) const {
    return {racers_.data() + place * kRacers, kRacers};
  }
  [[nodiscard]] std::uint8_t closeness(std::size_t place) const noexcept;
  [[nodiscard]] std::uint32_t next_lacking(std::uint32_t rank) const noexcept;

  std::span<const std::uint32_t> slots_;
  std::span<const std::uint16_t> drawn_;
  std::uint64_t seed_;
  std::vector<std::uint32_t> lacks_;    // per rank
  std::vector<std::int32_t> pulls_;     // per rank, and nobody's
  std::vector<std::uint32_t> wins_;     // in the last race, per rank, and nobody's
  std::vector<Racer> racers_;           // kRacers for each of slots_
  std::vector<std::uint16_t> winners_;  // for each of slots_
  std::vector<std::uint32_t> dropped_;  // places in slots_
  std::vector<std::uint64_t> lacking_;  // bit per rank: lacks_[rank] != 0, while the dropped are given
};

HandOver::HandOver(std::span<const std::uint32_t> slots, std::span<const std::uint16_t> owners,
                   std::span<const std::uint32_t> lacks, std::uint64_t seed)
    : slots_(slots),
      drawn_(owners.first(std::min(owners.size(), kDrawnSlots))),
      seed_(seed),
      lacks_(lacks.begin(), lacks.end()),
      pulls_(lacks.size() + 1, kNoPull),
      wins_(lacks.size() + 1),
      racers_(slots.size() * kRacers),
      winners_(slots.size()),
      lacking_(lacks.size() / 64 + 1) {
  // What was drawn from, not the base shares: the first slots are a sample, which may favour a backend.
  std::vector<std::uint32_t> chances(lacks.size() + 1);
  for (const std::uint16_t rank : drawn_) ++chances[std::min<std::size_t>(rank, lacks.size())];
  for (std::size_t rank = 0; rank < lacks.size(); ++rank) {
    if (lacks[rank] != 0) pulls_[rank] = log2_of(lacks[rank]) - log2_of(chances[rank]);
  }
}

// Two draws from each 64 mixed bits: 16 for the slot whose owner is drawn, 8 for the time since the last
// draw. Without a branch on whether the owner lacks anything, which no predictor guesses.
void HandOver::draw_racers() {
  const auto size = static_cast<std::uint32_t>(drawn_.size());
  const auto nobody = static_cast<Racer>(lacks_.size()) << 16;
  std::vector<std::uint8_t> lacking(std::size_t{kNoOwner} + 1);
  std::transform(lacks_.begin(), lacks_.end(), lacking.begin(), [](std::uint32_t lack) { return lack != 0; });
  auto place = racers_.begin();
  for (const std::uint32_t slot : slots_) {
    const std::uint64_t slot_bits = mix(seed_, slot);
    std::array<Racer, kRacers + 2> racers;  // one draw is always written, one more may be drawn for nothing
    std::size_t count = 0;
    std::uint32_t time = 0;
    const auto draw = [&](std::uint32_t bits) {
      const std::uint16_t rank = drawn_[(bits >> 16) * size >> 16];
      time += kWaits[bits & 0xFF];
      racers[count] = Racer{rank} << 16 | time;
      count += lacking[rank];
    };
    for (std::uint64_t pair = 0; pair < kDraws / 2 && count < kRacers; ++pair) {
      const std::uint64_t bits = mix(slot_bits, pair);
      draw(static_cast<std::uint32_t>(bits >> 32));
      draw(static_cast<std::uint32_t>(bits));
    }
    for (; count < kRacers; ++count) racers[count] = nobody;
    place = std::transform(racers.begin(), racers.begin() + kRacers, place, [](Racer racer) {
      return (racer & 0xFFFF'0000u) | static_cast<std::uint32_t>(log2_of(racer & 0xFFFF));
    });
  }
}

void HandOver::race() {
  std::fill(wins_.begin(), wins_.end(), 0);
  for (std::size_t place = 0; place < winners_.size(); ++place) {
    std::int64_t best = kNoScore;
    for (const Racer racer : racers_for(place)) best = std::max(best, score(racer, pulls_.data()));
    winners_[place] = static_cast<std::uint16_t>(rank_of_score(best));
    ++wins_[winners_[place]];
  }
}

// By (lack / wins)^(11/16): the whole ratio would overshoot, because the others' pulls change too.
void HandOver::correct_pulls() {
  for (std::size_t rank = 0; rank < lacks_.size(); ++rank) {
    if (lacks_[rank] == 0) continue;
    const std::int32_t ratio =
        log2_of(2 * std::uint64_t{lacks_[rank]} + 1) - log2_of(2 * std::uint64_t{wins_[rank]} + 1);
    pulls_[rank] += ratio * 11 / 16;
  }
}

std::uint8_t HandOver::closeness(std::size_t place) const noexcept {
  std::int64_t first = kNoScore, second = kNoScore;
  for (const Racer racer : racers_for(place)) {
    std::int64_t& seat = rank_of(racer) == winners_[place] ? first : second;
    seat = std::max(seat, score(racer, pulls_.data()));
  }
  const std::int64_t lead = ((first >> 32) - (second >> 32)) >> kClosenessShift;
  return static_cast<std::uint8_t>(kTie - std::min<std::int64_t>(lead, kTie));
}

void HandOver::drop_surplus() {
  constexpr std::uint32_t kNoSurplus = 0xFFFF'FFFF;
  std::vector<std::uint32_t> surplus_index(wins_.size(), kNoSurplus);
  std::vector<Cut> cuts;
  for (std::size_t rank = 0; rank < lacks_.size(); ++rank) {
    if (wins_[rank] > lacks_[rank]) {
      surplus_index[rank] = static_cast<std::uint32_t>(cuts.size());
      cuts.push_back({.more = wins_[rank] - lacks_[rank]});
    }
    lacks_[rank] -= std::min(wins_[rank], lacks_[rank]);
  }
  std::vector<std::array<std::uint32_t, kTie + 1>> histograms(cuts.size());
  std::vector<std::uint8_t> close(winners_.size());
  for (std::size_t place = 0; place < winners_.size(); ++place) {
    const std::uint32_t index = surplus_index[winners_[place]];
    if (index != kNoSurplus) ++histograms[index][close[place] = closeness(place)];
  }
  for (std::size_t index = 0; index < cuts.size(); ++index) {
    Cut& cut = cuts[index];
    while (histograms[index][--cut.closeness] < cut.more) cut.more -= histograms[index][cut.closeness];
  }
  const auto drops = [&](std::uint32_t place) {
    if (winners_[place] == lacks_.size()) return true;  // nobody won
    const std::uint32_t index = surplus_index[winners_[place]];
    if (index == kNoSurplus || close[place] < cuts[index].closeness) return false;
    if (close[place] > cuts[index].closeness) return true;
    if (cuts[index].more == 0) return false;
    --cuts[index].more;
    return true;
  };
  for (std::uint32_t place = 0; place < winners_.size(); ++place) {
    if (drops(place)) dropped_.push_back(place);
  }
}

void HandOver::give_dropped() {
  for (std::size_t rank = 0; rank < lacks_.size(); ++rank) {
    if (lacks_[rank] != 0) lacking_[rank / 64] |= std::uint64_t{1} << (rank % 64);
  }
  const auto is_lacking = [this](std::uint32_t rank) {
    return (lacking_[rank / 64] >> (rank % 64) & 1) != 0;
  };
  for (const std::uint32_t place : dropped_) {
    std::int64_t best = kNoScore;
    for (const Racer racer : racers_for(place)) {
      if (is_lacking(rank_of(racer))) best = std::max(best, score(racer, pulls_.data()));
    }
    const auto ranks = static_cast<std::uint32_t>(lacks_.size());
    const std::uint32_t rank =
        best != kNoScore ? rank_of_score(best) : next_lacking(slot_of(mix(seed_, slots_[place]), ranks));
    if (--lacks_[rank] == 0) lacking_[rank / 64] &= ~(std::uint64_t{1} << (rank % 64));
    winners_[place] = static_cast<std::uint16_t>(rank);
  }
}

std::uint32_t HandOver::next_lacking(std::uint32_t rank) const noexcept {
  std::size_t word = rank / 64;
  std::uint64_t bits = lacking_[word] & (~std::uint64_t{0} << (rank % 64));
  while (bits == 0) {
    word = word + 1 == lacking_.size() ? 0 : word + 1;
    bits = lacking_[word];
  }
  return static_cast<std::uint32_t>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
}

}  // namespace

std::vector<std::uint16_t> hand_over(std::span<const std::uint32_t> slots,
                                     std::span<const std::uint16_t> owners,
                                     std::span<const std::uint32_t> lacks, std::uint64_t seed) {
  if (slots.empty()) return {};
  HandOver work(slots, owners, lacks, seed);
  work.draw_racers();
  for (int i = 0; i < kCorrections; ++i) {
    work.race();
    work.correct_pulls();
  }
  work.race();
  work.drop_surplus();
  work.give_dropped();
  return std::move(work).winners();
}

}  // namespace penstock
