// What a service's health may say, what is filled in, and how what makes no sense is refused.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "dataplane/config/document.h"
#include "penstock/proto/config.pb.h"

namespace penstock {
namespace {

using testing::ElementsAre;

proto::DataplaneConfig one_service(proto::Protocol protocol = proto::TCP, std::uint32_t port = 80) {
  proto::DataplaneConfig config;
  config.set_generation(1);
  config.set_hash_key(std::string(32, 'k'));
  proto::Service& service = *config.add_services();
  service.set_id("web");
  service.set_vip("203.0.113.10");
  service.set_protocol(protocol);
  service.set_port(port);
  service.set_encap(proto::GUE);
  proto::Backend& backend = *service.add_backends();
  backend.set_id("be1");
  backend.set_address("10.0.0.1");
  backend.set_weight(1);
  return config;
}

proto::Health& health_of(proto::DataplaneConfig& config) {
  return *config.mutable_services(0)->mutable_health();
}

std::vector<std::string> problems(const proto::DataplaneConfig& config) {
  std::vector<std::string> out;
  for (const Error& e : validate(config).problems) out.push_back(e.text());
  return out;
}

HealthDocument accepted(const proto::DataplaneConfig& config) {
  const Validation v = validate(config);
  EXPECT_THAT(problems(config), ElementsAre());
  return v.document.services.at(0).health;
}

TEST(ValidateHealth, LeavingEverythingOutMeansTheDefaults) {
  const HealthDocument health = accepted(one_service());
  HealthDocument expected;
  expected.direct_check.emplace();  // a connection to the service's own port
  EXPECT_EQ(health, expected);
  EXPECT_EQ(health.hold_ms, 2000U);
  EXPECT_EQ(health.max_hold_ms, 60'000U);
  EXPECT_EQ(health.slow_start.duration_ms, 10'000U);
  EXPECT_EQ(health.breaker.latency_factor, 10U);
  EXPECT_EQ(health.hot.utilization_percent, 90U);
}

TEST(ValidateHealth, WhatIsSaidIsTaken) {
  auto config = one_service();
  proto::Health& health = health_of(config);
  health.set_rise(5);
  health.set_fall(6);
  health.set_hold_ms(100'000);
  health.set_all_down(proto::ALL_DOWN_RESET);
  health.set_panic_percent(30);
  health.mutable_hot()->set_response_ms(40);
  health.mutable_breaker()->set_open_ms(100);
  health.mutable_breaker()->set_failure_percent(50);
  health.mutable_slow_start()->set_duration_ms(0);
  health.mutable_slow_start()->set_exponent(2.5);
  config.mutable_services(0)->mutable_backends(0)->set_maintenance(true);
  const HealthDocument out = accepted(config);
  EXPECT_EQ(out.rise, 5U);
  EXPECT_EQ(out.fall, 6U);
  EXPECT_EQ(out.hold_ms, 100'000U);
  EXPECT_EQ(out.max_hold_ms, 100'000U) << "the default, but never below hold_ms";
  EXPECT_EQ(out.all_down, AllDown::kReset);
  EXPECT_EQ(out.panic_percent, 30U);
  EXPECT_EQ(out.hot.response_ms, 40U);
  EXPECT_EQ(out.breaker.open_ms, 100U);
  EXPECT_EQ(out.breaker.failure_percent, 50U);
  EXPECT_EQ(out.slow_start.duration_ms, 0U) << "said, not left out: all at once";
  EXPECT_EQ(out.slow_start.exponent, 2.5);
  EXPECT_TRUE(validate(config).document.services[0].backends[0].maintenance);
}

TEST(ValidateHealth, TheFirstCheckThatAGatewayCanMakeIsTheDirectOne) {
  auto config = one_service();
  proto::Check& grpc = *health_of(config).add_checks();
  grpc.set_kind(proto::Check::GRPC);
  proto::Check& http = *health_of(config).add_checks();
  http.set_kind(proto::Check::HTTP);
  http.set_port(8080);
  http.set_interval_ms(200);
  http.set_body_contains("ok");
  health_of(config).add_checks()->set_kind(proto::Check::TCP_CONNECT);
  const HealthDocument out = accepted(config);
  ASSERT_TRUE(out.direct_check.has_value());
  EXPECT_EQ(out.direct_check->kind, DirectCheckKind::kHttp);
  EXPECT_EQ(out.direct_check->port, 8080);
  EXPECT_EQ(out.direct_check->path, "/");
  EXPECT_EQ(out.direct_check->method, "GET");
  EXPECT_EQ(out.direct_check->body_contains, "ok");
  EXPECT_THAT(out.direct_check->statuses, ElementsAre(std::pair(200, 299)));
  EXPECT_EQ(out.direct_check->timeout_ms, 200U) << "the default, but never above the interval";
}

TEST(ValidateHealth, WithoutACheckUdpServicesAreNotCheckedDirectlyAndOffMeansOff) {
  EXPECT_FALSE(accepted(one_service(proto::UDP, 53)).direct_check.has_value());
  auto off = one_service();
  health_of(off).set_direct(proto::DIRECT_OFF);
  EXPECT_FALSE(accepted(off).direct_check.has_value());
}

struct Refused {
  std::function<void(proto::Health&)> say;
  std::string problem;
};

TEST(ValidateHealth, RefusesWhatIsOutOfRangeAndNamesTheField) {
  const auto check = [](auto say) {
    return [say](proto::Health& h) {
      proto::Check& c = *h.add_checks();
      c.set_kind(proto::Check::TCP_CONNECT);
      say(c);
    };
  };
  const std::vector<Refused> cases = {
      {[](auto& h) { h.set_rise(101); }, "rise: must be 1-100, not 101"},
      {[](auto& h) { h.set_fall(101); }, "fall: must be 1-100, not 101"},
      {[](auto& h) { h.set_hold_ms(3'600'001); }, "hold_ms: must be 1-3600000, not 3600001"},
      {[](auto& h) { h.set_max_hold_ms(1999); }, "max_hold_ms: must not be below hold_ms (2000)"},
      {[](auto& h) { h.set_panic_percent(101); }, "panic_percent: must be 0-100, not 101"},
      {[](auto& h) { h.set_all_down(static_cast<proto::AllDown>(9)); },
       "all_down: must be ALL_DOWN_USE_ALL (0), ALL_DOWN_RESET (1) or ALL_DOWN_DROP (2), not 9"},
      {[](auto& h) { h.set_direct(static_cast<proto::DirectChecks>(9)); },
       "direct: must be DIRECT_AUTO (0), DIRECT_OFF (1) or DIRECT_ALWAYS (2), not 9"},
      {[](auto& h) { h.mutable_hot()->set_response_ms(60'001); },
       "hot.response_ms: must be 0-60000, not 60001"},
      {[](auto& h) { h.mutable_hot()->set_queue_percent(101); }, "hot.queue_percent: must be 1-100, not 101"},
      {[](auto& h) { h.mutable_hot()->set_utilization_percent(1001); },
       "hot.utilization_percent: must be 1-1000, not 1001"},
      {[](auto& h) { h.mutable_breaker()->set_open_ms(99); }, "breaker.open_ms: must be 100-3600000, not 99"},
      {[](auto& h) { h.mutable_breaker()->set_latency_factor(1); },
       "breaker.latency_factor: must be 2-1000, not 1"},
      {[](auto& h) { h.mutable_breaker()->set_failure_percent(101); },
       "breaker.failure_percent: must be 0-100, not 101"},
      {[](auto& h) { h.mutable_breaker()->set_half_open_percent(101); },
       "breaker.half_open_percent: must be 1-100, not 101"},
      {[](auto& h) { h.mutable_breaker()->set_max_open_percent(101); },
       "breaker.max_open_percent: must be 1-100, not 101"},
      {[](auto& h) { h.mutable_breaker()->set_probe_loss_percent(101); },
       "breaker.probe_loss_percent: must be 1-100, not 101"},
      {[](auto& h) { h.mutable_slow_start()->set_duration_ms(3'600'001); },
       "slow_start.duration_ms: must be 0-3600000, not 3600001"},
      {[](auto& h) { h.mutable_slow_start()->set_initial_percent(101); },
       "slow_start.initial_percent: must be 1-100, not 101"},
      {[](auto& h) { h.mutable_slow_start()->set_exponent(0.05); },
       "slow_start.exponent: must be 0.1-10, not 0.050000"},
      {[](auto& h) { h.mutable_slow_start()->set_exponent(std::nan("")); },
       "slow_start.exponent: must be 0.1-10, not nan"},
      {check([](auto& c) { c.set_kind(proto::Check::KIND_UNSPECIFIED); }),
       "checks[0].kind: 0 is no kind of check"},
      {check([](auto& c) { c.set_port(65'536); }), "checks[0].port: must be 1-65535, not 65536"},
      {check([](auto& c) { c.set_interval_ms(49); }), "checks[0].interval_ms: must be 50-3600000, not 49"},
      {check([](auto& c) { c.set_timeout_ms(1001); }),
       "checks[0].timeout_ms: must not exceed interval_ms (1000)"},
      {check([](auto& c) { c.set_path(std::string(1025, 'x')); }),
       "checks[0].path: at most 1024 bytes, not 1025"},
      {check([](auto& c) { c.set_send(std::string(513, 'x')); }),
       "checks[0].send: at most 512 bytes, not 513"},
      {check([](auto& c) { c.add_statuses()->set_first(99); }),
       "checks[0].statuses[0]: must be a range within 100-599"},
      {[&](auto& h) {
         for (int i = 0; i < 9; ++i) h.add_checks()->set_kind(proto::Check::TCP_CONNECT);
       },
       "checks: at most 8, not 9"},
  };
  for (const Refused& each : cases) {
    auto config = one_service();
    each.say(health_of(config));
    EXPECT_THAT(problems(config), ElementsAre("services[0].health." + each.problem));
  }
}

TEST(ValidateHealth, AlwaysCheckedDirectlyNeedsAWayToCheck) {
  auto config = one_service(proto::UDP, 53);
  health_of(config).set_direct(proto::DIRECT_ALWAYS);
  EXPECT_THAT(problems(config),
              ElementsAre("services[0].health.direct: DIRECT_ALWAYS needs a check that gateways can do: "
                          "TCP_CONNECT, HTTP or UDP_EXCHANGE"));
}

}  // namespace
}  // namespace penstock
