#include "dataplane/config/snapshot.h"

#include <algorithm>
#include <array>

namespace penstock {

Snapshot::Snapshot()
    : classifier_(std::make_shared<const VipClassifier>(std::span<const VipClassifier::Entry>{})),
      secret_(std::array<std::uint8_t, kHashKeyBytes>{}),
      records_(std::make_shared<const BackendRecords>()) {}

Snapshot::BackendPlace Snapshot::find_backend(BackendIndex index) const {
  if (!holds(index) || !backend(index).has(BackendRecord::kLive)) return {nullptr, 0};
  const ServiceIndex owner = backend(index).service;
  for (const auto& service : compiled_) {
    if (service->index != owner) continue;
    const auto found = std::ranges::find(service->backends, index);
    if (found == service->backends.end()) break;
    return {service.get(), static_cast<std::size_t>(found - service->backends.begin())};
  }
  return {nullptr, 0};
}

}  // namespace penstock
