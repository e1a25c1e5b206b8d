#include "perf/micro/probe/judge_cost.h"

#include <cstdint>
#include <random>
#include <vector>

#include "dataplane/probe/health_judge.h"
#include "penstock/base/clock.h"

namespace penstock::perf {
namespace {

constexpr std::size_t kServices = 10;
constexpr std::uint64_t kIntervalUs = 50'000;
constexpr std::uint64_t kTickUs = 20'000;

ProbePlan plan_of(std::size_t backends, bool maintenance) {
  ProbePlan plan;
  plan.services.resize(kServices);
  for (std::size_t i = 0; i < kServices; ++i) {
    plan.services[i].index = static_cast<ServiceIndex>(i);
    plan.services[i].health.slow_start.duration_ms = 3'600'000;
    plan.services[i].health.slow_start.exponent = 1.5;
  }
  for (std::size_t i = 0; i < backends; ++i) {
    const auto index = static_cast<BackendIndex>(i);
    plan.services[i % kServices].backends.push_back({index, maintenance, true});
    const VipKey key{Ipv4Addr{{203, 0, 113, 10}}, 6, static_cast<std::uint16_t>(80 + i % kServices), 0, 0};
    plan.addresses.push_back(
        {Ipv4Addr{{10, 1, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}}, {{index, key}}});
  }
  return plan;
}

class Load {
 public:
  explicit Load(std::size_t backends) : loads_(backends) {}

  // Of a host that serves 200 connections a second, and is now slower, now quicker.
  ServiceReport next(std::size_t backend) {
    probe_service_load& load = loads_[backend];
    load.age_ms = 20;
    load.check = PENSTOCK_PROBE_PASSING;
    load.accept_queue = static_cast<abi_u16>(random_() % 8);
    load.accept_limit = 128;
    load.cpu = static_cast<abi_u16>(random_() % 9500);
    load.application_utilization = PENSTOCK_PROBE_NO_VALUE;
    load.response_p99 = static_cast<abi_u16>(3 << 11 | (1024 + random_() % 1024));
    load.new_connections += 10;
    load.responses += 10;
    load.resets += random_() % 16 == 0;
    return {Listener::kPresent, load};
  }

 private:
  std::vector<probe_service_load> loads_;
  std::minstd_rand random_{1};
};

double ns_per_answer(HealthJudge& judge, std::size_t backends, unsigned seconds, std::uint64_t& us) {
  Load load(backends);
  std::vector<ServiceReport> reports(backends);
  const probe_host_load host{};
  std::uint64_t spent = 0;
  const unsigned rounds = static_cast<unsigned>(seconds * 1'000'000ULL / kIntervalUs);
  for (unsigned round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < backends; ++i) reports[i] = load.next(i);  // not the judge's time
    std::uint64_t tick = us;
    const Nanoseconds begin = monotonic_now();
    for (std::size_t i = 0; i < backends; ++i) {
      const std::uint64_t at = us + kIntervalUs * i / backends;
      for (; tick <= at; tick += kTickUs) judge.tick(Nanoseconds::from_micros(tick));
      judge.answered(i, 0, {&reports[i], 1}, host, Nanoseconds::from_micros(200),
                     Nanoseconds::from_micros(at));
    }
    spent += (monotonic_now() - begin).count();
    us += kIntervalUs;
  }
  return static_cast<double>(spent) / (static_cast<double>(rounds) * static_cast<double>(backends));
}

}  // namespace

JudgeCost measure_judge_cost(std::size_t backends, unsigned seconds) {
  BackendStates states(backends, kServices);
  HealthJudge judge(states);
  std::uint64_t us = 1'000'000;
  JudgeCost cost;
  judge.follow(plan_of(backends, false), Nanoseconds::from_micros(us));
  cost.ns_per_answer = ns_per_answer(judge, backends, seconds, us);
  judge.follow(plan_of(backends, true), Nanoseconds::from_micros(us));
  judge.follow(plan_of(backends, false), Nanoseconds::from_micros(us));  // all come back, all at once
  cost.ns_per_busy_answer = ns_per_answer(judge, backends, seconds, us);
  std::vector<BackendIndex> all(backends);
  for (std::size_t i = 0; i < backends; ++i) all[i] = static_cast<BackendIndex>(i);
  std::vector<BackendReport> out;
  judge.report(all, Nanoseconds::from_micros(us), out);
  const Nanoseconds begin = monotonic_now();
  judge.report(all, Nanoseconds::from_micros(us), out);
  cost.report_us = static_cast<double>((monotonic_now() - begin).count()) / 1000;
  return cost;
}

}  // namespace penstock::perf
