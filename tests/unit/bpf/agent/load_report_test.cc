#include "bpf/agent/load_report.h"

#include <gtest/gtest.h>

#include "penstock/net/byteorder.h"
#include "penstock/net/probe_time.h"

namespace penstock {
namespace {

Nanoseconds at_ms(std::uint64_t ms) { return Nanoseconds::from_millis(100'000 + ms); }
Measurement measured(double value, std::uint64_t ms) { return Measured{value, at_ms(ms)}; }
std::uint16_t host(std::uint16_t raw) { return be16::from_raw(raw).host(); }
std::uint32_t host(std::uint32_t raw) { return be32::from_raw(raw).host(); }

constexpr std::uint16_t kNone = PENSTOCK_PROBE_NO_VALUE;

TEST(HostEntry, CarriesWhatIsFreshInTheUnitsOfTheProbe) {
  HostLoad load;
  load.cpu_utilization = measured(0.256, 0);
  load.run_queue = measured(3.5, -100);
  load.power_watts = measured(61.26, -500);
  load.disk_iops = measured(1234, -500);
  load.mem_utilization = measured(0.9, -2500);
  ApplicationLoad application;
  application.application_utilization = measured(1.5, -50);
  const probe_host_entry entry = host_entry(load, application, at_ms(10));
  EXPECT_EQ(entry.sampled_ns, at_ms(0).count()) << "the youngest";
  EXPECT_EQ(host(entry.load.cpu_utilization), 2560);
  EXPECT_EQ(host(entry.load.run_queue), 350);
  EXPECT_EQ(host(entry.load.power_watts), 613);
  EXPECT_EQ(host(entry.load.disk_iops), 1234u);
  EXPECT_EQ(host(entry.load.application_utilization), 15'000) << "may pass 1";
  EXPECT_EQ(host(entry.load.mem_utilization), kNone) << "older than two seconds";
  EXPECT_EQ(host(entry.load.gpu_utilization), kNone) << "absent, not zero";
}

TEST(HostEntry, SaysNothingWhenNothingIsKnown) { EXPECT_EQ(host_entry({}, {}, at_ms(0)).sampled_ns, 0u); }

TEST(HostEntry, KeepsWithinSixteenBits) {
  HostLoad load;
  load.run_queue = measured(1e6, 0);
  load.cpu_utilization = measured(-1, 0);
  const probe_host_entry entry = host_entry(load, {}, at_ms(0));
  EXPECT_EQ(host(entry.load.run_queue), kNone - 1) << "the most, and not 'no value'";
  EXPECT_EQ(host(entry.load.cpu_utilization), 0);
}

TEST(ServiceEntry, IsNothingOfAServiceOfWhichNothingIsKnown) {
  EXPECT_FALSE(service_entry({}, at_ms(0)));
  ServiceView old;
  old.cpu = measured(0.5, -3000);
  EXPECT_FALSE(service_entry(old, at_ms(0)));
}

TEST(ServiceEntry, OfACheckAloneIsAsYoungAsTheAgentsWord) {
  ServiceView service;
  service.check = PENSTOCK_PROBE_FAILING;
  const auto entry = service_entry(service, at_ms(7));
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->sampled_ns, at_ms(7).count());
  EXPECT_EQ(entry->load.check, PENSTOCK_PROBE_FAILING);
  EXPECT_EQ(host(entry->load.cpu), kNone);
  EXPECT_EQ(host(entry->load.response_p99), kNone);
  EXPECT_EQ(host(entry->load.stalled), kNone);
  EXPECT_EQ(host(entry->load.responses), 0u);
}

TEST(ServiceEntry, CarriesTelemetryCgroupAndApplication) {
  ServiceTelemetry telemetry;
  telemetry.established = 5;
  telemetry.new_connections = 0x1'0000'0007;
  telemetry.resets_sent = 2;
  telemetry.resets_received = 3;
  telemetry.syn_drops = 0x1'0002;
  telemetry.fast_response = TimeQuantiles{1500, 90'000};
  telemetry.response = TimeQuantiles{1, 2};
  telemetry.stalled = Nanoseconds::from_millis(400);
  ServiceView service;
  service.telemetry = &telemetry;
  service.telemetry_at = at_ms(0);
  service.cpu = measured(1.25, -100);
  service.throttled = measured(0.5, -100);
  service.application_utilization = measured(0.75, -400);
  const auto entry = service_entry(service, at_ms(1));
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->sampled_ns, at_ms(0).count());
  EXPECT_EQ(host(entry->load.established), 5u);
  EXPECT_EQ(host(entry->load.new_connections), 7u) << "counters wrap";
  EXPECT_EQ(host(entry->load.resets), 5u);
  EXPECT_EQ(host(entry->load.syn_drops), 2);
  EXPECT_EQ(host(entry->load.cpu), 12'500);
  EXPECT_EQ(host(entry->load.throttled), 5000);
  EXPECT_EQ(host(entry->load.application_utilization), 7500);
  EXPECT_EQ(host(entry->load.response_p50), to_probe_time(1500)) << "of the short window";
  EXPECT_EQ(host(entry->load.response_p99), to_probe_time(90'000));
  EXPECT_EQ(host(entry->load.handshake_p50), kNone);
  EXPECT_EQ(host(entry->load.stalled), to_probe_time(400'000));
}

TEST(ServiceEntry, OfStaleTelemetryHasNoneOfIt) {
  ServiceTelemetry telemetry;
  telemetry.stalled = Nanoseconds(0);
  ServiceView service;
  service.telemetry = &telemetry;
  service.telemetry_at = at_ms(0);
  service.check = PENSTOCK_PROBE_PASSING;
  const auto entry = service_entry(service, at_ms(2500));
  ASSERT_TRUE(entry);
  EXPECT_EQ(host(entry->load.stalled), kNone);
}

TEST(NodeLoad, TellsEveryValueWithItsAge) {
  HostLoad load;
  load.cpu_utilization = measured(0.5, -120);
  load.mem_utilization = measured(0.25, -5000);
  ApplicationLoad application;
  application.named_metrics["queue"] = {7, at_ms(-30)};
  LoadSettings settings;
  settings.price_per_hour = 1.5;
  settings.currency = "EUR";
  proto::NodeLoad out;
  fill(out, load, application, settings, at_ms(0));
  EXPECT_DOUBLE_EQ(out.cpu_utilization().value(), 0.5);
  EXPECT_EQ(out.cpu_utilization().age_ms(), 120u);
  EXPECT_EQ(out.mem_utilization().age_ms(), 5000u) << "the control plane judges the age itself";
  EXPECT_FALSE(out.has_gpu_utilization());
  EXPECT_FALSE(out.has_power_watts());
  EXPECT_DOUBLE_EQ(out.named_metrics().at("queue").value(), 7);
  EXPECT_DOUBLE_EQ(out.price_per_hour().value(), 1.5);
  EXPECT_FALSE(out.has_energy_price_per_kwh());
  EXPECT_EQ(out.currency(), "EUR");
}

TEST(ServiceTelemetryMessage, TellsTheLastSecond) {
  ServiceTelemetry telemetry;
  telemetry.requests = 9;
  telemetry.response = TimeQuantiles{1500, 90'000};
  ServiceView service;
  service.telemetry = &telemetry;
  service.telemetry_at = at_ms(-40);
  service.throttled = measured(0.5, -100);
  proto::ServiceTelemetry out;
  fill(out, service, at_ms(0));
  EXPECT_EQ(out.requests(), 9u);
  EXPECT_DOUBLE_EQ(out.response_p99_us().value(), 90'000);
  EXPECT_EQ(out.response_p99_us().age_ms(), 40u);
  EXPECT_FALSE(out.has_handshake_p50_us());
  EXPECT_FALSE(out.has_cpu());
  EXPECT_EQ(out.throttled().age_ms(), 100u);
}

}  // namespace
}  // namespace penstock
