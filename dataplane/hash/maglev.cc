#include "dataplane/hash/maglev.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <string>

#include "dataplane/hash/hand_over.h"
#include "dataplane/hash/mix.h"
#include "dataplane/hash/quota.h"

namespace penstock {

namespace {

// Darts per slot before the rest is handed out. Fewer build faster, more keep the base table steadier when a
// backend leaves the list.
constexpr std::uint64_t kDartsPerSlot = 8;
// Darts per turn are fixed-point with this many fraction bits.
constexpr int kPaceBits = 12;
// Darts per turn of a backend of about the mean weight: enough that its state pays for being fetched.
constexpr std::uint64_t kDartsPerTurn = 8;
constexpr std::uint64_t kRestSalt = 0x6261736572657374;      // "baserest"
constexpr std::uint64_t kHandOverSalt = 0x68616E646F766572;  // "handover"
constexpr std::uint32_t kAlternateDraws = 8;

Status check_shape(std::span<const MaglevBackend> backends, std::uint32_t size) {
  const std::string text = std::to_string(size);
  if (backends.empty()) return invalid("backends", "a table needs at least one backend");
  if (backends.size() > kMaxMaglevBackends) {
    return invalid("backends", std::to_string(backends.size()) + " backends are more than the " +
                                   std::to_string(kMaxMaglevBackends) + " that a table can tell apart");
  }
  if (size > kMaxTableSize) {
    return invalid("table_size", text + " is more than the largest size, " + std::to_string(kMaxTableSize));
  }
  if (!is_prime(size)) return invalid("table_size", text + " is not a prime number");
  if (size < backends.size()) {
    return invalid("table_size",
                   text + " slots are fewer than the " + std::to_string(backends.size()) + " backends");
  }
  return Ok{};
}

std::vector<std::uint16_t> order_by_identity(std::span<const MaglevBackend> backends) {
  std::vector<std::uint16_t> order(backends.size());
  std::iota(order.begin(), order.end(), std::uint16_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::uint16_t a, std::uint16_t b) { return backends[a].identity < backends[b].identity; });
  return order;
}

// One backend at its walk through the slots: `skip` and a prime size make it a permutation.
struct Thrower {
  std::uint32_t slot, skip;   // next dart, step to the one after
  std::uint32_t due, pace;    // darts owed so far, darts per turn, both << kPaceBits
  std::uint32_t claim, last;  // places in the list of claims
  std::uint32_t rank;
};

Thrower make_thrower(std::uint64_t bits, std::uint32_t slots, std::uint32_t pace) {
  return {.slot = slot_of(bits, slots),
          .skip = 1 + slot_of(mix(bits, 1), slots - 1),
          .due = slot_of(mix(bits, 2), pace),  // or the first by rank would be ahead of all others
          .pace = pace,
          .claim = 0,
          .last = 0,
          .rank = 0};
}

// Throws the darts that are due, until none is left or the last claim is made; false then. Works on copies:
// the claims might alias the thrower, as far as the compiler knows.
bool throw_darts(Thrower& thrower, std::uint32_t slots, std::uint64_t* taken,
                 std::uint32_t* claims) noexcept {
  const std::uint32_t skip = thrower.skip, last = thrower.last;
  std::uint32_t slot = thrower.slot, claim = thrower.claim;
  thrower.due += thrower.pace;
  std::uint32_t darts = thrower.due >> kPaceBits;
  thrower.due &= (1u << kPaceBits) - 1;
  for (; darts != 0 && claim != last; --darts) {
    // Without a branch: whether a dart hits is a coin toss that no predictor guesses.
    const std::uint64_t word = taken[slot / 64];
    claims[claim] = slot;
    claim += static_cast<std::uint32_t>(~word >> (slot % 64) & 1);
    taken[slot / 64] = word | std::uint64_t{1} << (slot % 64);
    const std::uint32_t next = slot + skip;
    slot = next >= slots ? next - slots : next;
  }
  thrower.slot = slot;
  thrower.claim = claim;
  return claim != last;
}

}  // namespace

Result<std::shared_ptr<const MaglevBase>> MaglevBase::build(std::span<const MaglevBackend> backends,
                                                            std::uint32_t size, std::uint64_t seed) {
  if (const Status shape = check_shape(backends, size); !shape) return shape.error();

  std::shared_ptr<MaglevBase> base(new MaglevBase);
  base->seed_ = seed;
  base->built_index_ = order_by_identity(backends);
  for (const std::uint16_t index : base->built_index_) {
    const MaglevBackend& backend = backends[index];
    if (!base->identities_.empty() && base->identities_.back() == backend.identity) {
      return invalid("backends[" + std::to_string(index) + "].identity",
                     "another backend has the same identity");
    }
    base->identities_.push_back(backend.identity);
    base->base_weights_.push_back(backend.base_weight);
  }
  std::vector<std::uint32_t> weights = base->base_weights_;
  const auto is_zero = [](std::uint32_t weight) { return weight == 0; };
  if (std::all_of(weights.begin(), weights.end(), is_zero)) std::fill(weights.begin(), weights.end(), 1);

  base->shares_ = slot_quotas(weights, size);
  base->owners_.assign(size, kNoOwner);
  base->claims_.resize(size);
  base->claim_by_darts(weights);
  base->claim_the_rest();
  return std::shared_ptr<const MaglevBase>(std::move(base));
}

// Maglev's race for slots with one difference: a dart that hits a taken slot is spent, instead of being
// thrown again until it finds a free one. So nobody's pace depends on the others' luck, and when a backend
// leaves the list, only its own slots go to others here.
void MaglevBase::claim_by_darts(std::span<const std::uint32_t> weights) {
  const auto slots = static_cast<std::uint32_t>(owners_.size());
  const std::uint64_t total = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
  // The weight that throws kDartsPerTurn. Rounded to a power of two, because a unit that followed the mean
  // exactly would change with every backend that comes or goes.
  const std::uint64_t unit = std::bit_ceil((total + weights.size() - 1) / weights.size());
  const auto turns = static_cast<std::uint64_t>(static_cast<uint128>(kDartsPerSlot * slots) * unit /
                                                (kDartsPerTurn * total)) +
                     1;

  std::vector<Thrower> throwers(shares_.size());
  for (std::uint32_t rank = 0, claim = 0; rank < throwers.size(); claim += shares_[rank++]) {
    const auto pace = static_cast<std::uint32_t>((kDartsPerTurn * weights[rank] << kPaceBits) / unit);
    throwers[rank] = make_thrower(mix(identities_[rank], seed_), slots, pace);
    throwers[rank].claim = claim;
    throwers[rank].last = claim + shares_[rank];
    throwers[rank].rank = rank;
  }

  std::vector<std::uint64_t> taken(slots / 64 + 1);
  claims_end_.resize(shares_.size());
  for (std::uint64_t turn = 0; turn < turns && !throwers.empty(); ++turn) {
    auto kept = throwers.begin();
    for (Thrower& thrower : throwers) {
      if (throw_darts(thrower, slots, taken.data(), claims_.data()))
        *kept++ = thrower;
      else
        claims_end_[thrower.rank] = thrower.claim;
    }
    throwers.erase(kept, throwers.end());
  }
  for (const Thrower& thrower : throwers) claims_end_[thrower.rank] = thrower.claim;
  for (std::uint32_t rank = 0, place = 0, end = 0; rank < shares_.size(); ++rank, place = end) {
    end += shares_[rank];
    for (; place < claims_end_[rank]; ++place) owners_[claims_[place]] = static_cast<std::uint16_t>(rank);
  }
}

// Completes every share. claims_end_ holds how far each rank's claims have come.
void MaglevBase::claim_the_rest() {
  std::vector<std::uint32_t> lacks(shares_.size());
  std::uint32_t end = 0;
  for (std::size_t rank = 0; rank < shares_.size(); ++rank) {
    end += shares_[rank];
    lacks[rank] = end - claims_end_[rank];
  }
  std::vector<std::uint32_t> free;
  for (std::uint32_t slot = 0; slot < owners_.size(); ++slot) {
    if (owners_[slot] == kNoOwner) free.push_back(slot);
  }
  const std::vector<std::uint16_t> takers = hand_over(free, owners_, lacks, mix(seed_, kRestSalt));
  for (std::size_t i = 0; i < free.size(); ++i) {
    owners_[free[i]] = takers[i];
    claims_[claims_end_[takers[i]]++] = free[i];
  }
}

Result<std::vector<std::uint16_t>> MaglevBase::index_by_rank(std::span<const MaglevBackend> backends) const {
  if (backends.size() != identities_.size()) {
    return invalid("backends", std::to_string(backends.size()) + " backends do not fit a base table of " +
                                   std::to_string(identities_.size()));
  }
  const auto fits_in_order = [&](const std::vector<std::uint16_t>& order) {
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      const MaglevBackend& backend = backends[order[rank]];
      if (backend.identity != identities_[rank] || backend.base_weight != base_weights_[rank]) return false;
    }
    return true;
  };
  if (fits_in_order(built_index_)) return built_index_;  // the usual case: no sorting
  std::vector<std::uint16_t> order = order_by_identity(backends);
  if (fits_in_order(order)) return order;
  return invalid("backends", "the identities or base weights differ from those of the base table");
}

bool MaglevBase::fits(std::span<const MaglevBackend> backends) const { return index_by_rank(backends).ok(); }

// Donors (whose quota is below their base share) release what they claimed last, so the slots released for a
// small cut are among those released for a deeper one.
Result<MaglevTable> MaglevTable::build(const MaglevBase& base, std::span<const MaglevBackend> backends) {
  Result<std::vector<std::uint16_t>> order = base.index_by_rank(backends);
  if (!order) return order.error();
  const std::vector<std::uint16_t>& index = *order;

  std::vector<std::uint32_t> weights(index.size());
  for (std::size_t rank = 0; rank < index.size(); ++rank) weights[rank] = backends[index[rank]].weight;
  if (std::all_of(weights.begin(), weights.end(), [](std::uint32_t weight) { return weight == 0; })) {
    return invalid("backends", "all weights are 0; at least one backend must take traffic");
  }
  const std::vector<std::uint32_t> quotas = slot_quotas(weights, base.size());

  std::vector<std::uint32_t> lacks(index.size()), released;
  for (std::size_t rank = 0; rank < index.size(); ++rank) {
    const std::uint32_t share = base.shares_[rank];
    const auto end = base.claims_.begin() + base.claims_end_[rank];
    if (quotas[rank] < share) released.insert(released.end(), end - (share - quotas[rank]), end);
    if (quotas[rank] > share) lacks[rank] = quotas[rank] - share;
  }

  MaglevTable table;
  table.seed_ = base.seed_;
  table.owners_.resize(base.size());
  std::transform(base.owners_.begin(), base.owners_.end(), table.owners_.begin(),
                 [&index](std::uint16_t rank) { return index[rank]; });
  const std::vector<std::uint16_t> takers =
      hand_over(released, base.owners_, lacks, mix(base.seed_, kHandOverSalt));
  for (std::size_t i = 0; i < released.size(); ++i) table.owners_[released[i]] = index[takers[i]];
  table.find_largest(quotas, index);
  return table;
}

void MaglevTable::find_largest(std::span<const std::uint32_t> quotas, std::span<const std::uint16_t> index) {
  std::size_t first = 0;
  for (std::size_t rank = 1; rank < quotas.size(); ++rank)
    first = quotas[rank] > quotas[first] ? rank : first;
  std::size_t second = first;
  for (std::size_t rank = 0; rank < quotas.size(); ++rank) {
    if (rank != first && quotas[rank] > (second == first ? 0 : quotas[second])) second = rank;
  }
  largest_ = index[first];
  runner_up_ = index[second];
}

std::uint32_t MaglevTable::draw(std::uint32_t slot, std::uint32_t n) const noexcept {
  return owners_[slot_of(mix(mix(seed_, slot), n), size())];
}

std::uint32_t MaglevTable::alternate(std::uint32_t slot) const noexcept {
  const std::uint16_t owner = owners_[slot];
  for (std::uint32_t n = 0; n < kAlternateDraws; ++n) {
    const std::uint32_t other = draw(slot, n);
    if (other != owner) return other;
  }
  return owner == largest_ ? runner_up_ : largest_;
}

Result<MaglevTable> build_maglev(std::span<const MaglevBackend> backends, std::uint32_t size,
                                 std::uint64_t seed) {
  const Result<std::shared_ptr<const MaglevBase>> base = MaglevBase::build(backends, size, seed);
  if (!base) return base.error();
  return MaglevTable::build(**base, backends);
}

}  // namespace penstock
