// What a host says of a service, as it stands in a reply.
#pragma once

#include <cstdint>
#include <optional>

#include "penstock/abi/probe.h"

namespace penstock {

enum class Listener : std::uint8_t {
  kUnknown = PENSTOCK_PROBE_UNKNOWN,
  kAbsent = PENSTOCK_PROBE_ABSENT,
  kPresent = PENSTOCK_PROBE_PRESENT,
};

/// `load` is in host order (penstock/abi/probe.h has the units); absent when the responder sent none.
struct ServiceReport {
  Listener listener = Listener::kUnknown;
  std::optional<probe_service_load> load{};
};

}  // namespace penstock
