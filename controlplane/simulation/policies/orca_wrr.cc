#include "controlplane/simulation/policies/orca_wrr.h"

#include "controlplane/simulation/policies/scaled_weights.h"

namespace penstock::simulation {

double OrcaWrr::weight(double qps, double utilization, double errors_per_second, double penalty) {
  if (!(qps > 0) || !(utilization > 0)) return 0;
  return qps / (utilization + errors_per_second / qps * penalty);
}

void OrcaWrr::start(const View& view) {
  view_ = &view;
  known_.assign(view.placements().size(), {});
}

// A response of the simulation never is an error: flows are lost with their node, which then says nothing.
void OrcaWrr::on_report(const load::NodeReport& report, double now) {
  const double application = report.utilization[static_cast<std::size_t>(Dimension::kApplication)];
  const double cpu = report.utilization[static_cast<std::size_t>(Dimension::kCpu)];
  for (const load::PlacementReport& said : report.placements) {
    const double fresh =
        weight(said.traffic.new_flows, application > 0 ? application : cpu, 0, settings_.error_penalty);
    if (fresh <= 0) continue;
    Known& known = known_[said.placement];
    if (known.since < 0 || now - known.last > settings_.expiry) known.since = now;
    known.last = now;
    known.weight = fresh;
  }
}

void OrcaWrr::step(double now, Actions& actions) {
  for (ServiceIndex s = 0; s < view_->scenario().services.size(); ++s) {
    std::vector<double> weights(view_->count(s));
    double sum = 0, n = 0;
    for (std::uint32_t i = 0; i < weights.size(); ++i) {
      const Known& known = known_[view_->first(s) + i];
      if (known.since < 0 || now - known.since < settings_.blackout || now - known.last > settings_.expiry)
        continue;
      sum += weights[i] = known.weight;
      n += 1;
    }
    if (n < 2) continue;  // the gRFC falls back to round robin
    for (double& w : weights)
      if (w <= 0) w = sum / n;
    actions.set_weights(s, scaled_weights(weights));
  }
}

}  // namespace penstock::simulation
