#include "perf/pktgen/rate_search.h"

#include <algorithm>

namespace penstock::perf {
namespace {

constexpr unsigned kConfirmations = 12;
constexpr double kStepDown = 0.9;
// Overload costs a receiver more than it gains: the throughput may lie above what arrives flat out.
constexpr double kAboveFlatOut = 1.2;
// A generator that stays this far behind its own schedule has met its limit, or its host's.
constexpr double kKeptPace = 0.97;

/// Runs trials and adds up what is counted over all of them.
class Trials {
 public:
  Trials(const RunTrial& run, SearchResult& result) : run_(run), result_(result) {}

  Trial once(double pps, double seconds) {
    Trial trial = run_(pps, seconds);
    ++result_.trials;
    result_.misordered += trial.misordered;
    result_.moved += trial.moved;
    result_.foreign += trial.foreign;
    return trial;
  }

  Trial best_of_two(double pps, double seconds) {
    Trial trial = once(pps, seconds);
    return trial.lost() == 0 ? trial : once(pps, seconds);
  }

 private:
  const RunTrial& run_;
  SearchResult& result_;
};

double halve(Trials& trials, const SearchPlan& plan, double bound) {
  double good = 0;
  double bad = bound;
  for (unsigned i = 0; i < plan.halvings; ++i) {
    const double middle = (good + bad) / 2;
    const Trial trial = trials.best_of_two(middle, plan.trial_seconds);
    (trial.lost() != 0 ? bad : good) = middle;
  }
  return good > 0 ? good : bad;
}

}  // namespace

SearchResult find_throughput(const SearchPlan& plan, const RunTrial& run) {
  SearchResult result;
  Trials trials(run, result);
  result.flat_out = trials.once(0, plan.trial_seconds);
  double rate = result.flat_out.offered_pps();
  if (result.flat_out.lost() != 0) {
    const double bound = std::min(rate, kAboveFlatOut * result.flat_out.received_pps());
    rate = halve(trials, plan, bound);
  }
  for (unsigned i = 0; i < kConfirmations; ++i) {
    result.confirmed = trials.best_of_two(rate, plan.confirm_seconds);
    if (result.confirmed.lost() == 0) break;
    rate *= kStepDown;
  }
  result.generator_limited =
      result.flat_out.lost() == 0 || result.confirmed.offered_pps() < kKeptPace * result.confirmed.wanted_pps;
  return result;
}

}  // namespace penstock::perf
