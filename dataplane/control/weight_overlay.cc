#include "dataplane/control/weight_overlay.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "penstock/config/limits.h"
#include "penstock/proto/dataplane.pb.h"

namespace penstock {
namespace {

/// `hint`: where it most likely is, for whoever tells weights goes through the backends in their order.
BackendDocument* find_backend(ServiceDocument& service, const std::string& id, std::size_t hint) {
  if (hint < service.backends.size() && service.backends[hint].id == id) return &service.backends[hint];
  const auto at = std::find_if(service.backends.begin(), service.backends.end(),
                               [&](const BackendDocument& backend) { return backend.id == id; });
  return at == service.backends.end() ? nullptr : &*at;
}

void set_weights(const proto::ServiceWeights& weights, const std::string& path, ServiceDocument& service,
                 std::vector<Error>& problems) {
  for (int i = 0; i < weights.backends_size(); ++i) {
    const auto& wanted = weights.backends(i);
    const std::string field = path + ".backends[" + std::to_string(i) + "]";
    BackendDocument* backend = find_backend(service, wanted.backend(), static_cast<std::size_t>(i));
    if (backend == nullptr) {
      problems.push_back(
          invalid(field + ".backend", "'" + wanted.backend() + "' is no backend of '" + service.id + "'"));
    } else if (wanted.weight() > kMaxWeight) {
      problems.push_back(invalid(field + ".weight", "must be 0-" + std::to_string(kMaxWeight) + ", not " +
                                                        std::to_string(wanted.weight())));
    } else {
      backend->weight = wanted.weight();
    }
  }
}

std::vector<std::uint32_t> weights_of(const ServiceDocument& service) {
  std::vector<std::uint32_t> weights;
  weights.reserve(service.backends.size());
  for (const BackendDocument& backend : service.backends) weights.push_back(backend.weight);
  return weights;
}

/// Sets what weights_of() has read.
void restore(const std::vector<std::uint32_t>& weights, bool follow_load, ServiceDocument& service) {
  for (std::size_t i = 0; i < weights.size(); ++i) service.backends[i].weight = weights[i];
  service.weights_follow_load = follow_load;
}

bool same_backends(const ServiceDocument& a, const ServiceDocument& b) {
  return std::equal(a.backends.begin(), a.backends.end(), b.backends.begin(), b.backends.end(),
                    [](const BackendDocument& x, const BackendDocument& y) { return x.id == y.id; });
}

}  // namespace

bool WeightOverlay::is_last(const proto::UpdateWeightsRequest& update) const {
  return update.base_generation() == base_ && update.version() == version_;
}

bool WeightOverlay::is_older(const proto::UpdateWeightsRequest& update) const {
  return update.base_generation() == base_ && update.version() < version_;
}

void WeightOverlay::lift(Document& document, ServiceIds& touched) const {
  for (ServiceDocument& service : document.services) {
    const auto weights = configured_.find(service.id);
    if (weights == configured_.end()) continue;
    restore(weights->second, false, service);
    touched.insert(service.id);
  }
}

Document WeightOverlay::lifted(Document document) const {
  ServiceIds touched;
  lift(document, touched);
  return document;
}

std::vector<Error> WeightOverlay::lay(const proto::UpdateWeightsRequest& update, Document& document,
                                      ServiceIds& touched) {
  lift(document, touched);
  configured_.clear();
  base_ = update.base_generation();
  version_ = update.version();
  std::unordered_map<std::string, ServiceDocument*> by_id;
  for (ServiceDocument& service : document.services) by_id.emplace(service.id, &service);
  std::vector<Error> problems;
  for (int i = 0; i < update.services_size(); ++i) {
    const auto& weights = update.services(i);
    const std::string path = "services[" + std::to_string(i) + "]";
    const auto service = by_id.find(weights.service());
    if (service == by_id.end()) {
      problems.push_back(invalid(path + ".service", "there is no service '" + weights.service() + "'"));
    } else if (!configured_.emplace(weights.service(), weights_of(*service->second)).second) {
      problems.push_back(invalid(path + ".service", "'" + weights.service() + "' is here twice"));
    } else {
      touched.insert(weights.service());
      service->second->weights_follow_load = true;
      set_weights(weights, path, *service->second, problems);
    }
  }
  return problems;
}

void WeightOverlay::carry_over(const Document& before, Document& next) {
  if (before.epoch != next.epoch) {
    *this = {};
    return;
  }
  std::unordered_map<std::string, const ServiceDocument*> by_id;
  for (const ServiceDocument& service : before.services) {
    if (configured_.contains(service.id)) by_id.emplace(service.id, &service);
  }
  decltype(configured_) kept;
  for (ServiceDocument& service : next.services) {
    const auto old = by_id.find(service.id);
    if (old == by_id.end() || !same_backends(*old->second, service)) continue;
    auto configured = configured_.extract(service.id);
    if (configured.mapped() != weights_of(service)) continue;
    restore(weights_of(*old->second), true, service);
    kept.insert(std::move(configured));
  }
  configured_ = std::move(kept);
}

}  // namespace penstock
