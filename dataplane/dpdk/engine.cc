#include "dataplane/dpdk/engine.h"

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>

#include <algorithm>
#include <span>
#include <utility>

#include "dataplane/config/compiler.h"
#include "dataplane/dpdk/devargs.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/engine_memory.h"
#include "dataplane/dpdk/port.h"
#include "dataplane/dpdk/rcu_quiescence.h"
#include "dataplane/dpdk/rss_steering.h"
#include "dataplane/dpdk/tsc_clock.h"
#include "dataplane/dpdk/worker.h"
#include "dataplane/restart/restart_state.h"
#include "penstock/base/clock.h"

namespace penstock {

class Engine::Impl {
 public:
  Impl(EngineSettings settings, RestartState* kept) : settings_(std::move(settings)), kept_(kept) {}
  ~Impl() { stop(); }

  Status open() {
    std::vector<Devargs> devices;
    if (auto parsed = parse_ports(devices); !parsed) return parsed;
    if (auto started = start_eal(devices); !started) return started;
    if (auto made = make_workers(); !made) return made;
    return start_ports(devices);
  }

  void run(const Publisher& publisher) {
    publisher_ = &publisher;
    running_ = true;
    for (std::size_t i = 0; i < lcores_.size(); ++i) {
      rte_eal_remote_launch(launch, &lcores_[i], static_cast<unsigned>(i));
    }
  }

  void stop() {
    if (!std::exchange(running_, false)) return;
    for (Lcore& lcore : lcores_) lcore.worker->stop();
    for (std::size_t i = 0; i < lcores_.size(); ++i) rte_eal_wait_lcore(static_cast<unsigned>(i));
  }

  Nanoseconds oldest_progress() const {
    const std::uint64_t now = rte_rdtsc();
    std::uint64_t oldest = 0;
    for (const Lcore& lcore : lcores_) {
      const std::uint64_t at = lcore.worker->progress_tsc();
      oldest = std::max(oldest, now > at ? now - at : 0);
    }
    return clock_->span(oldest);
  }

  template <class Act>
  Status on_each_steering(Act act) {
    for (const auto& port : ports_) {
      if (port->steering() == nullptr) continue;
      if (auto done = act(*port->steering()); !done) return done;
    }
    return Ok{};
  }

  EnginePortCounts port_counts(std::size_t port) const {
    const PortCounts c = ports_[port]->counts();
    SteerCounts steering;
    if (const Steering* program = ports_[port]->steering()) {
      if (auto counts = program->counts()) steering = *counts;
    }
    return {c.rx_packets,
            c.tx_packets,
            c.rx_missed,
            c.rx_errors,
            c.tx_errors,
            steering.redirected,
            steering.passed + steering.no_socket};
  }

 private:
  friend class Engine;

  struct Lcore {
    Impl* engine = nullptr;
    Memzone flow_memory;            // without kept_
    std::optional<KeptTable> kept;  // with it
    std::unique_ptr<FlowTable> flows;
    std::unique_ptr<LcoreCounters> counters;
    std::unique_ptr<Worker> worker;
  };

  static int launch(void* argument) {
    auto* lcore = static_cast<Lcore*>(argument);
    lcore->worker->run(*lcore->engine->publisher_);
    return 0;
  }

  [[nodiscard]] std::uint16_t queues() const { return static_cast<std::uint16_t>(settings_.cpus.size()); }

  [[nodiscard]] BufferCount buffer_count(std::size_t ports) const {
    return {ports * queues(), settings_.buffers_per_queue};
  }

  Status parse_ports(std::vector<Devargs>& devices) const {
    if (settings_.ports.empty()) return invalid("port", "at least one --port is needed");
    for (const std::string& text : settings_.ports) {
      auto parsed = parse_devargs(text);
      if (!parsed) return parsed.error();
      const bool twice = std::any_of(devices.begin(), devices.end(),
                                     [&](const Devargs& d) { return d.name == parsed->name; });
      if (twice) return invalid("port", "'" + parsed->name + "' is given twice");
      devices.push_back(std::move(parsed).value());
    }
    return Ok{};
  }

  // Asked of the kernel, since the ports do not exist before their memory does.
  static std::uint32_t expected_mtu(const std::vector<Devargs>& devices) {
    std::uint32_t mtu = 1500;
    for (const Devargs& device : devices) {
      if (const auto interface = device.argument("iface"))
        mtu = std::max(mtu, interface_mtu(*interface).value_or(0));
    }
    return mtu;
  }

  Status start_eal(const std::vector<Devargs>& devices) {
    const std::size_t flow_bytes = FlowTable::required_bytes(settings_.flows_per_lcore);
    const std::size_t lcores = settings_.cpus.size();
    EalSettings eal;
    eal.cpus = settings_.cpus;
    eal.memory_mb = settings_.memory_mb != 0
                        ? settings_.memory_mb
                        : memory_needed_mb(buffer_count(devices.size()), expected_mtu(devices),
                                           kept_ != nullptr ? 0 : lcores * flow_bytes, settings_.no_huge);
    eal.no_huge = settings_.no_huge;
    eal.debug_log = settings_.debug_log;
    eal.extra = settings_.eal_extra;
    for (const Devargs& device : devices) {
      if (device.is_pci) eal.pci.push_back(device.text);
    }
    if (eal.no_huge)
      spdlog::warn("without hugepages (--no-huge) flow lookups cost more, and most NICs cannot be used");
    auto started = Eal::init(eal);
    if (!started) return started.error();
    eal_ = std::move(started).value();
    clock_ = std::make_unique<TscClock>();
    return Ok{};
  }

  Status make_flows(unsigned index, Lcore& lcore) {
    const std::size_t bytes = FlowTable::required_bytes(settings_.flows_per_lcore);
    const Tick now = tick_of(monotonic_now());
    if (kept_ != nullptr) {
      auto table = kept_->table(index, bytes, static_cast<int>(rte_lcore_to_socket_id(index)), now);
      if (!table) return table.error();
      lcore.kept = std::move(table).value();
      lcore.flows = std::make_unique<FlowTable>(std::move(lcore.kept->flows));
      flow_origins_.push_back(lcore.kept->origin);
      return Ok{};
    }
    auto memory = make_flow_memory(index, bytes);
    if (!memory) return memory.error();
    lcore.flow_memory = std::move(memory).value();
    auto flows = FlowTable::create(bytes_of(lcore.flow_memory), 0, now);
    if (!flows) return flows.error();
    lcore.flows = std::make_unique<FlowTable>(std::move(flows).value());
    flow_origins_.emplace_back("new");
    return Ok{};
  }

  Status make_workers() {
    quiescence_ = std::make_unique<RcuQuiescence>(queues());
    lcores_.resize(settings_.cpus.size());
    for (unsigned i = 0; i < lcores_.size(); ++i) {
      Lcore& lcore = lcores_[i];
      lcore.engine = this;
      if (auto made = make_flows(i, lcore); !made) return made;
      lcore.counters = std::make_unique<LcoreCounters>(kMaxServiceIndexes, kMaxBackendIndexes);
      flow_views_.push_back(lcore.flows.get());
      counter_views_.push_back(lcore.counters.get());
    }
    return Ok{};
  }

  // With one worker, or without NAT, there is nothing to decide.
  Status steer_answers() {
    if (queues() == 1 || settings_.rare.nat.addresses.empty()) return Ok{};
    std::vector<RssShape> shapes;
    for (const auto& port : ports_) shapes.push_back(port->rss_shape());
    auto made = RssSteering::make(shapes, queues());
    if (!made) return made.error();
    rss_ = std::move(made).value();
    return Ok{};
  }

  // Of the NAT session table; nobody outside needs to know it, nor this worker after a restart.
  static Status make_key(std::span<std::uint8_t> key) {
    if (getrandom(key.data(), key.size(), 0) == static_cast<ssize_t>(key.size())) return Ok{};
    return unavailable("the kernel gives no random numbers");
  }

  Status start_ports(const std::vector<Devargs>& devices) {
    std::uint32_t mtu = 0;
    for (const Devargs& device : devices) {
      auto port = Port::probe(device, queues());
      if (!port) return port.error();
      mtu = std::max(mtu, (*port)->mtu());
      const auto& tagged = settings_.tagged_ports;
      if ((*port)->steering() != nullptr &&
          std::find(tagged.begin(), tagged.end(), device.name) != tagged.end())
        (*port)->steering()->want_tagged_frames();
      ports_.push_back(std::move(port).value());
    }
    auto buffers = make_buffers(buffer_count(ports_.size()), mtu);
    if (!buffers) return buffers.error();
    buffers_ = std::move(buffers).value();
    if (auto steered = steer_answers(); !steered) return steered;
    Worker::Settings common;
    common.idle = settings_.idle;
    common.buffers = buffers_.get();
    common.rare = settings_.rare;
    common.reports = settings_.reports;
    if (auto keyed = make_key(common.rare.nat.key); !keyed) return keyed;
    for (const auto& port : ports_) {
      auto started = port->start(
          queues(), settings_.idle.mode == IdleMode::kInterrupt, buffers_.get(),
          rss_ != nullptr ? rss_->key(port->rss_shape().key_bytes) : std::span<const std::uint8_t>());
      if (!started) return started;
      common.ports.push_back(port->id());
      port_views_.push_back({port->name(), port->interface(), port->mac(), port->mtu()});
      common.rare.nat.port_mtus.push_back(
          static_cast<std::uint16_t>(std::min<std::uint32_t>(port->mtu(), 0xffff)));
    }
    for (unsigned i = 0; i < lcores_.size(); ++i) {
      common.index = i;
      if (settings_.own != nullptr) common.rare.own = &settings_.own->worker(i);
      if (rss_ != nullptr) common.rare.nat.steering = &rss_->of_worker(i);
      if (!settings_.nat_events.empty()) common.rare.nat.events = settings_.nat_events[i];
      lcores_[i].worker =
          std::make_unique<Worker>(common, *lcores_[i].flows, *lcores_[i].counters, *quiescence_);
    }
    return Ok{};
  }

  const EngineSettings settings_;
  RestartState* const kept_;
  // In the order in which they are made; destroyed the other way round, ports before buffers before EAL.
  std::unique_ptr<Eal> eal_;
  std::unique_ptr<TscClock> clock_;
  std::unique_ptr<RcuQuiescence> quiescence_;
  Mempool buffers_;
  std::unique_ptr<RssSteering> rss_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<Lcore> lcores_;
  std::vector<EnginePort> port_views_;
  std::vector<LcoreCounters*> counter_views_;
  std::vector<FlowTable*> flow_views_;
  std::vector<std::string> flow_origins_;
  const Publisher* publisher_ = nullptr;
  bool running_ = false;
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::open(const EngineSettings& settings, RestartState* kept) {
  try {
    auto impl = std::make_unique<Impl>(settings, kept);
    if (auto opened = impl->open(); !opened) return opened.error();
    return std::unique_ptr<Engine>(new Engine(std::move(impl)));
  } catch (const std::bad_alloc&) {
    return unavailable("out of memory while starting");
  }
}

void Engine::run(const Publisher& publisher) { impl_->run(publisher); }
void Engine::stop() { impl_->stop(); }
Quiescence& Engine::quiescence() { return *impl_->quiescence_; }
const std::vector<EnginePort>& Engine::ports() const { return impl_->port_views_; }
const std::vector<LcoreCounters*>& Engine::counters() const { return impl_->counter_views_; }
const std::vector<FlowTable*>& Engine::flows() const { return impl_->flow_views_; }
const std::vector<std::string>& Engine::flow_origins() const { return impl_->flow_origins_; }
Nanoseconds Engine::oldest_progress() const { return impl_->oldest_progress(); }
EnginePortCounts Engine::port_counts(std::size_t port) const { return impl_->port_counts(port); }

Status Engine::steer(const VipPrefix& vip) {
  return impl_->on_each_steering([&](Steering& s) { return s.add(vip); });
}
Status Engine::unsteer(const VipPrefix& vip) {
  return impl_->on_each_steering([&](Steering& s) { return s.remove(vip); });
}
Status Engine::steer_own(const std::set<IpAddr>& addresses) {
  return impl_->on_each_steering([&](Steering& s) { return s.set_own(addresses); });
}
Status Engine::set_steering_mac(std::size_t port, const MacAddr& mac) {
  Steering* steering = impl_->ports_[port]->steering();
  return steering == nullptr ? Status(Ok{}) : steering->set_mac(mac);
}

}  // namespace penstock
