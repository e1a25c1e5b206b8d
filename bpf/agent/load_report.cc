#include "bpf/agent/load_report.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <initializer_list>

#include "penstock/net/byteorder.h"
#include "penstock/net/probe_time.h"

namespace penstock {
namespace {

constexpr std::uint16_t kNone = PENSTOCK_PROBE_NO_VALUE;
constexpr double kMost16 = kNone - 1;

std::uint16_t wire(std::uint16_t value) { return be16(value).raw(); }
std::uint32_t wire(std::uint64_t counter) { return be32(static_cast<std::uint32_t>(counter)).raw(); }

std::uint16_t scaled(const Measurement& measurement, double factor, Nanoseconds now) {
  if (!is_fresh(measurement, now) || !std::isfinite(measurement->value)) return kNone;
  return static_cast<std::uint16_t>(std::clamp(std::round(measurement->value * factor), 0.0, kMost16));
}

std::uint16_t time_us(double us) {
  constexpr double kLongest = static_cast<double>(std::uint64_t{1} << 62);
  return to_probe_time(us > 0 ? static_cast<std::uint64_t>(std::min(us, kLongest)) : 0);
}

void keep_youngest(std::uint64_t& youngest_ns, std::initializer_list<const Measurement*> values,
                   Nanoseconds now) {
  for (const Measurement* value : values) {
    if (is_fresh(*value, now)) youngest_ns = std::max(youngest_ns, (*value)->at.count());
  }
}

std::uint64_t elapsed_ms(Nanoseconds since, Nanoseconds now) {
  return (now - std::min(since, now)).count() / 1'000'000;
}

void say(proto::Measurement& out, const Measured& measured, Nanoseconds now) {
  out.set_value(measured.value);
  out.set_age_ms(static_cast<std::uint32_t>(elapsed_ms(measured.at, now)));
}

}  // namespace

std::uint16_t probe_share(const Measurement& share, Nanoseconds now) { return scaled(share, 10'000, now); }

probe_host_entry host_entry(const HostLoad& host, const ApplicationLoad& application, Nanoseconds now) {
  probe_host_entry out{};
  const auto share = [now](const Measurement& value) { return wire(probe_share(value, now)); };
  out.load.age_ms = wire(kNone);  // made by the responder
  out.load.cpu_utilization = share(host.cpu_utilization);
  out.load.mem_utilization = share(host.mem_utilization);
  out.load.cpu_pressure = share(host.cpu_pressure);
  out.load.memory_pressure = share(host.memory_pressure);
  out.load.io_pressure = share(host.io_pressure);
  out.load.run_queue = wire(scaled(host.run_queue, 100, now));
  out.load.disk_utilization = share(host.disk_utilization);
  out.load.nic_rx_utilization = share(host.nic_rx_utilization);
  out.load.nic_tx_utilization = share(host.nic_tx_utilization);
  out.load.gpu_utilization = share(host.gpu_utilization);
  out.load.gpu_mem_utilization = share(host.gpu_mem_utilization);
  out.load.application_utilization = share(application.application_utilization);
  out.load.power_watts = wire(scaled(host.power_watts, 10, now));
  // Without a "no value" in 32 bits: no disk operations and no knowledge of disks look the same.
  if (is_fresh(host.disk_iops, now))
    out.load.disk_iops = wire(static_cast<std::uint64_t>(host.disk_iops->value));
  keep_youngest(out.sampled_ns,
                {&host.cpu_utilization, &host.mem_utilization, &host.cpu_pressure, &host.memory_pressure,
                 &host.io_pressure, &host.run_queue, &host.disk_utilization, &host.disk_iops,
                 &host.nic_rx_utilization, &host.nic_tx_utilization, &host.gpu_utilization,
                 &host.gpu_mem_utilization, &host.power_watts, &application.application_utilization},
                now);
  return out;
}

namespace {

void put_telemetry(probe_service_load& load, const ServiceTelemetry& seen) {
  load.established = wire(seen.established);
  load.new_connections = wire(seen.new_connections);
  load.responses = wire(seen.responses);
  load.resets = wire(seen.resets_sent + seen.resets_received);
  load.retransmits = wire(seen.retransmits);
  load.syn_drops = wire(static_cast<std::uint16_t>(seen.syn_drops));
  load.accept_drops = wire(static_cast<std::uint16_t>(seen.accept_drops));
  if (seen.stalled) load.stalled = wire(to_probe_time(seen.stalled->count() / 1000));
  if (seen.fast_handshake) {
    load.handshake_p50 = wire(time_us(seen.fast_handshake->p50_us));
    load.handshake_p99 = wire(time_us(seen.fast_handshake->p99_us));
  }
  if (seen.fast_response) {
    load.response_p50 = wire(time_us(seen.fast_response->p50_us));
    load.response_p99 = wire(time_us(seen.fast_response->p99_us));
  }
}

}  // namespace

std::optional<probe_service_entry> service_entry(const ServiceView& service, Nanoseconds now) {
  probe_service_entry out{};
  probe_service_load& load = out.load;
  load.age_ms = load.accept_queue = load.accept_limit = kNone;  // made by the responder
  load.stalled = load.cpu = load.throttled = load.application_utilization = kNone;
  load.handshake_p50 = load.handshake_p99 = load.response_p50 = load.response_p99 = kNone;
  if (service.telemetry != nullptr && age({0, service.telemetry_at}, now) < kFreshFor) {
    out.sampled_ns = service.telemetry_at.count();
    put_telemetry(load, *service.telemetry);
  }
  load.cpu = wire(probe_share(service.cpu, now));
  load.throttled = wire(probe_share(service.throttled, now));
  load.application_utilization = wire(probe_share(service.application_utilization, now));
  keep_youngest(out.sampled_ns, {&service.cpu, &service.throttled, &service.application_utilization}, now);
  load.check = service.check;
  // A check's state holds until the next run ends, however long that is: it is as young as this agent's word.
  if (load.check != PENSTOCK_PROBE_UNCHECKED) out.sampled_ns = now.count();
  if (out.sampled_ns == 0) return std::nullopt;
  return out;
}

#define PENSTOCK_SAY(name, from) \
  if ((from).name) say(*out.mutable_##name(), *(from).name, now)

void fill(proto::NodeLoad& out, const HostLoad& host, const ApplicationLoad& application,
          const LoadSettings& settings, Nanoseconds now) {
  PENSTOCK_SAY(cpu_utilization, host);
  PENSTOCK_SAY(mem_utilization, host);
  PENSTOCK_SAY(cpu_pressure, host);
  PENSTOCK_SAY(memory_pressure, host);
  PENSTOCK_SAY(io_pressure, host);
  PENSTOCK_SAY(run_queue, host);
  PENSTOCK_SAY(disk_utilization, host);
  PENSTOCK_SAY(disk_iops, host);
  PENSTOCK_SAY(nic_rx_utilization, host);
  PENSTOCK_SAY(nic_tx_utilization, host);
  PENSTOCK_SAY(gpu_utilization, host);
  PENSTOCK_SAY(gpu_mem_utilization, host);
  PENSTOCK_SAY(power_watts, host);
  PENSTOCK_SAY(application_utilization, application);
  PENSTOCK_SAY(rps_fractional, application);
  PENSTOCK_SAY(eps, application);
  for (const auto& [name, value] : application.utilization)
    say((*out.mutable_utilization())[name], value, now);
  for (const auto& [name, value] : application.named_metrics)
    say((*out.mutable_named_metrics())[name], value, now);
  for (const auto& [name, value] : application.request_cost)
    say((*out.mutable_request_cost())[name], value, now);
  if (settings.price_per_hour) out.mutable_price_per_hour()->set_value(*settings.price_per_hour);
  if (settings.energy_price_per_kwh)
    out.mutable_energy_price_per_kwh()->set_value(*settings.energy_price_per_kwh);
  out.set_currency(settings.currency);
}

namespace {

void say_telemetry(proto::ServiceTelemetry& out, const ServiceTelemetry& seen, std::uint32_t age_ms) {
  out.set_new_connections(seen.new_connections);
  out.set_established(seen.established);
  out.set_closes(seen.closes);
  out.set_resets_sent(seen.resets_sent);
  out.set_resets_received(seen.resets_received);
  out.set_retransmits(seen.retransmits);
  out.set_syn_drops(seen.syn_drops);
  out.set_accept_drops(seen.accept_drops);
  out.set_requests(seen.requests);
  out.set_responses(seen.responses);
  out.set_bytes_in(seen.bytes_in);
  out.set_bytes_out(seen.bytes_out);
  const auto put = [age_ms](proto::Measurement& to, double value) {
    to.set_value(value);
    to.set_age_ms(age_ms);
  };
  if (seen.handshake) {
    put(*out.mutable_handshake_p50_us(), seen.handshake->p50_us);
    put(*out.mutable_handshake_p99_us(), seen.handshake->p99_us);
  }
  if (seen.response) {
    put(*out.mutable_response_p50_us(), seen.response->p50_us);
    put(*out.mutable_response_p99_us(), seen.response->p99_us);
  }
  if (seen.srtt_us) put(*out.mutable_srtt_us(), *seen.srtt_us);
  if (seen.stalled) put(*out.mutable_stalled_us(), static_cast<double>(seen.stalled->count()) / 1000);
  if (seen.accept) {
    put(*out.mutable_accept_queue(), seen.accept->queue);
    put(*out.mutable_accept_limit(), seen.accept->limit);
  }
}

}  // namespace

void fill(proto::ServiceTelemetry& out, const ServiceView& service, Nanoseconds now) {
  if (service.telemetry != nullptr)
    say_telemetry(out, *service.telemetry, static_cast<std::uint32_t>(elapsed_ms(service.telemetry_at, now)));
  PENSTOCK_SAY(cpu, service);
  PENSTOCK_SAY(throttled, service);
}

#undef PENSTOCK_SAY

}  // namespace penstock
