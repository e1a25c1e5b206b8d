// What the load model may be told. Reports are the unit of time: forgetting is per report, not per second.
#pragma once

namespace penstock::load {

struct ModelSettings {
  // What a report may say; beyond it, it is refused.
  double most_utilization = 4;  // bursts above a soft limit are real, 100 is a percent taken for a fraction
  double most_new_flows = 1e9;  // per second and placement
  double most_active_flows = 1e10;  // per placement
  double most_bytes = 1e13;         // per second and placement
  double most_latency = 3600;       // seconds
  double most_span = 600;           // seconds
  double future_tolerance = 1;      // seconds that a report may be ahead of the caller's clock

  double full = 0.97;  // utilisation at which more traffic makes a queue and no more load

  // Costs. Traffic is normalised by its recent size, so that deviations below are of utilisation.
  double forgetting = 0.98;     // per report of varied traffic, of what it can tell; in (0, 1)
  double excitation = 0.1;      // relative deviation of traffic that counts as fully varied
  double noise = 0.02;          // standard deviation of a reported utilisation
  double cost_deviation = 0.5;  // prior standard deviation of what a traffic unit costs at its usual size
  double background_deviation = 0.3;  // prior standard deviation of the background
  double background_drift = 0.001;    // standard deviation of the background's walk, per report
  double outlier = 3;                 // deviations at which an innovation is cut (Huber)
  unsigned change_after = 4;   // cut innovations of one sign in a row that are a change, not an outlier
  double changed_cost = 0.05;  // standard deviation that a change gives a placement's cost back
  double leverage = 4;         // times the usual traffic above which a report counts less

  // Latency curves.
  double latency_forgetting = 0.98;
  double latency_noise = 0.1;  // relative standard deviation of a reported latency
};

}  // namespace penstock::load
