// Keeps what was learned when a fleet is configured anew: everything follows ids.
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "controlplane/load/planner_state.h"

namespace penstock::load {
namespace {

std::string key_of(std::string_view a, std::string_view b, std::string_view c = {}) {
  std::string key;
  key.reserve(a.size() + b.size() + c.size() + 2);
  return key.append(a).append(1, '\0').append(b).append(1, '\0').append(c);
}

}  // namespace

void Planner::State::keep_nodes() {
  std::unordered_set<std::string_view> kept;
  for (const PlannerNode& node : fleet.nodes) kept.insert(node.id);
  std::erase_if(node_ids, [&](const auto& entry) {
    if (kept.contains(entry.first)) return false;
    model.remove_node(entry.second);
    return true;
  });
  std::unordered_map<NodeIndex, double> spans;
  for (std::size_t n = 0; n < model_node.size(); ++n) spans[model_node[n]] = span[n];
  model_node.clear();
  span.clear();
  for (const PlannerNode& node : fleet.nodes) {
    const auto [entry, added] = node_ids.try_emplace(node.id, kNone);
    if (added) entry->second = model.add_node();
    model_node.push_back(entry->second);
    span.push_back(added || !spans.contains(entry->second) ? 0 : spans[entry->second]);
  }
}

void Planner::State::keep_placements() {
  std::unordered_set<std::string> kept;
  const auto key = [this](const PlannerBackend& b) {
    return key_of(fleet.services[b.service].id, b.id, fleet.nodes[b.node].id);
  };
  for (const PlannerBackend& b : fleet.backends) {
    if (planned(b)) kept.insert(key(b));
  }
  std::erase_if(placement_ids, [&](const auto& entry) {
    if (kept.contains(entry.first)) return false;
    model.remove_placement(entry.second);
    return true;
  });
  keep_nodes();
  model_placement.clear();
  for (const PlannerBackend& b : fleet.backends) {
    if (!planned(b)) {
      model_placement.push_back(kNone);
      continue;
    }
    const ServiceIndex fresh = static_cast<ServiceIndex>(service_ids.size());
    const ServiceIndex service = service_ids.try_emplace(fleet.services[b.service].id, fresh).first->second;
    const auto [entry, added] = placement_ids.try_emplace(key(b), kNone);
    if (added) entry->second = model.add_placement(service, model_node[b.node]);
    model_placement.push_back(entry->second);
  }
}

void Planner::State::keep_laws(const PlannerFleet& old) {
  std::unordered_map<std::string_view, std::size_t> services;
  for (std::size_t s = 0; s < old.services.size(); ++s) services[old.services[s].id] = s;
  std::unordered_map<std::string, std::uint32_t> places;  // in the law
  for (const ServicePlan& service : plan.services) {
    for (std::uint32_t i = 0; i < service.backends.size(); ++i) {
      const PlannerBackend& b = old.backends[service.backends[i]];
      places[key_of(old.services[b.service].id, b.id)] = i;
    }
  }
  std::vector<WeightLaw> kept;
  std::vector<WorkloadClassifier> kept_classifiers;
  std::vector<ServicePlan> plans(fleet.services.size());
  for (std::size_t s = 0; s < fleet.services.size(); ++s) {
    const auto was = services.find(fleet.services[s].id);
    kept.push_back(was == services.end() ? WeightLaw(settings.law) : std::move(laws[was->second]));
    kept_classifiers.push_back(was == services.end() ? WorkloadClassifier(settings.workload)
                                                     : classifiers[was->second]);
    kept_classifiers.back().configure(fleet.services[s].workload);
    if (was != services.end()) plans[s].demand = plan.services[was->second].demand;
  }
  for (PlacementIndex p = 0; p < fleet.backends.size(); ++p) {
    if (planned(fleet.backends[p])) plans[fleet.backends[p].service].backends.push_back(p);
  }
  for (std::size_t s = 0; s < plans.size(); ++s) {
    std::vector<std::uint32_t> from;
    for (const PlacementIndex p : plans[s].backends) {
      const auto place = places.find(key_of(fleet.services[s].id, fleet.backends[p].id));
      from.push_back(place == places.end() ? kNone : place->second);
    }
    kept[s].arrange(from);
    kept[s].set_pace(fleet.services[s].deadband, fleet.services[s].slew);
  }
  laws = std::move(kept);
  classifiers = std::move(kept_classifiers);
  plan.services = std::move(plans);
}

}  // namespace penstock::load
