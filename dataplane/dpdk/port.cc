#include "dataplane/dpdk/port.h"

#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "dataplane/dpdk/dpdk_log.h"

namespace penstock {
namespace {

constexpr std::uint16_t kDescriptors = 1024;

// The sentence with which a driver refuses is in its log line only.
Error refused(const std::string& port, const std::string& step, int code) {
  const std::string complaint = take_dpdk_complaint();
  return unavailable("port " + port + ": " + step + ": " +
                     (complaint.empty() ? std::string(rte_strerror(-code)) : complaint));
}

Result<std::string> with_queue_count(const Devargs& devargs, std::uint16_t queues) {
  const auto given = devargs.argument("queue_count");
  const std::string wanted = std::to_string(queues);
  if (given && *given != wanted) {
    return invalid("port", "port " + devargs.name + " has queue_count=" + *given + ", but there are " +
                               wanted + " lcores, and each polls one queue");
  }
  return given || queues == 1 ? devargs.text : devargs.text + ",queue_count=" + wanted;
}

// Frames longer than a buffer come in several, where the device can do that.
std::uint64_t scatter_needed(std::uint32_t mtu, const rte_mempool* buffers) {
  constexpr std::uint32_t kLink = 14 + 8 + 4;  // Ethernet, two VLAN tags, checksum
  const std::uint32_t room =
      rte_pktmbuf_data_room_size(const_cast<rte_mempool*>(buffers)) - RTE_PKTMBUF_HEADROOM;
  return mtu + kLink > room ? RTE_ETH_RX_OFFLOAD_SCATTER : 0;
}

}  // namespace

std::optional<std::uint32_t> interface_mtu(const std::string& interface) {
  ifreq request{};
  std::strncpy(request.ifr_name, interface.c_str(), IFNAMSIZ - 1);
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  const bool known = ioctl(fd, SIOCGIFMTU, &request) == 0;
  close(fd);
  return known ? std::optional<std::uint32_t>(request.ifr_mtu) : std::nullopt;
}

Result<std::unique_ptr<Port>> Port::probe(const Devargs& devargs, std::uint16_t queues) {
  std::unique_ptr<Port> port(new Port());
  port->name_ = devargs.name;
  port->interface_ = devargs.argument("iface");
  // net_vhost calls its socket's path so; no interface has a slash in its name.
  if (port->interface_ && port->interface_->find('/') != std::string::npos) port->interface_.reset();
  std::string text = devargs.text;
  if (devargs.is_af_xdp) {
    auto steering = Steering::claim(*port->interface_);
    if (!steering) return steering.error();
    port->steering_ = std::move(steering).value();
    auto sized = with_queue_count(devargs, queues);
    if (!sized) return sized.error();
    text = *sized + ",xdp_prog=" + port->steering_->program_path();
  }
  take_dpdk_complaint();
  if (!devargs.is_pci) {
    if (const int code = rte_dev_probe(text.c_str()); code != 0) {
      Error error = refused(devargs.name, "refused (is the driver's name right, and every argument?)", code);
      error.code = ErrorCode::kInvalidArgument;
      return error;
    }
  }
  if (rte_eth_dev_get_port_by_name(devargs.name.c_str(), &port->id_) != 0) {
    return unavailable("port " + devargs.name +
                       ": no such network device, or it is not bound to a DPDK driver (dpdk-devbind.py -s)");
  }
  port->probed_ = true;
  return port;
}

Port::~Port() {
  if (started_) rte_eth_dev_stop(id_);
  if (probed_) rte_eth_dev_close(id_);
}

RssShape Port::rss_shape() const {
  constexpr std::uint64_t kByPorts = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |
                                     RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;
  rte_eth_dev_info info{};
  if (rte_eth_dev_info_get(id_, &info) != 0) return {name_};
  return {name_, (info.flow_type_rss_offloads & kByPorts) == kByPorts, info.reta_size, info.hash_key_size};
}

Status Port::point_rss_table(std::uint16_t queues) {
  const std::uint16_t entries = rss_shape().table_entries;
  std::vector<rte_eth_rss_reta_entry64> table((entries + RTE_ETH_RETA_GROUP_SIZE - 1) /
                                              RTE_ETH_RETA_GROUP_SIZE);
  for (std::uint16_t i = 0; i < entries; ++i) {
    rte_eth_rss_reta_entry64& group = table[i / RTE_ETH_RETA_GROUP_SIZE];
    group.mask |= std::uint64_t{1} << i % RTE_ETH_RETA_GROUP_SIZE;
    group.reta[i % RTE_ETH_RETA_GROUP_SIZE] = static_cast<std::uint16_t>(i % queues);
  }
  take_dpdk_complaint();
  if (const int code = rte_eth_dev_rss_reta_update(id_, table.data(), entries); code != 0) {
    Error error = refused(name_, "RSS indirection table for NAT over several CPUs", code);
    error.code = ErrorCode::kInvalidArgument;
    return error;
  }
  return Ok{};
}

Status Port::configure(std::uint16_t queues, bool interrupts, const rte_mempool* buffers,
                       std::span<const std::uint8_t> rss_key) {
  rte_eth_dev_info info{};
  if (const int code = rte_eth_dev_info_get(id_, &info); code != 0) return refused(name_, "unreadable", code);
  const std::uint16_t most = std::min(info.max_rx_queues, info.max_tx_queues);
  if (most < queues) {
    return invalid("lcores", "port " + name_ + " has " + std::to_string(most) + " queue(s) but there are " +
                                 std::to_string(queues) + " lcores, and each needs one");
  }
  rte_eth_conf conf{};
  conf.intr_conf.rxq = interrupts ? 1 : 0;
  constexpr std::uint64_t kHashOn = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;
  if (queues > 1 && (info.flow_type_rss_offloads & kHashOn) != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & kHashOn;
    if (!rss_key.empty()) {
      conf.rx_adv_conf.rss_conf.rss_key = const_cast<std::uint8_t*>(rss_key.data());
      conf.rx_adv_conf.rss_conf.rss_key_len = static_cast<std::uint8_t>(rss_key.size());
    }
  }
  conf.rxmode.offloads = info.rx_offload_capa & scatter_needed(mtu(), buffers);
  conf.txmode.offloads |= info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  // All buffers come from one pool and none is shared, which is what fast free asks for.
  conf.txmode.offloads |= info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
  if (const int code = rte_eth_dev_configure(id_, queues, queues, &conf); code != 0) {
    return refused(name_, "cannot be configured", code);
  }
  return Ok{};
}

Status Port::check_interrupts(std::uint16_t queues) const {
  for (std::uint16_t queue = 0; queue < queues; ++queue) {
    if (rte_eth_dev_rx_intr_ctl_q_get_fd(id_, queue) < 0 || rte_eth_dev_rx_intr_enable(id_, queue) != 0) {
      return invalid("idle", "port " + name_ + " has no RX interrupts; use spin, pause or sleep:US");
    }
    rte_eth_dev_rx_intr_disable(id_, queue);
  }
  return Ok{};
}

Status Port::start(std::uint16_t queues, bool interrupts, rte_mempool* buffers,
                   std::span<const std::uint8_t> rss_key) {
  if (auto configured = configure(queues, interrupts, buffers, rss_key); !configured) return configured;
  std::uint16_t rx = kDescriptors;
  std::uint16_t tx = kDescriptors;
  rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx, &tx);
  const int socket = rte_eth_dev_socket_id(id_);
  for (std::uint16_t queue = 0; queue < queues; ++queue) {
    take_dpdk_complaint();
    int code = rte_eth_rx_queue_setup(id_, queue, rx, static_cast<unsigned>(socket), nullptr, buffers);
    if (code != 0) return refused(name_, "RX queue " + std::to_string(queue), code);
    code = rte_eth_tx_queue_setup(id_, queue, tx, static_cast<unsigned>(socket), nullptr);
    if (code != 0) return refused(name_, "TX queue " + std::to_string(queue), code);
  }
  if (steering_ != nullptr) {
    if (auto attached = steering_->attach_maps(); !attached) return attached;
  }
  if (const int code = rte_eth_dev_start(id_); code != 0) return refused(name_, "cannot be started", code);
  started_ = true;
  if (!rss_key.empty()) {
    if (auto pointed = point_rss_table(queues); !pointed) return pointed;
  }
  return interrupts ? check_interrupts(queues) : Ok{};
}

MacAddr Port::mac() const {
  rte_ether_addr address{};
  MacAddr mac;
  if (rte_eth_macaddr_get(id_, &address) == 0) std::copy_n(address.addr_bytes, 6, mac.bytes.begin());
  return mac;
}

std::uint32_t Port::mtu() const {
  // A driver over a kernel interface answers 1500 whatever the interface is set to.
  if (interface_) {
    if (const auto known = interface_mtu(*interface_)) return *known;
  }
  std::uint16_t mtu = 1500;
  rte_eth_dev_get_mtu(id_, &mtu);
  return mtu;
}

PortCounts Port::counts() const {
  rte_eth_stats stats{};
  if (rte_eth_stats_get(id_, &stats) != 0) return {};
  return {stats.ipackets, stats.opackets, stats.imissed, stats.ierrors + stats.rx_nombuf, stats.oerrors};
}

}  // namespace penstock
