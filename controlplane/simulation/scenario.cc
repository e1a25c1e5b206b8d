#include <algorithm>
#include <numeric>

#include "controlplane/simulation/simulator.h"

namespace penstock::simulation {
namespace {

std::string at(const char* list, std::size_t index, const char* problem) {
  return std::string(list) + "[" + std::to_string(index) + "]" + problem;
}

std::string problem_of_node(const Node& node, std::size_t i) {
  for (double capacity : node.capacity)
    if (!(capacity >= 0)) return at("nodes", i, ".capacity: must be 0 or more in each dimension");
  if (!(node.telemetry_period > 0)) return at("nodes", i, ".telemetry_period: must be above 0");
  if (!(node.probe_period > 0)) return at("nodes", i, ".probe_period: must be above 0");
  for (const Background& b : node.background)
    if (is_occupancy(b.dimension) || !(b.sample_period > 0) || !(b.noise_time > 0))
      return at("nodes", i,
                ".background: needs a rate's dimension, and sample_period and noise_time above 0");
  return {};
}

/// Whether the service's work meets a rate that the node has: without one nothing would bound its flows'
/// progress.
bool can_serve(const Node& node, const Service& service) {
  for (std::size_t k = 0; k < load::kDimensions; ++k)
    if (!is_occupancy(static_cast<Dimension>(k)) && service.work[k] > 0 && node.capacity[k] > 0) return true;
  return false;
}

std::string problem_of_service(const Scenario& scenario, std::size_t i) {
  const Service& service = scenario.services[i];
  for (double work : service.work)
    if (!(work >= 0)) return at("services", i, ".work: must be 0 or more in each dimension");
  if (!(service.size.average() > 0)) return at("services", i, ".size: must be above 0 on average");
  for (NodeIndex node : service.nodes)
    if (node >= scenario.nodes.size()) return at("services", i, ".nodes: names a node that does not exist");
  const auto all = scenario.nodes.size();
  for (std::size_t n = 0; n < (service.nodes.empty() ? all : service.nodes.size()); ++n) {
    const Node& node = scenario.nodes[service.nodes.empty() ? n : service.nodes[n]];
    const bool chosen = !service.nodes.empty() || bears(node, service.label);
    if (chosen && !can_serve(node, service))
      return at("services", i, ".work: needs a rate that each of its nodes has");
  }
  if (!service.weights.empty() && !service.nodes.empty() && service.weights.size() != service.nodes.size())
    return at("services", i, ".weights: must be one per backend");
  return {};
}

}  // namespace

double Service::average_size() const {
  if (arrivals.sizes.empty()) return size.average();
  return std::accumulate(arrivals.sizes.begin(), arrivals.sizes.end(), 0.0) /
         static_cast<double>(arrivals.sizes.size());
}

bool bears(const Node& node, const std::string& label) {
  return label.empty() || std::find(node.labels.begin(), node.labels.end(), label) != node.labels.end();
}

std::string problem_of(const Scenario& scenario) {
  if (!(scenario.duration > 0)) return "duration: must be above 0";
  if (!(scenario.measure_period > 0)) return "measure_period: must be above 0";
  if (scenario.nodes.empty()) return "nodes: must not be empty";
  if (scenario.gateways.empty()) return "gateways: must not be empty";
  for (std::size_t i = 0; i < scenario.nodes.size(); ++i)
    if (std::string problem = problem_of_node(scenario.nodes[i], i); !problem.empty()) return problem;
  for (std::size_t i = 0; i < scenario.services.size(); ++i)
    if (std::string problem = problem_of_service(scenario, i); !problem.empty()) return problem;
  for (std::size_t i = 0; i < scenario.faults.size(); ++i) {
    const Fault& fault = scenario.faults[i];
    const bool of_gateway = fault.kind == FaultKind::kGatewayDown || fault.kind == FaultKind::kGatewayUp;
    if (fault.index >= (of_gateway ? scenario.gateways.size() : scenario.nodes.size()))
      return at("faults", i, ".index: names nothing that exists");
  }
  return {};
}

}  // namespace penstock::simulation
