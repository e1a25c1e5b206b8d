#include "controlplane/load/law.h"

#include <cmath>

namespace penstock::load {

double no_overshoot_gain(double delay_periods) {
  if (!(delay_periods > 0)) return 1;
  // d^d / (d+1)^(d+1) in logarithms: at d = 200 both powers are beyond a double.
  return std::exp(delay_periods * std::log(delay_periods) - (delay_periods + 1) * std::log(delay_periods + 1));
}

}  // namespace penstock::load
