// A control room without DPDK: the real compiler, publisher, flow table and counters, and hooks that
// remember.
#pragma once

#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "dataplane/control/config_applier.h"
#include "dataplane/control/engine_view.h"
#include "penstock/proto/config.pb.h"

namespace penstock {

class NobodyToWaitFor final : public Quiescence {
 public:
  void synchronize() override {}
};

struct ControlHarness {
  ControlHarness()
      : memory(static_cast<std::byte*>(std::aligned_alloc(4096, kFlowBytes)), &std::free),
        flows(std::move(FlowTable::create({memory.get(), kFlowBytes}, 0, 0)).value()),
        counters(kMaxServiceIndexes, kMaxBackendIndexes),
        counter_list{&counters},
        publisher(quiescence, counter_list),
        applier(publisher,
                {[this](std::span<const IpAddr> backends) { return resolve(backends); },
                 [this](const VipPrefix& vip) { return steer(vip); },
                 [this](const VipPrefix& vip) { return unsteer(vip); }},
                {IpAddr::parse("192.0.2.200").value()}, {},
                {IpAddr::parse("2001:db8:ff::201").value()}) {}

  NextHops resolve(std::span<const IpAddr> backends) {
    ++resolutions;
    NextHops hops;
    for (const IpAddr& backend : backends) {
      if (reachable) {
        hops[backend] = {MacAddr{{2, 0, 0, 0, 0, 1}}, neighbour, Ipv4Addr{{192, 0, 2, 1}}, 0, 1500};
      }
    }
    return hops;
  }
  Status steer(const VipPrefix& vip) {
    if (vip.text() == refused_vip) return unavailable("the map is full");
    log.push_back("steer " + vip.text() + " at " + std::to_string(publisher.current().generation()));
    return Ok{};
  }
  Status unsteer(const VipPrefix& vip) {
    log.push_back("unsteer " + vip.text() + " at " + std::to_string(publisher.current().generation()));
    return Ok{};
  }
  EngineView view() {
    EngineView view;
    view.counters = {&counters};
    view.flows = {&flows};
    view.census = &census;
    view.ports = [] { return std::vector<PortView>{{"net_test0", 1, 2, 3, 4, 5, 6, 7}}; };
    view.oldest_progress = [this] { return Nanoseconds(progress_ns.load()); };
    return view;
  }

  static constexpr std::size_t kFlowBytes = 1 << 20;
  std::unique_ptr<std::byte, decltype(&std::free)> memory;
  FlowTable flows;
  FlowCensus census{16};
  LcoreCounters counters;
  std::vector<LcoreCounters*> counter_list;
  NobodyToWaitFor quiescence;
  Publisher publisher;
  MacAddr neighbour{{2, 0, 0, 0, 0, 9}};
  bool reachable = true;
  int resolutions = 0;
  std::string refused_vip;
  std::vector<std::string> log;
  std::atomic<std::uint64_t> progress_ns{1000};
  ConfigApplier applier;
};

inline proto::Service service(const std::string& id, const std::string& vip,
                              const std::vector<std::string>& backends) {
  proto::Service service;
  service.set_id(id);
  service.set_vip(vip);
  service.set_protocol(proto::TCP);
  service.set_port(80);
  service.set_encap(proto::GUE);
  for (std::size_t i = 0; i < backends.size(); ++i) {
    auto& backend = *service.add_backends();
    backend.set_id("be" + std::to_string(i + 1));
    backend.set_address(backends[i]);
    backend.set_weight(1);
  }
  return service;
}

inline proto::DataplaneConfig config(std::uint64_t epoch, std::uint64_t generation,
                                     const std::vector<proto::Service>& services) {
  proto::DataplaneConfig config;
  config.set_epoch(epoch);
  config.set_generation(generation);
  config.set_hash_key(std::string(32, 'k'));
  for (const auto& service : services) *config.add_services() = service;
  return config;
}

}  // namespace penstock
