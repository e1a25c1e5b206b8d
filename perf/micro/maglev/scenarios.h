// Weight changes whose cost in moved slots is compared with the least possible.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "dataplane/hash/maglev.h"

namespace penstock::perf {

using Owners = std::vector<std::uint16_t>;
/// Makes the table of these backends; entries are indices into the list that make_fleet() returned.
using Construction = std::function<Owners(std::span<const MaglevBackend>)>;

/// Fixed identities. Unweighted: all 1,000,000. Otherwise 500,000 to 1,500,000, evenly spread.
[[nodiscard]] std::vector<MaglevBackend> make_fleet(std::size_t count, bool weighted);

struct Moves {
  double moved = 0, least = 0;  // slots
  [[nodiscard]] double ratio() const { return moved / least; }
};

/// What a change from `before` to `after` moves. least: the sum of what backends lose, in slots of the two
/// tables.
[[nodiscard]] Moves moves(const Owners& before, const Owners& after, std::size_t backends);

/// A walk: at every step each weight is multiplied by 1 + u, u uniform in ±amplitude; the walk starts at the
/// base. Summed over the steps.
[[nodiscard]] Moves random_walk(const std::vector<MaglevBackend>& fleet, const Construction& make, int steps,
                                double amplitude);
/// As random_walk, but every step draws anew around the base weights.
[[nodiscard]] Moves noise_around_base(const std::vector<MaglevBackend>& fleet, const Construction& make,
                                      int steps, double amplitude);
/// What random_walk would cost without exact quotas under maximally consistent sampling (Moulton & Jiang,
/// "Maximally Consistent Sampling and the Jaccard Index of Probability Distributions", ICDM Workshops 2018),
/// which no history-free rule beats for all pairs of weights: the floor beside the measurement. From
/// probabilities, builds no table.
[[nodiscard]] Moves random_walk_floor(const std::vector<MaglevBackend>& fleet, int steps, double amplitude);

/// Largest |slots − due| / due over the backends.
[[nodiscard]] double worst_share_error(std::span<const MaglevBackend> backends, const Owners& owners);

}  // namespace penstock::perf
