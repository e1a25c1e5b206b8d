// The memory that the engine takes from EAL, and how much of it there must be. Private to dpdk/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/dpdk/engine.h"
#include "penstock/base/result.h"

struct rte_mempool;
struct rte_memzone;

namespace penstock {

struct MempoolFree {
  void operator()(rte_mempool* pool) const noexcept;
};
using Mempool = std::unique_ptr<rte_mempool, MempoolFree>;

/// One pool of buffers for frames of up to `mtu` bytes of IP: as many for each queue, and once more for what
/// is between the queues.
struct BufferCount {
  std::size_t queues;  // of all ports together
  std::size_t per_queue = kDefaultBuffersPerQueue;

  [[nodiscard]] std::size_t total() const { return per_queue * (queues + 1); }
};
Result<Mempool> make_buffers(BufferCount count, std::uint32_t mtu);

struct MemzoneFree {
  void operator()(const rte_memzone* zone) const noexcept;
};
using Memzone = std::unique_ptr<const rte_memzone, MemzoneFree>;

/// Memory for one worker's flow table, on the NUMA node of its lcore. Page aligned.
Result<Memzone> make_flow_memory(unsigned lcore, std::size_t bytes);
std::span<std::byte> bytes_of(const Memzone& zone);

/// Megabytes that make_buffers(count, mtu) and flow tables of together flow_bytes take, with room for
/// drivers.
std::uint64_t memory_needed_mb(BufferCount count, std::uint32_t mtu, std::size_t flow_bytes, bool no_huge);

}  // namespace penstock
