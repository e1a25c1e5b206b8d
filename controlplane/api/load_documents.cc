#include "controlplane/api/load_documents.h"

#include <cmath>
#include <string>

#include "controlplane/api/node_measures.h"
#include "penstock/base/clock.h"

namespace penstock {
namespace {

using nlohmann::json;

std::uint64_t milliseconds_since(Nanoseconds then) {
  const Nanoseconds now = monotonic_now();
  return now > then ? (now - then).count() / 1'000'000 : 0;
}

double seconds(std::uint64_t milliseconds) { return static_cast<double>(milliseconds) / 1000; }

json to_json(const proto::Measurement& measured, std::uint64_t older_ms) {
  return {{"value", measured.value()}, {"age_ms", measured.age_ms() + older_ms}};
}

template <class Map>
void add_map(json& out, const char* name, const Map& map, std::uint64_t older_ms) {
  for (const auto& [key, measured] : map) {
    if (std::isfinite(measured.value())) out[name][key] = to_json(measured, older_ms);
  }
}

const char* state_name(proto::CheckStatus::State state) {
  switch (state) {
    case proto::CheckStatus::PASSING:
      return "passing";
    case proto::CheckStatus::FAILING:
      return "failing";
    default:
      return "unchecked";
  }
}

}  // namespace

json to_json(const proto::BackendLoad& load, Nanoseconds received) {
  json out = {{"age_ms", load.age_ms() + milliseconds_since(received)}};
  const auto put = [&](const char* name, bool has, auto value) {
    if (has && std::isfinite(static_cast<double>(value))) out[name] = value;
  };
  put("accept_queue", load.has_accept_queue(), load.accept_queue());
  put("accept_limit", load.has_accept_limit(), load.accept_limit());
  put("established", load.has_established(), load.established());
  put("stalled_us", load.has_stalled_us(), load.stalled_us());
  put("service_cpu", load.has_service_cpu(), load.service_cpu());
  put("throttled", load.has_throttled(), load.throttled());
  put("application_utilization", load.has_application_utilization(), load.application_utilization());
  put("handshake_p50_us", load.has_handshake_p50_us(), load.handshake_p50_us());
  put("handshake_p99_us", load.has_handshake_p99_us(), load.handshake_p99_us());
  put("response_p50_us", load.has_response_p50_us(), load.response_p50_us());
  put("response_p99_us", load.has_response_p99_us(), load.response_p99_us());
  put("cpu_utilization", load.has_cpu_utilization(), load.cpu_utilization());
  put("mem_utilization", load.has_mem_utilization(), load.mem_utilization());
  put("cpu_pressure", load.has_cpu_pressure(), load.cpu_pressure());
  put("memory_pressure", load.has_memory_pressure(), load.memory_pressure());
  put("io_pressure", load.has_io_pressure(), load.io_pressure());
  put("run_queue", load.has_run_queue(), load.run_queue());
  put("disk_utilization", load.has_disk_utilization(), load.disk_utilization());
  put("disk_iops", load.has_disk_iops(), load.disk_iops());
  put("nic_rx_utilization", load.has_nic_rx_utilization(), load.nic_rx_utilization());
  put("nic_tx_utilization", load.has_nic_tx_utilization(), load.nic_tx_utilization());
  put("gpu_utilization", load.has_gpu_utilization(), load.gpu_utilization());
  put("gpu_mem_utilization", load.has_gpu_mem_utilization(), load.gpu_mem_utilization());
  put("power_watts", load.has_power_watts(), load.power_watts());
  return out;
}

json to_json(const proto::NodeLoad& load, Nanoseconds received) {
  json out = json::object();
  const std::uint64_t older = milliseconds_since(received);
  for (const NodeMeasure& measure : kNodeMeasures) {
    if (!(load.*measure.has)()) continue;
    const proto::Measurement& measured = (load.*measure.get)();
    if (std::isfinite(measured.value())) out[measure.name] = to_json(measured, older);
  }
  if (!load.currency().empty()) out["currency"] = load.currency();
  add_map(out, "utilization", load.utilization(), older);
  add_map(out, "named_metrics", load.named_metrics(), older);
  add_map(out, "request_cost", load.request_cost(), older);
  return out;
}

json to_json(const proto::ServiceTelemetry& telemetry, Nanoseconds received) {
  json out = {{"established", telemetry.established()}};
  for (const ServiceCounter& counter : kServiceCounters) out[counter.name] = (telemetry.*counter.get)();
  const std::uint64_t older = milliseconds_since(received);
  for (const ServiceMeasure& measure : kServiceMeasures) {
    if (!(telemetry.*measure.has)()) continue;
    const proto::Measurement& measured = (telemetry.*measure.get)();
    if (std::isfinite(measured.value())) out[measure.name] = to_json(measured, older);
  }
  return out;
}

json to_json(const Checks& checks, Nanoseconds received) {
  json out = json::array();
  const std::uint64_t older = milliseconds_since(received);
  for (const proto::CheckStatus& check : checks) {
    out.push_back(
        {{"name", check.name()},
         {"state", state_name(check.state())},
         {"detail", check.detail()},
         {"since_seconds_ago", seconds(check.since_ms() + older)},
         {"ended_seconds_ago", check.runs() == 0 ? json() : json(seconds(check.ended_ms() + older))},
         {"duration_us", check.duration_us()},
         {"runs", check.runs()},
         {"failures", check.failures()},
         {"damped", check.damped()}});
  }
  return out;
}

}  // namespace penstock
