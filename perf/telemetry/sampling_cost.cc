// The CPU time of a thread that reads the telemetry of ten services 20 times a second, measured as the
// thread's own; beside it one reading of services at rest.
#include <ctime>

#include <thread>

#include "bpf/agent/telemetry/listeners.h"
#include "bpf/agent/telemetry/telemetry.h"
#include "penstock/base/clock.h"
#include "perf/telemetry/cases.h"

namespace penstock::perf {
namespace {

double thread_seconds() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

std::set<VipKey> services(int count) {
  std::set<VipKey> out;
  for (int i = 0; i < count; ++i) {
    VipKey key;
    key.vip = Ipv4Addr{{203, 0, 113, static_cast<std::uint8_t>(i)}};
    key.protocol = kProtoTcp;
    key.port = 80;
    out.insert(key);
  }
  return out;
}

}  // namespace

Status measure_sampling(Figures& figures, bool quick) {
  auto telemetry = Telemetry::load();
  if (!telemetry) return telemetry.error();
  if (auto set = (*telemetry)->set_services(services(10)); !set) return set;
  const int rounds = quick ? 60 : 200;
  const double before = thread_seconds();
  const Nanoseconds began = monotonic_now();
  for (int i = 0; i < rounds; ++i) {
    (*telemetry)->sample(monotonic_now());
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const double used = thread_seconds() - before;
  const auto seconds = static_cast<double>((monotonic_now() - began).count()) / 1e9;
  figures.add("telemetry.sampling.10_services", 100 * used / seconds, "% of a core", at_most(1));

  auto query = ListenerQuery::open();
  if (!query) return query.error();
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const double start = thread_seconds();
    if (auto all = query->all(); !all) return all.error();
    times.push_back(1e6 * (thread_seconds() - start));
  }
  figures.add("telemetry.sampling.listeners", Samples(times), "us");
  return Ok{};
}

}  // namespace penstock::perf
