#include "controlplane/load/law.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace penstock::load {
namespace {

// Utilisation that is no news: between an idle node and one at 0.5 % nothing is to be balanced, and its
// logarithm would say a factor. Lowers the loop gain by 2 % at half load.
constexpr double kIdle = 0.01;
// How far a measurement is taken forward to the weights of now, either way.
constexpr double kMostForward = 4;
// Most of e at once: a node that reads 0 or 100 times its share is no measure of how far it is off.
constexpr double kMostDeviation = 1;
// Placements that are held or return cannot take everything from those that follow: this part of their
// configured share stays theirs.
constexpr double kFollowersFloor = 0.1;

bool known(double x) { return std::isfinite(x); }

}  // namespace

double no_overshoot_gain(double delay_periods) {
  if (!(delay_periods > 0)) return 1;
  // d^d / (d+1)^(d+1) in logarithms: at d = 200 both powers are beyond a double.
  return std::exp(delay_periods * std::log(delay_periods) -
                  (delay_periods + 1) * std::log(delay_periods + 1));
}

const char* name_of(WeightState state) {
  static constexpr std::array<const char*, 7> kNames = {"static",     "following", "holding", "decaying",
                                                        "overridden", "parked",    "unusable"};
  return kNames[static_cast<std::size_t>(state)];
}

void WeightLaw::arrange(std::span<const std::uint32_t> from) {
  std::vector<Track> tracks(from.size());
  std::vector<std::uint32_t> weights(from.size());
  std::vector<WeightState> states(from.size(), WeightState::kHolding);
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] >= tracks_.size()) continue;
    tracks[i] = tracks_[from[i]];
    weights[i] = weights_[from[i]];
    states[i] = states_[from[i]];
  }
  tracks_ = std::move(tracks);
  weights_ = std::move(weights);
  states_ = std::move(states);
  moved_.assign(from.size(), 0);
  trimmed_.assign(from.size(), 0);
}

std::span<const std::uint32_t> WeightLaw::step(double now, std::span<const LawInput> in, double residence,
                                               double apply_time) {
  if (in.size() != tracks_.size()) {
    std::vector<std::uint32_t> from(in.size());
    for (std::uint32_t i = 0; i < from.size(); ++i) from[i] = i;
    arrange(from);
  }
  double elapsed = known(last_) ? now - last_ : settings_.period;
  if (!(elapsed > 0)) elapsed = 0;  // NaN too
  if (elapsed > 0) last_ = now;
  double oldest = kAbsent;
  for (const LawInput& p : in) {
    if (p.usable && p.age <= settings_.stale_after && !(p.age <= oldest)) oldest = p.age;
  }
  delay_.update(oldest, residence >= 0 ? residence : 0, apply_time);
  gain_ = settings_.gain_share * no_overshoot_gain(delay_.seconds() / std::max(settings_.period, elapsed));

  const double fraction = std::min(elapsed / settings_.period, 1.0);
  const double most = settings_.slew * std::min(elapsed, 1.0);
  std::fill(moved_.begin(), moved_.end(), 0.0);
  std::fill(trimmed_.begin(), trimmed_.end(), 0.0);
  classify(in);
  follow_targets(in, now, fraction, most);
  correct(in, now, fraction, most);
  normalise(in, most);
  round(in);
  return weights_;
}

void WeightLaw::classify(std::span<const LawInput> in) {
  double sum = 0;
  double begin = 0;  // of all, or no number
  std::size_t count = 0;
  for (const LawInput& p : in) {
    if (!p.usable || p.override_weight) continue;
    ++count;
    sum += p.configured > 0 ? p.configured : 0;
    begin += p.begin;
  }
  configured_.assign(in.size(), 0);
  for (std::size_t i = 0; i < in.size(); ++i) {
    const LawInput& p = in[i];
    Track& t = tracks_[i];
    if (p.usable && !p.override_weight) {
      configured_[i] = sum > 0 ? std::max(p.configured, 0.0) / sum : 1.0 / static_cast<double>(count);
    }
    if (p.override_weight) {
      states_[i] = WeightState::kOverridden;
    } else if (!p.usable) {
      states_[i] = WeightState::kUnusable;
    } else if (p.target == 0) {
      states_[i] = WeightState::kParked;
    } else if (!(p.age <= settings_.decay_after)) {
      states_[i] = WeightState::kDecaying;
    } else if (p.age > settings_.stale_after || !known(p.target) || p.target < 0) {
      states_[i] = WeightState::kHolding;
    } else {
      states_[i] = WeightState::kFollowing;
    }
    const WeightState state = states_[i];
    // Before anything was said of it a placement has what is configured. One that comes back without
    // telemetry takes a trickle of that: it would have nothing to hold.
    if (t.fresh && state != WeightState::kParked && state != WeightState::kUnusable) {
      const double first = begin > 0 && p.begin > 0 ? p.begin / begin : configured_[i];
      t = {.forward = first, .trim = 0, .share = first, .left = 0, .fresh = false, .decaying = false};
    } else if (state == WeightState::kHolding && t.share <= 0) {
      t.share = t.forward = settings_.wake_share * configured_[i];
      t.trim = 0;
    }
    t.fresh = t.fresh && state != WeightState::kParked && state != WeightState::kUnusable;
  }
}

void WeightLaw::follow_targets(std::span<const LawInput> in, double now, double fraction, double most) {
  double targets = 0;
  double forwards = 0;
  double awake = 0;  // of targets
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (states_[i] != WeightState::kFollowing) continue;
    targets += in[i].target;
    if (tracks_[i].share <= 0) continue;
    forwards += tracks_[i].forward;
    awake += in[i].target;
  }
  const double scale = awake > 0 ? forwards / awake : 1;
  for (std::size_t i = 0; i < in.size(); ++i) {
    Track& t = tracks_[i];
    if (states_[i] != WeightState::kFollowing) continue;
    // From next to nothing the slew limit would take as long as from nothing at all.
    const double begin = settings_.wake_share * in[i].target * scale;
    if (t.share > 0 && t.forward >= begin) continue;
    if (t.share > 0) forwards -= t.forward;
    t.forward = t.share = begin;
    t.trim = 0;
    forwards += t.forward;
  }
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (states_[i] != WeightState::kFollowing) continue;
    Track& t = tracks_[i];
    const double ahead = std::log(in[i].target / targets) - std::log(t.forward / forwards);
    const double size = std::abs(ahead);
    if (size <= settings_.deadband) continue;
    const double trust = in[i].confidence > 0 ? std::min(in[i].confidence, 1.0) : 0;
    const double rate = (gain_ + (1 - gain_) * trust) * size / (size + settings_.quiet);
    const double step = std::clamp(rate * ahead * fraction, -most, most);
    t.forward *= std::exp(step);
    moved_[i] = step;
    if (size <= settings_.quiet) continue;
    rest_until_ = now + delay_.seconds() + settings_.period;
    if (t.trim * step > 0) {  // hand-over: the model has learnt what feedback had found
      const double taken = std::copysign(std::min(std::abs(t.trim), std::abs(step)), step);
      t.trim -= taken;
      moved_[i] -= taken;
    }
  }
}

void WeightLaw::correct(std::span<const LawInput> in, double now, double fraction, double most) {
  deviation_.assign(in.size(), kAbsent);
  bool expected = true;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (states_[i] == WeightState::kFollowing && known(in[i].utilization))
      expected = expected && in[i].expected > 0;
  }
  double sum = 0, free_sum = 0;
  std::size_t count = 0, free_count = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const LawInput& p = in[i];
    if (states_[i] != WeightState::kFollowing || !known(p.utilization) || p.utilization < 0) continue;
    double utilization = p.utilization;
    if (p.measured_share > 0) {
      const double ratio = tracks_[i].share * std::exp(moved_[i]) / p.measured_share;
      const double elastic = p.elasticity >= 0 ? std::min(p.elasticity, 1.0) : 1;
      utilization *= 1 + elastic * (std::clamp(ratio, 1 / kMostForward, kMostForward) - 1);
    } else if (now < rest_until_) {
      continue;
    }
    deviation_[i] = std::log(utilization + kIdle) - (expected ? std::log(p.expected + kIdle) : 0);
    sum += deviation_[i];
    ++count;
    if (tracks_[i].pinned != 0) continue;
    free_sum += deviation_[i];
    ++free_count;
  }
  if (count < 2) return;
  const double mean =
      free_count > 0 ? free_sum / static_cast<double>(free_count) : sum / static_cast<double>(count);
  const double most_trim = std::log(settings_.most_trim);
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!known(deviation_[i])) continue;
    Track& t = tracks_[i];
    const double e = std::clamp(deviation_[i] - mean, -kMostDeviation, kMostDeviation);
    if (std::abs(e) <= settings_.deadband || -e * t.pinned > 0) continue;
    const double trust = in[i].confidence > 0 ? std::min(in[i].confidence, 1.0) : 0;
    const double gain = gain_ * (1 - (1 - settings_.trusted_gain) * trust) * fraction;
    const double wish =
        std::clamp(-gain * e, std::min(-most - moved_[i], 0.0), std::max(most - moved_[i], 0.0));
    trimmed_[i] = std::clamp(t.trim + wish, -most_trim, most_trim) - t.trim;
    t.pinned = trimmed_[i] == wish ? 0 : wish > 0 ? 1 : -1;
    t.trim += trimmed_[i];
  }
}

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
