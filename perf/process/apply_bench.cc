// Configuration changes under traffic, seen from outside: the built dataplane forwards an endless capture
// while configurations are applied over its socket.
//
//   apply.full        a configuration of many services, none known before, until it forwards: on hosts that
//                     all services share, and with hosts of its own for each
//   apply.weight      one weight changed in that configuration, until it forwards
//   apply.churn.*     many applied changes in a row (weights, drains, a backend gone and back): resident
//                     memory, lost packets

#include <cstdio>
#include <filesystem>
#include <vector>

#include "perf/micro/report/figures.h"
#include "perf/process/dataplane_process.h"
#include "perf/process/flow_capture.h"

namespace penstock::perf {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kServices = 1'000;
constexpr std::size_t kBackends = 100;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// Ends the program with a sentence: without the process under test there is nothing to measure.
template <class T>
T need(Result<T> result, const char* what) {
  if (result) return std::move(result).value();
  std::fprintf(stderr, "apply_bench: %s: %s\n", what, result.error().text().c_str());
  std::exit(1);
}

/// Packets lost between two reports. Traffic aims at service 0 only, which every configuration has.
double lost(const proto::DataplaneStats& before, const proto::DataplaneStats& after) {
  return static_cast<double>(lost_packets(after) - lost_packets(before));
}

proto::UpdateWeightsRequest one_weight(const proto::DataplaneConfig& config, int service, int backend,
                                       std::uint64_t version) {
  proto::UpdateWeightsRequest update;
  update.set_epoch(config.epoch());
  update.set_base_generation(config.generation());
  update.set_version(version);
  auto* weights = update.add_services();
  weights->set_service(config.services(service).id());
  auto* entry = weights->add_backends();
  entry->set_backend(config.services(service).backends(backend).id());
  entry->set_weight(90);
  return update;
}

/// Each time is that of the whole call: the request on its way, too, and the old configuration retired.
void measure_full_and_weight(DataplaneProcess& dataplane, std::uint64_t& generation, Figures& figures,
                             int rounds) {
  std::vector<double> full, weight;
  const auto before = need(dataplane.stats(), "stats");
  for (int round = 0; round < rounds; ++round) {
    need(dataplane.apply(make_config(++generation, 1, 3)), "small configuration");
    const auto request = make_config(++generation, kServices, kBackends);
    auto start = Clock::now();
    need(dataplane.apply(request), "full configuration");
    full.push_back(ms_since(start));
    for (int change = 0; change < 5; ++change) {
      const auto update =
          one_weight(request.config(), change * 7, change, static_cast<std::uint64_t>(change) + 1);
      start = Clock::now();
      need(dataplane.update_weights(update), "weight change");
      weight.push_back(ms_since(start));
    }
  }
  figures.add("apply.full.1000x100", Samples(full), "ms", at_most(1000));
  figures.add("apply.weight.1000x100", Samples(weight), "ms", at_most(5));
  figures.add("apply.lost", lost(before, need(dataplane.stats(), "stats")), "packets", at_most(0));
}

/// Every service's tables must be built: nothing is shared.
void measure_own_hosts(DataplaneProcess& dataplane, std::uint64_t& generation, Figures& figures, int rounds) {
  std::vector<double> full;
  const auto before = need(dataplane.stats(), "stats");
  for (int round = 0; round < rounds; ++round) {
    need(dataplane.apply(make_config(++generation, 1, 3)), "small configuration");
    const auto request = make_config(++generation, kServices, kBackends, Hosts::kOwn);
    const auto start = Clock::now();
    need(dataplane.apply(request), "full configuration");
    full.push_back(ms_since(start));
  }
  figures.add("apply.full.1000x100.own_hosts", Samples(full), "ms", at_most(1000));
  figures.add("apply.full.own_hosts.lost", lost(before, need(dataplane.stats(), "stats")), "packets",
              at_most(0));
}

/// The i-th change: mostly a weight, sometimes a drain begun and ended, or a backend that leaves and returns.
void change_one(proto::ApplyConfigRequest& request, std::size_t i) {
  constexpr std::size_t kSpare = 9;  // the backend of each service that comes and goes
  auto& service = *request.mutable_config()->mutable_services(static_cast<int>(i % 10));
  auto& backend = *service.mutable_backends(static_cast<int>(i / 100 % kSpare));
  const std::size_t kind = i / 10 % 10;
  if (kind < 8) {
    backend.set_weight(50 + static_cast<std::uint32_t>(i % 100));
  } else if (kind == 8) {
    backend.set_drain(!backend.drain());
  } else if (service.backends_size() > static_cast<int>(kSpare)) {
    service.mutable_backends()->RemoveLast();
  } else {
    *service.add_backends() = make_config(0, 1, kSpare + 1).config().services(0).backends(kSpare);
  }
}

void measure_churn(DataplaneProcess& dataplane, std::uint64_t& generation, Figures& figures,
                   std::size_t changes) {
  auto request = make_config(0, 10, 10);
  const auto change = [&](std::size_t i) {
    request.mutable_config()->set_generation(++generation);
    change_one(request, i);
    need(dataplane.apply(request), "churn");
  };
  // The allocator's own plateau is reached during the first changes; growth counts from there.
  const std::size_t warm_up = changes / 10;
  for (std::size_t i = 0; i < warm_up; ++i) change(i);
  const auto resident_before = dataplane.process().resident_kib();
  const auto before = need(dataplane.stats(), "stats");
  const auto start = Clock::now();
  for (std::size_t i = 0; i < changes; ++i) change(i);
  const double elapsed_ms = ms_since(start);
  const auto after = need(dataplane.stats(), "stats");
  const double growth =
      static_cast<double>(dataplane.process().resident_kib()) - static_cast<double>(resident_before);
  figures.add("apply.churn.changes", static_cast<double>(changes), "changes");
  figures.add("apply.churn.mean", elapsed_ms / static_cast<double>(changes), "ms");
  figures.add("apply.churn.memory_growth", growth / 1024, "MiB", at_most(1));
  figures.add("apply.churn.received",
              static_cast<double>(after.received_packets() - before.received_packets()), "packets",
              at_least(1));
  figures.add("apply.churn.lost", lost(before, after), "packets", at_most(0));
}

int run(int argc, char** argv) {
  const BenchOptions options = bench_options_or_exit(argc, argv);
  const std::string capture = std::filesystem::temp_directory_path() / "penstock-apply-bench.pcap";
  need(write_flow_capture(capture, {0, 4'096}, Ipv4Addr{{203, 0, 113, 10}}, 80), "capture");
  auto dataplane = need(DataplaneProcess::start({"--port", "net_pcap0,rx_pcap=" + capture + ",infinite_rx=1",
                                                 "--lcores", "1", "--memory-mb", "512", "--static-next-hop",
                                                 "net_pcap0,mac=02:00:00:00:00:fe,source_v4=192.0.2.1"}),
                        "start");
  std::filesystem::remove(capture);
  std::uint64_t generation = 0;
  need(dataplane.apply(make_config(++generation, 1, 3)), "first configuration");
  Figures figures("apply");
  measure_full_and_weight(dataplane, generation, figures, options.quick ? 2 : 7);
  measure_own_hosts(dataplane, generation, figures, options.quick ? 1 : 3);
  measure_churn(dataplane, generation, figures, options.quick ? 2'000 : 100'000);
  return figures.finish(options);
}

}  // namespace
}  // namespace penstock::perf

int main(int argc, char** argv) { return penstock::perf::run(argc, argv); }
