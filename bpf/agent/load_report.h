// What the agent knows of load, said in the two languages of its listeners: entries of the probe maps
// (network order, only what gateways would not ignore as too old) and the messages of NodeStatus (with each
// value's age). Pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "bpf/agent/host_load.h"
#include "bpf/agent/load_settings.h"
#include "bpf/agent/telemetry/telemetry.h"
#include "penstock/abi/probe.h"
#include "penstock/proto/node.pb.h"

namespace penstock {

/// Everything about one service that is not in its socket. Any part may be missing.
struct ServiceView {
  const ServiceTelemetry* telemetry = nullptr;
  Nanoseconds telemetry_at;  // when it was sampled
  Measurement cpu;           // share of what it may use
  Measurement throttled;     // share of time that it was not allowed to run
  Measurement application_utilization;
  std::uint8_t check = PENSTOCK_PROBE_UNCHECKED;
};

/// A share in 1/10000, or PENSTOCK_PROBE_NO_VALUE. Host order.
std::uint16_t probe_share(const Measurement& share, Nanoseconds now);

probe_host_entry host_entry(const HostLoad& host, const ApplicationLoad& application, Nanoseconds now);
/// Nothing when nothing is known of the service.
std::optional<probe_service_entry> service_entry(const ServiceView& service, Nanoseconds now);

void fill(proto::NodeLoad& out, const HostLoad& host, const ApplicationLoad& application,
          const LoadSettings& settings, Nanoseconds now);
void fill(proto::ServiceTelemetry& out, const ServiceView& service, Nanoseconds now);

}  // namespace penstock
