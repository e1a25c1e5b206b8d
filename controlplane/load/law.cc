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

}  // namespace penstock::load
