// What nodes measure of themselves, once for documents and metrics (penstock/proto/node.proto has the units).
#pragma once

#include "penstock/proto/node.pb.h"

namespace penstock {

struct NodeMeasure {
  const char* name;  // in documents, as in the contract
  const char* metric;
  const char* help;
  bool (proto::NodeLoad::*has)() const;
  const proto::Measurement& (proto::NodeLoad::*get)() const;
};

inline constexpr NodeMeasure kNodeMeasures[] = {
    {"cpu_utilization", "penstock_node_cpu_utilization_ratio", "CPU in use, of all.",
     &proto::NodeLoad::has_cpu_utilization, &proto::NodeLoad::cpu_utilization},
    {"mem_utilization", "penstock_node_mem_utilization_ratio", "Memory in use, of all.",
     &proto::NodeLoad::has_mem_utilization, &proto::NodeLoad::mem_utilization},
    {"application_utilization", "penstock_node_application_utilization_ratio",
     "By the application's own word.", &proto::NodeLoad::has_application_utilization,
     &proto::NodeLoad::application_utilization},
    {"cpu_pressure", "penstock_node_cpu_pressure_ratio", "Time in which some task waited for a CPU (PSI).",
     &proto::NodeLoad::has_cpu_pressure, &proto::NodeLoad::cpu_pressure},
    {"memory_pressure", "penstock_node_memory_pressure_ratio",
     "Time in which some task waited for memory (PSI).", &proto::NodeLoad::has_memory_pressure,
     &proto::NodeLoad::memory_pressure},
    {"io_pressure", "penstock_node_io_pressure_ratio", "Time in which some task waited for a disk (PSI).",
     &proto::NodeLoad::has_io_pressure, &proto::NodeLoad::io_pressure},
    {"run_queue", "penstock_node_run_queue", "Runnable tasks per CPU.", &proto::NodeLoad::has_run_queue,
     &proto::NodeLoad::run_queue},
    {"disk_utilization", "penstock_node_disk_utilization_ratio", "Of the busiest disk.",
     &proto::NodeLoad::has_disk_utilization, &proto::NodeLoad::disk_utilization},
    {"disk_iops", "penstock_node_disk_iops", "Operations per second of all disks.",
     &proto::NodeLoad::has_disk_iops, &proto::NodeLoad::disk_iops},
    {"nic_rx_utilization", "penstock_node_nic_rx_utilization_ratio",
     "Of the busiest interface, against its speed.", &proto::NodeLoad::has_nic_rx_utilization,
     &proto::NodeLoad::nic_rx_utilization},
    {"nic_tx_utilization", "penstock_node_nic_tx_utilization_ratio",
     "Of the busiest interface, against its speed.", &proto::NodeLoad::has_nic_tx_utilization,
     &proto::NodeLoad::nic_tx_utilization},
    {"gpu_utilization", "penstock_node_gpu_utilization_ratio", "Of the busiest GPU.",
     &proto::NodeLoad::has_gpu_utilization, &proto::NodeLoad::gpu_utilization},
    {"gpu_mem_utilization", "penstock_node_gpu_mem_utilization_ratio", "Memory in use, of the fullest GPU.",
     &proto::NodeLoad::has_gpu_mem_utilization, &proto::NodeLoad::gpu_mem_utilization},
    {"power_watts", "penstock_node_power_watts", "Power of the packages, and of DRAM where it is told.",
     &proto::NodeLoad::has_power_watts, &proto::NodeLoad::power_watts},
    {"price_per_hour", "penstock_node_price_per_hour", "By the agent's configuration.",
     &proto::NodeLoad::has_price_per_hour, &proto::NodeLoad::price_per_hour},
    {"energy_price_per_kwh", "penstock_node_energy_price_per_kwh", "By the agent's configuration.",
     &proto::NodeLoad::has_energy_price_per_kwh, &proto::NodeLoad::energy_price_per_kwh},
    {"rps_fractional", "penstock_node_requests_per_second", "By the application's own word.",
     &proto::NodeLoad::has_rps_fractional, &proto::NodeLoad::rps_fractional},
    {"eps", "penstock_node_errors_per_second", "By the application's own word.", &proto::NodeLoad::has_eps,
     &proto::NodeLoad::eps},
};

/// Of one service, as its node measures it.
struct ServiceMeasure {
  const char* name;
  const char* metric;  // null: a quantile, which is a family of several
  const char* help;
  double unit;  // of the metric, in the contract's
  bool (proto::ServiceTelemetry::*has)() const;
  const proto::Measurement& (proto::ServiceTelemetry::*get)() const;
};

inline constexpr double kMicroseconds = 1e-6;

inline constexpr ServiceMeasure kServiceMeasures[] = {
    {"handshake_p50_us", nullptr, "", kMicroseconds, &proto::ServiceTelemetry::has_handshake_p50_us,
     &proto::ServiceTelemetry::handshake_p50_us},
    {"handshake_p99_us", nullptr, "", kMicroseconds, &proto::ServiceTelemetry::has_handshake_p99_us,
     &proto::ServiceTelemetry::handshake_p99_us},
    {"response_p50_us", nullptr, "", kMicroseconds, &proto::ServiceTelemetry::has_response_p50_us,
     &proto::ServiceTelemetry::response_p50_us},
    {"response_p99_us", nullptr, "", kMicroseconds, &proto::ServiceTelemetry::has_response_p99_us,
     &proto::ServiceTelemetry::response_p99_us},
    {"srtt_us", "penstock_service_telemetry_srtt_seconds", "Median of the smoothed round trip times.",
     kMicroseconds, &proto::ServiceTelemetry::has_srtt_us, &proto::ServiceTelemetry::srtt_us},
    {"stalled_us", "penstock_service_telemetry_stalled_seconds",
     "For how long work has been waiting without progress.", kMicroseconds,
     &proto::ServiceTelemetry::has_stalled_us, &proto::ServiceTelemetry::stalled_us},
    {"cpu", "penstock_service_telemetry_cpu_ratio", "CPU in use, of what the cgroup may use.", 1,
     &proto::ServiceTelemetry::has_cpu, &proto::ServiceTelemetry::cpu},
    {"throttled", "penstock_service_telemetry_throttled_ratio", "Time in which the cgroup was throttled.", 1,
     &proto::ServiceTelemetry::has_throttled, &proto::ServiceTelemetry::throttled},
    {"accept_queue", "penstock_service_telemetry_accept_queue", "Connections that wait to be accepted.", 1,
     &proto::ServiceTelemetry::has_accept_queue, &proto::ServiceTelemetry::accept_queue},
    {"accept_limit", "penstock_service_telemetry_accept_limit", "Connections that may wait.", 1,
     &proto::ServiceTelemetry::has_accept_limit, &proto::ServiceTelemetry::accept_limit},
};

struct ServiceCounter {
  const char* name;  // the metric is penstock_service_telemetry_NAME_total
  const char* help;
  std::uint64_t (proto::ServiceTelemetry::*get)() const;
};

inline constexpr ServiceCounter kServiceCounters[] = {
    {"new_connections", "Connections that the service took.", &proto::ServiceTelemetry::new_connections},
    {"closes", "Connections that ended.", &proto::ServiceTelemetry::closes},
    {"resets_sent", "Resets sent to clients.", &proto::ServiceTelemetry::resets_sent},
    {"resets_received", "Resets of clients.", &proto::ServiceTelemetry::resets_received},
    {"retransmits", "Segments sent again.", &proto::ServiceTelemetry::retransmits},
    {"syn_drops", "SYNs for which there was no room.", &proto::ServiceTelemetry::syn_drops},
    {"accept_drops", "Handshakes for which the accept queue had no room.",
     &proto::ServiceTelemetry::accept_drops},
    {"requests", "Requests, as far as the direction of bytes tells.", &proto::ServiceTelemetry::requests},
    {"responses", "Responses to them.", &proto::ServiceTelemetry::responses},
    {"bytes_in", "Bytes of clients.", &proto::ServiceTelemetry::bytes_in},
    {"bytes_out", "Bytes to clients.", &proto::ServiceTelemetry::bytes_out},
};

}  // namespace penstock
