// The law's last stage: from what targets and feedback want to shares that keep to their limits, and to
// integers.
#include <algorithm>
#include <cmath>

#include "controlplane/load/law.h"

namespace penstock::load {
namespace {

// Placements that are held or return cannot take everything from those that follow: this part of their
// configured share stays theirs.
constexpr double kFollowersFloor = 0.1;

}  // namespace

void WeightLaw::leave(std::span<const LawInput> in, double most) {
  double largest = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (states_[i] != WeightState::kOverridden) largest = std::max(largest, tracks_[i].share);
  }
  for (std::size_t i = 0; i < in.size(); ++i) {
    Track& t = tracks_[i];
    const bool decaying = states_[i] == WeightState::kDecaying;
    if (decaying && !t.decaying) t.left = t.share;
    t.decaying = decaying;
    if (states_[i] == WeightState::kUnusable) {
      t.share = 0;
    } else if (states_[i] == WeightState::kParked) {
      t.share *= std::exp(-most);
      if (t.share < 0.5 * largest / settings_.weight_scale) t.share = 0;
    } else if (decaying) {
      const double way =
          settings_.decay_time > 0 ? (in[i].age - settings_.decay_after) / settings_.decay_time : 1;
      t.share = t.left + (configured_[i] - t.left) * (way < 1 ? way : 1);
    } else if (states_[i] == WeightState::kOverridden) {
      t.share = largest * *in[i].override_weight / settings_.weight_scale;
    }
    if (states_[i] != WeightState::kFollowing && states_[i] != WeightState::kHolding) {
      t.forward = t.share;
      t.trim = 0;
    }
  }
}

double WeightLaw::scale_of_free(std::span<const LawInput> in, double room) const {
  const auto free = [&](std::size_t i) { return states_[i] == WeightState::kFollowing; };
  const auto want = [&](std::size_t i) { return tracks_[i].forward * std::exp(tracks_[i].trim); };
  double total = 0;
  double most = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!free(i)) continue;
    total += want(i);
    most = std::max(most, std::min(in[i].upper, 1.0) / want(i));
  }
  if (!(total > 0)) return 1;
  const auto taken = [&](double scale) {
    double sum = 0;
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (free(i)) sum += limited(in[i], want(i) * scale);
    }
    return sum;
  };
  const double plain = room / total;
  if (std::abs(taken(plain) - room) < 1e-12) return plain;
  double low = 0;
  double high = most;
  for (int i = 0; i < 60 && high - low > 1e-13 * high; ++i) {  // the sum rises with the scale
    const double middle = (low + high) / 2;
    (taken(middle) < room ? low : high) = middle;
  }
  return high;
}

void WeightLaw::normalise(std::span<const LawInput> in, double most) {
  leave(in, most);
  double room = 1;
  double floor = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (states_[i] == WeightState::kFollowing) {
      floor += kFollowersFloor * configured_[i];
    } else if (states_[i] != WeightState::kOverridden) {
      room -= tracks_[i].share;
    }
  }
  const double scale = scale_of_free(in, std::max(room, floor));
  double total = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    Track& t = tracks_[i];
    if (states_[i] == WeightState::kFollowing) {
      const double wanted = t.forward * std::exp(t.trim) * scale;
      t.share = limited(in[i], wanted);
      t.forward *= scale;
      limit_feedback(t, in[i], wanted, trimmed_[i]);
    }
    if (states_[i] != WeightState::kOverridden) total += t.share;
  }
  if (!(total > 0)) return;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (states_[i] == WeightState::kOverridden) continue;
    tracks_[i].share /= total;
    tracks_[i].forward /= total;
  }
}

void WeightLaw::limit_feedback(Track& track, const LawInput& p, double wanted, double trimmed) const {
  constexpr double kNear = 0.02;  // of a limit: what was just taken back does not try again at once
  if ((wanted - track.share) * trimmed > 0) {
    track.trim -= trimmed;
    track.pinned = trimmed > 0 ? 1 : -1;
  }
  const bool at_share = track.pinned > 0 ? wanted >= p.upper * (1 - kNear) : wanted <= p.lower * (1 + kNear);
  const bool at_trim = std::abs(track.trim) >= std::log(settings_.most_trim) * (1 - kNear);
  if (!at_share && !at_trim) track.pinned = 0;
}

double WeightLaw::limited(const LawInput& p, double share) {
  const double upper = p.upper >= 0 ? std::min(p.upper, 1.0) : 1;
  const double lower = p.lower >= 0 ? std::min(p.lower, upper) : 0;
  return std::clamp(share, lower, upper);
}

void WeightLaw::round(std::span<const LawInput> in) {
  constexpr double kRounding = 0.75;  // half a step, and half of that more before it turns back
  double largest = 0;
  std::size_t first = in.size();
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i].override_weight || tracks_[i].share <= largest) continue;
    largest = tracks_[i].share;
    first = i;
  }
  bool full = false;
  for (std::size_t i = 0; i < in.size(); ++i) {
    std::uint32_t& weight = weights_[i];
    if (in[i].override_weight) {
      weight = *in[i].override_weight;
      continue;
    }
    if (tracks_[i].share <= 0) {
      weight = 0;
      continue;
    }
    const double exact = tracks_[i].share / largest * settings_.weight_scale;
    const double wrong = std::abs(exact - weight);
    if (weight == 0 || weight > settings_.weight_scale ||
        wrong > std::max(kRounding, settings_.deadband * exact)) {
      weight = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(std::lround(exact)));
    }
    full = full || weight == settings_.weight_scale;
  }
  if (!full && first < in.size()) weights_[first] = settings_.weight_scale;
}

}  // namespace penstock::load
