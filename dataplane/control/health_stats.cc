#include "dataplane/control/health_stats.h"

#include "penstock/proto/dataplane.pb.h"

namespace penstock {
namespace {

const char* text_of(BreakerCause cause) {
  switch (cause) {
    case BreakerCause::kNone:
      return "";
    case BreakerCause::kResets:
      return "resets";
    case BreakerCause::kHandshakes:
      return "handshakes";
    case BreakerCause::kLatency:
      return "latency";
    case BreakerCause::kProbeLoss:
      return "probe_loss";
  }
  return "";
}

bool has(std::uint16_t value) { return value != PENSTOCK_PROBE_NO_VALUE; }
double share(std::uint16_t value) { return value / 10'000.0; }
std::uint32_t micros(std::uint16_t time) { return static_cast<std::uint32_t>(PENSTOCK_PROBE_TIME_US(time)); }

void report_service_load(const probe_service_load& load, proto::BackendLoad& out) {
  out.set_age_ms(load.age_ms);
  out.set_established(load.established);
  if (has(load.accept_queue)) out.set_accept_queue(load.accept_queue);
  if (has(load.accept_limit)) out.set_accept_limit(load.accept_limit);
  if (has(load.stalled)) out.set_stalled_us(micros(load.stalled));
  if (has(load.cpu)) out.set_service_cpu(share(load.cpu));
  if (has(load.throttled)) out.set_throttled(share(load.throttled));
  if (has(load.application_utilization)) out.set_application_utilization(share(load.application_utilization));
  if (has(load.handshake_p50)) out.set_handshake_p50_us(micros(load.handshake_p50));
  if (has(load.handshake_p99)) out.set_handshake_p99_us(micros(load.handshake_p99));
  if (has(load.response_p50)) out.set_response_p50_us(micros(load.response_p50));
  if (has(load.response_p99)) out.set_response_p99_us(micros(load.response_p99));
}

void report_host_load(const probe_host_load& load, proto::BackendLoad& out) {
  if (has(load.application_utilization) && !out.has_application_utilization())
    out.set_application_utilization(share(load.application_utilization));
  if (has(load.cpu_utilization)) out.set_cpu_utilization(share(load.cpu_utilization));
  if (has(load.mem_utilization)) out.set_mem_utilization(share(load.mem_utilization));
  if (has(load.cpu_pressure)) out.set_cpu_pressure(share(load.cpu_pressure));
  if (has(load.memory_pressure)) out.set_memory_pressure(share(load.memory_pressure));
  if (has(load.io_pressure)) out.set_io_pressure(share(load.io_pressure));
  if (has(load.run_queue)) out.set_run_queue(load.run_queue / 100.0);
  if (has(load.disk_utilization)) {
    out.set_disk_utilization(share(load.disk_utilization));
    out.set_disk_iops(load.disk_iops);
  }
  if (has(load.nic_rx_utilization)) out.set_nic_rx_utilization(share(load.nic_rx_utilization));
  if (has(load.nic_tx_utilization)) out.set_nic_tx_utilization(share(load.nic_tx_utilization));
  if (has(load.gpu_utilization)) out.set_gpu_utilization(share(load.gpu_utilization));
  if (has(load.gpu_mem_utilization)) out.set_gpu_mem_utilization(share(load.gpu_mem_utilization));
  if (has(load.power_watts)) out.set_power_watts(load.power_watts / 10.0);
}

}  // namespace

void report_health(const BackendReport& r, proto::BackendHealth& out) {
  out.set_reason(static_cast<proto::BackendHealth::Reason>(r.reason));
  out.set_since_ms(r.in_state.count() / 1'000'000);
  out.set_breaker(static_cast<proto::BreakerState>(r.breaker));
  out.set_breaker_cause(text_of(r.cause));
  out.set_late(r.late);
  out.set_busy(r.busy);
  out.set_admitted_percent(r.admitted_percent);
  out.set_in_doubt(r.in_doubt);
  out.set_probe_loss_percent(r.probe_loss_percent);
  out.set_probe_rtt_us(r.rtt_us);
  out.set_falls(r.falls);
  out.set_trips(r.trips);
  if (r.load) report_service_load(*r.load, *out.mutable_load());
  if (r.host) {
    if (!r.load) out.mutable_load()->set_age_ms(r.host->age_ms);
    report_host_load(*r.host, *out.mutable_load());
  }
}

static_assert(static_cast<int>(HealthReason::kMaintenance) == proto::BackendHealth::MAINTENANCE &&
                  static_cast<int>(HealthReason::kHeld) == proto::BackendHealth::HELD &&
                  static_cast<int>(BreakerState::kHalfOpen) == proto::BREAKER_HALF_OPEN,
              "the same order in both");

}  // namespace penstock
