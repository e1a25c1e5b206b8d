// One Ethernet device of DPDK: probed, configured with one RX and one TX queue per worker, started, and
// closed with everything that it made in the kernel. Start-up and shutdown only; the workers call rte_eth_*
// themselves.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "dataplane/dpdk/devargs.h"
#include "dataplane/dpdk/rss_steering.h"
#include "dataplane/dpdk/steering.h"
#include "penstock/base/result.h"
#include "penstock/net/addr.h"

struct rte_mempool;

namespace penstock {

struct PortCounts {
  std::uint64_t rx_packets = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t rx_missed = 0;  // dropped by the device for want of descriptors
  std::uint64_t rx_errors = 0;  // buffers that could not be allocated included
  std::uint64_t tx_errors = 0;
};

/// Of a kernel interface, in bytes of IP; nothing when there is no such interface.
std::optional<std::uint32_t> interface_mtu(const std::string& interface);

class Port {
 public:
  /// Makes the device known to DPDK; on AF_XDP claims the interface first. EAL runs.
  /// InvalidArgument (field "port"): unknown driver or arguments; others as Steering::claim.
  static Result<std::unique_ptr<Port>> probe(const Devargs& devargs, std::uint16_t queues);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  /// interrupts: RX interrupts are needed; InvalidArgument (field "idle") when the driver has none.
  /// rss_key: what the device is to hash with, entry i of its table pointing at queue i mod queues; empty:
  /// as the driver likes. InvalidArgument (field "nat_source") when it does not take them.
  Status start(std::uint16_t queues, bool interrupts, rte_mempool* buffers,
               std::span<const std::uint8_t> rss_key = {});
  [[nodiscard]] RssShape rss_shape() const;

  [[nodiscard]] std::uint16_t id() const { return id_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] MacAddr mac() const;
  [[nodiscard]] std::uint32_t mtu() const;
  /// The kernel's interface under the port, as its devargs tell.
  [[nodiscard]] const std::optional<std::string>& interface() const { return interface_; }
  [[nodiscard]] Steering* steering() const { return steering_.get(); }
  [[nodiscard]] PortCounts counts() const;

 private:
  Port() = default;
  Status configure(std::uint16_t queues, bool interrupts, const rte_mempool* buffers,
                   std::span<const std::uint8_t> rss_key);
  Status point_rss_table(std::uint16_t queues);
  [[nodiscard]] Status check_interrupts(std::uint16_t queues) const;

  std::string name_;
  std::optional<std::string> interface_;
  std::unique_ptr<Steering> steering_;
  std::uint16_t id_ = 0;
  bool probed_ = false;
  bool started_ = false;
};

}  // namespace penstock
