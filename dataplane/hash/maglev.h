// Weighted Maglev tables: which backend a flow without a flow-table entry goes to.
//
// The table is a pure function of the backends (identity, configured weight, weight now), the size and the
// seed, in integer arithmetic only: every gateway computes the same one, whenever it joined and in whatever
// order it lists the backends. It is made in two parts:
//
//   MaglevBase    from identities and *configured* weights. Costly; kept while the configuration stays.
//   MaglevTable   from a base and the weights of *now*. Cheap; made anew at every weight change.
//
//   auto base  = MaglevBase::build(backends, choose_table_size(backends.size()), seed);
//   auto table = MaglevTable::build(**base, backends);             // now
//   auto next  = MaglevTable::build(**base, changed_backends);     // a second later
//   index = table->owner(slot_of(flow_hash, table->size()));       // index into `backends`
//
// Shares are exact: the slots of every backend are its quota, by largest remainder of its weight.
// Source of the base table: Eisenbud et al., "Maglev", NSDI '16, section 3.4. README.md has the rest.
//
// Everything here is immutable once built and may be read by any thread; building is single-threaded and off
// the hot path.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/hash/table_size.h"
#include "penstock/base/result.h"

namespace penstock {

/// More do not fit the table's 16-bit owners.
inline constexpr std::size_t kMaxMaglevBackends = 65'535;

struct MaglevBackend {
  std::uint64_t identity =
      0;  // a hash of what the backend is; unique within the list, the same on all gateways
  std::uint32_t base_weight = 0;  // configured; relative to the other base weights, unitless
  std::uint32_t weight = 0;       // now; relative to the other weights, unitless; 0 owns no slot
};

/// The part that depends on identities, base weights, size and seed alone.
class MaglevBase {
 public:
  /// size: prime, at least the number of backends, at most kMaxTableSize. `weight` is not read. If all base
  /// weights are 0, they count as equal.
  /// InvalidArgument, with field `table_size` or `backends` or `backends[i].identity`, for a size that is not
  /// prime or too small or too large, an empty or too long list, an identity that occurs twice.
  [[nodiscard]] static Result<std::shared_ptr<const MaglevBase>> build(
      std::span<const MaglevBackend> backends, std::uint32_t size, std::uint64_t seed);

  [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(owners_.size()); }
  /// Slot -> rank: the place of its owner's identity among all identities, in ascending order.
  [[nodiscard]] std::span<const std::uint16_t> owners() const noexcept { return owners_; }
  [[nodiscard]] std::size_t backend_count() const noexcept { return identities_.size(); }
  /// Whether this base was built from the same identities and base weights (in any order).
  [[nodiscard]] bool fits(std::span<const MaglevBackend> backends) const;
  /// Per rank, the index in `backends`. InvalidArgument with field `backends` if this base does not fit them.
  [[nodiscard]] Result<std::vector<std::uint16_t>> index_by_rank(
      std::span<const MaglevBackend> backends) const;

 private:
  friend class MaglevTable;
  MaglevBase() = default;
  void claim_by_darts(std::span<const std::uint32_t> weights);
  void claim_the_rest();

  std::uint64_t seed_ = 0;
  std::vector<std::uint64_t> identities_;    // ascending; a backend's rank is its place here
  std::vector<std::uint32_t> base_weights_;  // per rank
  std::vector<std::uint16_t> built_index_;   // per rank: the place in the list that the base was built from
  std::vector<std::uint32_t> shares_;        // per rank: its slots in the base table
  std::vector<std::uint16_t> owners_;        // per slot: rank
  std::vector<std::uint32_t> claims_;        // every rank's slots in the order of claiming, rank after rank
  std::vector<std::uint32_t>
      claims_end_;  // per rank: where its part of claims_ ends; the parts lie end to end
};

/// Slot → backend. Copies share nothing; put it into a shared_ptr to share it.
class MaglevTable {
 public:
  /// `backends`: those of the base, in any order; owner() answers with indices into this list.
  /// Costs about a copy of the table plus 100 ns for every slot that differs from the base.
  /// InvalidArgument with field `backends` if the list does not fit the base or all weights are 0.
  [[nodiscard]] static Result<MaglevTable> build(const MaglevBase& base,
                                                 std::span<const MaglevBackend> backends);

  [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(owners_.size()); }
  [[nodiscard]] std::uint32_t owner(std::uint32_t slot) const noexcept { return owners_[slot]; }
  [[nodiscard]] std::span<const std::uint16_t> owners() const noexcept { return owners_; }
  /// The slot's second backend: not its owner, drawn in proportion to the weights, kept as long as the table
  /// around it is. Equals the owner only if one backend owns every slot. Not stored: about one cache miss a
  /// call.
  [[nodiscard]] std::uint32_t alternate(std::uint32_t slot) const noexcept;
  /// The slot's n-th draw of a backend, in proportion to the weights. The first of eight that is not the
  /// owner is the alternate.
  [[nodiscard]] std::uint32_t draw(std::uint32_t slot, std::uint32_t n) const noexcept;

 private:
  void find_largest(std::span<const std::uint32_t> quotas, std::span<const std::uint16_t> index);

  std::vector<std::uint16_t> owners_;
  std::uint64_t seed_ = 0;
  std::uint16_t largest_ = 0;    // the alternates of slots whose draws all met their own owner:
  std::uint16_t runner_up_ = 0;  // one of the two largest
};

/// Both parts at once, for a caller that keeps no base.
[[nodiscard]] Result<MaglevTable> build_maglev(std::span<const MaglevBackend> backends, std::uint32_t size,
                                               std::uint64_t seed);

}  // namespace penstock
