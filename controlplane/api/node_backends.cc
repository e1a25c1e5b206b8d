#include "controlplane/api/node_backends.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "controlplane/api/problem.h"
#include "controlplane/api/resource.h"
#include "controlplane/model/service_document.h"

namespace penstock {

using nlohmann::json;

HttpResponse change_backends_of_node(Desired& desired, const Streams& streams, const std::string& id,
                                     const std::function<void(Backend&)>& change_backend) {
  const auto node = streams.node(id);
  if (!node) {
    return problem(404, "no node '" + id + "' is known: none connected since this control plane began");
  }
  const auto lives_here = [&](const Backend& backend) {
    return std::find(node->addresses.begin(), node->addresses.end(), backend.address) !=
           node->addresses.end();
  };
  Change change;
  json backends = json::array();
  for (const auto& [name, service] : desired.now()->services) {
    if (std::none_of(service->backends.begin(), service->backends.end(), lives_here)) continue;
    Service changed = *service;
    for (Backend& backend : changed.backends) {
      if (!lives_here(backend)) continue;
      change_backend(backend);
      json shown = to_json(backend);
      shown["service"] = name;
      backends.push_back(std::move(shown));
    }
    if (changed != *service)
      change.put_services.push_back(std::make_shared<const Service>(std::move(changed)));
  }
  std::uint64_t generation = desired.now()->generation;
  if (!change.put_services.empty()) {
    const auto now = desired.write(change);
    if (!now) return not_stored(now.error());
    generation = (*now)->generation;
  }
  HttpResponse response =
      json_response(200, {{"node", id}, {"generation", generation}, {"backends", std::move(backends)}});
  response.headers.emplace_back("Penstock-Generation", std::to_string(generation));
  return response;
}

}  // namespace penstock
