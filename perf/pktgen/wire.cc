#include <pthread.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <sched.h>

#include <thread>

#include "dataplane/dpdk/devargs.h"
#include "perf/pktgen/generator.h"
#include "perf/pktgen/wire_parts.h"

namespace penstock::perf {
namespace {

// Our frames grown by an outer IPv6 header stay below; a driver with a ring of its own needs no more.
constexpr std::uint32_t kMtu = 1600;
constexpr auto kLinkPatience = std::chrono::seconds(10);

void pin(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

Status await_link(std::uint16_t port, const std::string& name) {
  const auto deadline = std::chrono::steady_clock::now() + kLinkPatience;
  while (true) {
    rte_eth_link link{};
    rte_eth_link_get_nowait(port, &link);
    if (link.link_status == RTE_ETH_LINK_UP) return Ok{};
    if (std::chrono::steady_clock::now() > deadline) {
      return unavailable("port " + name + ": no link for ten seconds; is the other end running?");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace

Result<std::unique_ptr<Wire>> Wire::open(const WireSettings& settings) {
  const auto devargs = parse_devargs(settings.port);
  if (!devargs) return devargs.error();
  EalSettings eal;
  eal.cpus = {settings.cpu};
  eal.memory_mb = settings.memory_mb;
  eal.no_huge = settings.no_huge;
  if (devargs->is_pci) eal.pci = {devargs->text};
  auto parts = std::make_unique<Parts>();
  auto environment = Eal::init(eal);
  if (!environment) return environment.error();
  parts->eal = std::move(environment).value();
  auto port = Port::probe(*devargs, 1);
  if (!port) return port.error();
  parts->port = std::move(port).value();
  auto buffers = make_buffers({.queues = 1}, kMtu);
  if (!buffers) return buffers.error();
  parts->buffers = std::move(buffers).value();
  if (auto started = parts->port->start(1, false, parts->buffers.get()); !started) return started.error();
  rte_eth_promiscuous_enable(parts->port->id());
  if (auto link = await_link(parts->port->id(), devargs->name); !link) return link.error();
  pin(settings.cpu);
  return std::unique_ptr<Wire>(new Wire(std::move(parts)));
}

Wire::Wire(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Wire::~Wire() = default;

Wire::Totals Wire::totals() const { return parts_->totals; }

double Wire::cycles_per_second() const { return static_cast<double>(rte_get_tsc_hz()); }

}  // namespace penstock::perf
