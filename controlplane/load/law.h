// The law that moves a service's weights towards the solver's shares: feed-forward along the model, integral
// feedback for what the model does not know.
//
// Feedback. One placement's deviation e seen d periods late and corrected by gain k each period obeys
//   e[i+1] = e[i] - k e[i-d],  characteristic z^(d+1) - z^d + k = 0,
// whose roots are real (no overshoot, no ringing) iff k <= d^d / (d+1)^(d+1).
// The law works on logarithms: ln weight is the state, ln(utilisation / expected) minus the service's mean of
// it is e. Utilisation proportional to share then makes the recurrence exact and not a linearisation, every
// placement has the same loop gain whatever its size, and a load step, which moves all of them alike, is no
// deviation at all. Background load makes utilisation less than proportional, that is, it lowers the loop
// gain: the bound still holds.
//
// Feed-forward. The solver's target comes out of a model of the plant. Moving to it does not close a loop
// through the delay (the model pairs traffic and load of the same span), and so it does not need the bound:
// it goes as far in a period as confidence in the model and the slew limit allow. 50 % of a node's capacity
// lost takes ln 2 / (slew * period) steps from when the model knows, 4 at the defaults. Moves as small as the
// noise of an estimate go part of the way only: r / (r + quiet) of a relative move r.
//
// Both together have two ways to overshoot, and each is closed:
//  - while a feed-forward step travels through the delay, measurements still show the old weights, and an
//  integral would
//    correct what is corrected already. Measurements are therefore taken forward to the weights of now by the
//    share that was carried when they were taken (a Smith predictor whose delay line is the report itself: it
//    needs no delay). Without that share, feedback rests until the step is due to be seen;
//  - what feedback has found, the model learns later, and its target would correct it again. A target's step
//  in the
//    direction that feedback went is taken out of the feedback: the weight stays (hand-over).
//
// The feedback is bounded (most_trim), so that a node that lies gets at most that factor from it; what is
// clamped (cap, minimum share, trim) does not integrate further; renormalisation keeps the ratios of those
// that are not.
//
// A telemetry that stays out holds the share, then returns it linearly to the configured one. Parked
// placements (target 0) leave in slew-limited steps and end at exactly 0; one that wakes, or had less, begins at
// wake_share of its target. Overrides and unusable placements take effect at once.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "controlplane/load/delay_estimate.h"
#include "controlplane/load/types.h"

namespace penstock::load {

/// The largest gain without overshoot at a delay of d >= 0 periods (real numbers allowed); 1 at d = 0.
[[nodiscard]] double no_overshoot_gain(double delay_periods);

struct LawSettings {
  double period = 0.1;      // seconds between steps
  double gain_share = 0.9;  // of no_overshoot_gain, 0–1
  double trusted_gain =
      0.3;                   // of that gain where the model is certain: noise of one report then moves little
  double deadband = 0.005;   // relative deviation that is left alone
  double quiet = 0.02;       // relative move of a target that is as likely noise as news
  double slew = 2;           // most change of ln(weight) in a second, feed-forward and feedback together
  double most_trim = 4;      // the factor that feedback may reach, either way; > 1
  double wake_share = 0.05;  // of its target: where a placement begins that had nothing
  double stale_after = 3;    // seconds without telemetry: hold
  double decay_after = 30;   // seconds: begin to return to the configured weight
  double decay_time = 60;    // seconds of the way back
  std::uint32_t weight_scale = 1000;  // a service's largest weight, integers 0-1000 (dataplane.proto)
};

/// What a placement's weight does at the moment, and why.
enum class WeightState : std::uint8_t {
  kStatic,      // policy static: the configured weight
  kFollowing,   // the solver's target and measurements
  kHolding,     // telemetry is stale or the target is no number: nothing moves
  kDecaying,    // telemetry is long gone: on the way to, or at, the configured weight
  kOverridden,  // an operator's word
  kParked,      // target 0: at 0, or on the way to it
  kUnusable,    // health, breaker or drain
};
[[nodiscard]] const char* name_of(WeightState state);  // "following" ...; static storage

/// One placement, as it is at a step. NaN means not known throughout.
struct LawInput {
  double target = kAbsent;          // the solver's share; 0 parks, NaN or < 0 is refused (holds)
  double confidence = 0;            // in the model behind the target, 0–1
  double utilization = kAbsent;     // measured, of the bottleneck, over its capacity
  double expected = kAbsent;        // the same by the model at the target; unknown: equal for all
  double measured_share = kAbsent;  // of the service's load, when utilisation was measured
  double elasticity = 1;            // part of utilisation that moves with this placement's share, 0–1
  double age = kAbsent;             // seconds of the telemetry; NaN: there never was any
  double configured = 1;            // weight, relative to the others'
  double begin = kAbsent;           // weight that it begins with, likewise; unknown: the configured one
  double lower = 0, upper = 1;      // limits of the share
  std::optional<std::uint32_t> override_weight;
  bool usable = true;
};

/// The weights of one service. One thread; allocates only when placements are added. No clock.
class WeightLaw {
 public:
  explicit WeightLaw(const LawSettings& settings = {}) : settings_(settings) {}

  /// From the next step on; both as in LawSettings.
  void set_pace(double deadband, double slew) {
    settings_.deadband = deadband;
    settings_.slew = slew;
  }

  /// Placements changed: entry i was at from[i] before, or is new (kNone; from beyond the old ones likewise).
  void arrange(std::span<const std::uint32_t> from);

  /// One step. placements: as many as arranged (the first call arranges). now: seconds; a step that is not
  /// later than the last one moves nothing but overrides and what is unusable. residence: mean life of a
  /// flow, seconds; NaN: unknown, 0 is assumed. Returns the integer weights: the largest that is no override
  /// is weight_scale, 0 only for what is parked or unusable; each stays as it is until it is wrong by more
  /// than the deadband and a rounding.
  std::span<const std::uint32_t> step(double now, std::span<const LawInput> placements,
                                      double residence = kAbsent, double apply_time = 0);

  [[nodiscard]] std::span<const std::uint32_t> weights() const { return weights_; }
  [[nodiscard]] std::span<const WeightState> states() const { return states_; }
  /// Continuous share of the placements that are not overridden; sums to 1 unless all are 0.
  [[nodiscard]] double share(std::uint32_t placement) const { return tracks_[placement].share; }
  [[nodiscard]] double delay_seconds() const { return delay_.seconds(); }
  [[nodiscard]] double delay_periods() const { return delay_.seconds() / settings_.period; }
  [[nodiscard]] double gain_bound() const { return no_overshoot_gain(delay_periods()); }
  /// Of the last step, before confidence lowers it: gain_share * gain_bound().
  [[nodiscard]] double gain() const { return gain_; }

 private:
  struct Track {
    double forward = 0;  // share along the targets alone; relative, > 0 while following
    double trim = 0;     // what feedback adds to ln forward
    double share = 0;    // what is published, before integers
    double left = 0;     // the share that a decay started from
    int pinned = 0;      // the way (+1, -1) that feedback would go and cannot: cap, minimum share, most_trim
    bool fresh = true;   // new: takes its configured share first
    bool decaying = false;
  };

  void classify(std::span<const LawInput> in);
  void follow_targets(std::span<const LawInput> in, double now, double fraction, double most);
  void correct(std::span<const LawInput> in, double now, double fraction, double most);
  void leave(std::span<const LawInput> in, double most);
  [[nodiscard]] double scale_of_free(std::span<const LawInput> in, double room) const;
  void normalise(std::span<const LawInput> in, double most);
  void round(std::span<const LawInput> in);
  void limit_feedback(Track& track, const LawInput& placement, double wanted, double trimmed) const;
  [[nodiscard]] static double limited(const LawInput& placement, double share);

  LawSettings settings_;
  DelayEstimate delay_;
  std::vector<Track> tracks_;
  std::vector<WeightState> states_;
  std::vector<std::uint32_t> weights_;
  std::vector<double> configured_;  // shares of what is configured and usable
  std::vector<double> moved_;       // this step's feed-forward, of ln weight
  std::vector<double> trimmed_;     // this step's feedback
  std::vector<double> deviation_;   // e, not yet centred
  double last_ = kAbsent;           // time of the last step
  double rest_until_ = -1e300;      // feedback without a measured share waits until then
  double gain_ = 0;
};

}  // namespace penstock::load
