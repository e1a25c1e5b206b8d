// One worker as production has it, and traffic for it, without EAL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/config/compiler.h"
#include "dataplane/pipeline/pipeline.h"
#include "perf/micro/flowtable/huge_memory.h"

namespace penstock::perf {

struct WorldShape {
  Encap encap = Encap::kIpip;
  bool vip_v6 = false;
  bool backend_v6 = false;
  int services = 1;
  int backends_each = 100;
  std::size_t flow_capacity = 1'000'000;
  int weight_changes = 0;  // that the snapshot has behind it, all weights up to ±50 %
};

/// Snapshot, flow table on hugepages, counters and pipeline.
class World {
 public:
  explicit World(const WorldShape& shape);

  /// Forgets all flows.
  void clear_flows();

  Burst burst;
  RareSettings rare;
  BackendStates states{kMaxBackendIndexes, kMaxServiceIndexes};
  ForeignFlows foreign{1'000'000};  // empty
  std::unique_ptr<const Snapshot> snapshot;
  HugeMemory flow_memory;
  std::unique_ptr<FlowTable> flows;
  LcoreCounters counters;
  std::unique_ptr<Pipeline> pipeline;
  Nanoseconds now = Nanoseconds::from_seconds(1000);
};

/// Buffers like DPDK's: 2,368 bytes apart, packets 128 bytes in, on hugepages; re-used round robin, 1,024 of
/// them, so that a packet's lines are in the second-level cache, as they are when a NIC or a copy has just
/// put them into a cache. Each packet is written anew: 64 bytes from a template, then the client's address.
class PacketPool {
 public:
  struct Aim {
    bool v6 = false;
    int services = 1;
    bool to_vip = true;
    std::uint8_t tcp_flags = 0x10;
  };
  explicit PacketPool(const Aim& aim);

  /// The burst's packets become those of these flows. A flow number below 2^24 names a client address.
  void fill(Burst& burst, std::span<const std::uint32_t> flows) noexcept;

 private:
  static constexpr std::size_t kBuffers = 1024;
  static constexpr std::size_t kStride = 2368;
  static constexpr std::size_t kHeadroom = 128;

  Aim aim_;
  HugeMemory memory_;
  alignas(64) std::uint8_t frame_[128] = {};
  std::uint32_t frame_length_ = 0;
  std::uint32_t client_offset_ = 0;  // of the client address's last four bytes
  std::uint32_t port_offset_ = 0;    // of the destination port
  std::size_t next_ = 0;
};

/// 0 ... count-1 in random order, repeated up to a whole number of bursts.
[[nodiscard]] std::vector<std::uint32_t> shuffled_flows(std::size_t count);

}  // namespace penstock::perf
