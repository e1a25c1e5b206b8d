#include "dataplane/control/fleet_health.h"

#include <string_view>
#include <unordered_map>

#include "penstock/proto/dataplane.pb.h"

namespace penstock {
namespace {

/// Services are sorted in no way; most verdicts on the backends of one follow each other.
class Names {
 public:
  explicit Names(const Snapshot& snapshot) {
    for (const auto& service : snapshot.services()) services_.emplace(service->document.id, service.get());
  }

  [[nodiscard]] BackendIndex find(const std::string& service, const std::string& backend) {
    if (service_ == nullptr || service_->document.id != service) open(service);
    const auto found = backends_.find(backend);
    return found != backends_.end() ? found->second : kNoBackend;
  }

 private:
  void open(const std::string& id) {
    backends_.clear();
    const auto found = services_.find(id);
    service_ = found != services_.end() ? found->second : nullptr;
    if (service_ == nullptr) return;
    for (std::size_t i = 0; i < service_->backends.size(); ++i)
      backends_.emplace(service_->document.backends[i].id, service_->backends[i]);
  }

  std::unordered_map<std::string_view, const CompiledService*> services_;
  const CompiledService* service_ = nullptr;  // whose backends these are
  std::unordered_map<std::string_view, BackendIndex> backends_;
};

}  // namespace

FleetVerdicts read_fleet_health(const Snapshot& snapshot, const proto::FleetHealth& health) {
  FleetVerdicts out;
  Names names(snapshot);
  std::unordered_map<BackendIndex, std::size_t> places;
  for (const auto& verdict : health.verdicts()) {
    const BackendIndex backend = names.find(verdict.service(), verdict.backend());
    if (backend == kNoBackend) {
      ++out.unknown;
      continue;
    }
    const auto [place, is_new] = places.emplace(backend, out.verdicts.size());
    if (is_new) {
      out.verdicts.push_back({backend, verdict.alive()});
    } else {
      out.verdicts[place->second].alive = verdict.alive();
    }
  }
  return out;
}

}  // namespace penstock
