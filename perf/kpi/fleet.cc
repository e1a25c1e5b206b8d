#include "perf/kpi/fleet.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace penstock::kpi {
namespace {

using simulation::Random;
using simulation::Scenario;

constexpr std::size_t kCpu = static_cast<std::size_t>(load::Dimension::kCpu);
constexpr double kSizes[] = {4, 8, 16};

/// How fast one core of the machine is, relative to what its type promises.
double core_speed(std::uint32_t node, Random& random, const Inputs* inputs) {
  if (!inputs) return 0.6 + 0.5 * random.uniform();
  const MachineType& type = inputs->machine_types[node % inputs->machine_types.size()];
  return type.speed * type.machines[random.below(static_cast<std::uint32_t>(type.machines.size()))];
}

Scenario base(const FleetPlan& plan, const Inputs* inputs) {
  Scenario s;
  s.seed = plan.seed;
  s.duration = plan.duration;
  s.warmup = plan.warmup;
  s.gateways = {simulation::Gateway{.zone = "", .share = 1}, simulation::Gateway{.zone = "", .share = 1}};
  Random random(plan.seed, 77);
  simulation::Service service;
  service.size = simulation::SizeDistribution::exponential(plan.mean_size);
  service.objective = {.balance = 1, .latency = 1, .money = 0, .energy = 0};
  for (std::uint32_t i = 0; i < plan.nodes; ++i) {
    const double cores = kSizes[i % std::size(kSizes)];
    simulation::Node node;
    const double speed = core_speed(i, random, inputs);
    node.capacity = {};
    node.capacity[kCpu] = cores * speed;
    node.most_cpu_per_flow = speed;
    node.telemetry_delay = plan.telemetry_delay;
    if (plan.background && i % 5 == 1) {
      node.background.push_back({.dimension = load::Dimension::kCpu, .level = {{0, 0.3}}, .noise = 0.02});
    }
    s.nodes.push_back(std::move(node));
    service.nodes.push_back(i);
    service.weights.push_back(static_cast<std::uint32_t>(cores));
  }
  s.services.push_back(std::move(service));
  return s;
}

/// An objective that a fleet can meet: a flow that takes longer than that alone misses it wherever it goes.
double objective_of(const FleetPlan& plan, std::vector<double> sizes) {
  const auto at = sizes.begin() + static_cast<std::ptrdiff_t>(0.99 * static_cast<double>(sizes.size() - 1));
  std::nth_element(sizes.begin(), at, sizes.end());
  return plan.latency_objective * *at;
}

double objective_of(const FleetPlan& plan, const simulation::SizeDistribution& sizes) {
  Random random(plan.seed, 78);
  std::vector<double> drawn(100'000);
  for (double& size : drawn) size = sizes.draw(random);
  return objective_of(plan, std::move(drawn));
}

/// Where the mean of `length` values is the largest: the middle of them.
std::size_t busiest(const std::vector<double>& series, std::size_t length) {
  length = std::min(length, series.size());
  double sum = 0, most = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < series.size(); ++i) {
    sum += series[i] - (i >= length ? series[i - length] : 0);
    if (i + 1 >= length && sum > most) most = sum, at = i + 1 - length / 2;
  }
  return at;
}

/// Six hours of the World Cup around its busiest half hour, which the fleet can just carry. A single minute
/// of the log is fifty times its neighbours: no crowd, and no fleet that is loaded otherwise could tell of
/// it.
void add_world_cup(simulation::ArrivalProcess& arrivals, const FleetPlan& plan, const Inputs& inputs) {
  constexpr std::size_t kBefore = 4 * 60, kAfter = 2 * 60, kCrowd = 30;
  constexpr double kMostLoad = 0.93;
  const auto& series = inputs.worldcup;
  const std::size_t peak = busiest(series, kCrowd);
  const std::size_t from = peak > kBefore ? peak - kBefore : 0, to = std::min(peak + kAfter, series.size());
  const double mean = arrivals.rate.front().value;
  auto curve = rate_curve(series, from, to, plan.duration, mean);
  double most = 0;
  for (const auto& point : curve) most = std::max(most, point.value);
  const double scale = std::min(1.0, kMostLoad / plan.load * mean / most);
  for (auto& point : curve) point.value *= scale;
  arrivals.rate = std::move(curve);
}

void add_flash_crowd(simulation::ArrivalProcess& arrivals, const FleetPlan& plan) {
  const double measured = plan.duration - plan.warmup, start = plan.warmup + 0.4 * measured;
  const double ramp = 0.01 * measured, length = 0.1 * plan.duration, rate = arrivals.rate.front().value;
  arrivals.rate = {{0, rate},
                   {start, rate},
                   {start + ramp, rate * plan.flash_crowd},
                   {start + ramp + length, rate * plan.flash_crowd},
                   {start + 2 * ramp + length, rate}};
}

}  // namespace

double free_cores(const Scenario& scenario) {
  double cores = 0;
  for (const auto& node : scenario.nodes) {
    double left = 1;
    for (const auto& background : node.background) left -= background.level.front().value;
    cores += left * node.capacity[kCpu];
  }
  return cores;
}

double demand_of(const Scenario& scenario) {
  const auto& service = scenario.services.front();
  constexpr int kSamples = 1000;
  double rate = service.arrivals.times.empty()
                    ? 0
                    : static_cast<double>(service.arrivals.times.size()) / scenario.duration;
  for (int i = 0; i < kSamples && service.arrivals.times.empty(); ++i) {
    const double part = (i + 0.5) / kSamples;
    const double time = scenario.warmup + part * (scenario.duration - scenario.warmup);
    rate += service.arrivals.rate_at(time) / kSamples;
  }
  return rate * service.average_size();
}

void set_ideal_weights(Scenario& scenario, double demand) {
  struct Room {
    double cores = 0, background = 0;
  };
  std::vector<Room> rooms;
  for (const auto& node : scenario.nodes) {
    Room room{.cores = node.capacity[kCpu]};
    for (const auto& background : node.background) room.background += background.level.front().value;
    rooms.push_back(room);
  }
  const auto taken = [&](double level) {
    double sum = 0;
    for (const Room& room : rooms) sum += std::max(level - room.background, 0.0) * room.cores;
    return sum;
  };
  double low = 0, high = 2;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (taken(middle) < demand ? low : high) = middle;
  }
  double most = 0;
  for (const Room& room : rooms) most = std::max(most, (high - room.background) * room.cores);
  auto& weights = scenario.services.front().weights;
  for (std::size_t i = 0; i < rooms.size(); ++i) {
    const double cores = std::max(high - rooms[i].background, 0.0) * rooms[i].cores;
    weights[i] = static_cast<std::uint32_t>(std::lround(1000 * cores / most));
  }
}

Scenario fleet(const FleetPlan& plan, const Inputs* inputs) {
  Scenario s = base(plan, inputs);
  s.name = inputs ? "fleet-real" : "fleet-synthetic";
  auto& service = s.services.front();
  if (inputs) service.size = simulation::SizeDistribution::empirical(inputs->rpc, plan.mean_size);
  service.latency_objective = objective_of(plan, service.size);
  service.arrivals = simulation::ArrivalProcess::poisson(plan.load * free_cores(s) / plan.mean_size);
  if (plan.flash_crowd > 1 && inputs) add_world_cup(service.arrivals, plan, *inputs);
  if (plan.flash_crowd > 1 && !inputs) add_flash_crowd(service.arrivals, plan);
  return s;
}

Scenario day_and_night(const FleetPlan& plan, const Inputs* inputs) {
  FleetPlan quiet = plan;
  quiet.background = false;
  Scenario s = base(quiet, inputs);
  s.name = inputs ? "days-mongodb" : "days-synthetic";
  for (std::uint32_t i = 0; i < plan.nodes; ++i) {
    auto& node = s.nodes[i];
    const double cores = kSizes[i % std::size(kSizes)];
    const double price[] = {0.03, 0.05, 0.08}, idle[] = {6, 9, 14}, busy[] = {9, 11, 12};  // a core
    const std::uint32_t kind = (i / 3) % 3;
    node.price_per_hour = cores * price[kind];
    node.idle_watts = cores * idle[(kind + 1) % 3];
    node.busy_watts = cores * busy[(kind + 1) % 3];
    node.power_exponent = 0.9;
    node.parked_watts = cores * 0.5;
    node.wake_time = 0.5;
  }
  const double noon = plan.load * free_cores(s) / plan.mean_size;
  s.services.front().latency_objective = objective_of(plan, s.services.front().size);
  auto& arrivals = s.services.front().arrivals;
  if (inputs) {
    constexpr std::size_t kTwoDays = 2 * 24 * 60;
    arrivals.rate =
        rate_curve(inputs->mongodb, 0, std::min(kTwoDays, inputs->mongodb.size()), plan.duration, 1);
    double most = 0;
    for (const auto& point : arrivals.rate) most = std::max(most, point.value);
    for (auto& point : arrivals.rate) point.value *= noon / most;
    return s;
  }
  constexpr int kPoints = 100;
  for (int i = 0; i <= kPoints; ++i) {
    const double part = static_cast<double>(i) / kPoints;
    const double day = 0.5 - 0.5 * std::cos(4 * std::numbers::pi * part);  // two days
    arrivals.rate.push_back({part * plan.duration, noon * (0.25 + 0.75 * day)});
  }
  return s;
}

Scenario inference(const FleetPlan& plan, const Inputs& inputs) {
  Scenario s = base(plan, &inputs);
  s.name = "inference";
  auto& service = s.services.front();
  const double length = inputs.llm.back().time;
  constexpr std::size_t kParts = 20;
  double work = 0, most = 0;
  std::vector<double> parts(kParts);
  for (const auto& request : inputs.llm) {
    work += request.work;
    double& part = parts[std::min(kParts - 1, static_cast<std::size_t>(request.time / length * kParts))];
    most = std::max(most, part += request.work);
  }
  const double scale = plan.load * free_cores(s) * plan.duration / kParts / most;
  for (const auto& request : inputs.llm) {
    service.arrivals.times.push_back(request.time / length * plan.duration);
    service.arrivals.sizes.push_back(std::max(request.work, 1.0) * scale);
  }
  service.latency_objective = objective_of(plan, service.arrivals.sizes);
  return s;
}

}  // namespace penstock::kpi
