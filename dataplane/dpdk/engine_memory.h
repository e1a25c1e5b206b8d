// The memory that the engine takes from EAL, and how much of it there must be. Private to dpdk/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "penstock/base/result.h"

struct rte_mempool;
struct rte_memzone;

namespace penstock {

struct MempoolFree {
  void operator()(rte_mempool* pool) const noexcept;
};
using Mempool = std::unique_ptr<rte_mempool, MempoolFree>;

/// Buffers for frames of up to `mtu` bytes of IP, enough for all queues' descriptors and what is in flight.
Result<Mempool> make_buffers(std::size_t queues, std::uint32_t mtu);

struct MemzoneFree {
  void operator()(const rte_memzone* zone) const noexcept;
};
using Memzone = std::unique_ptr<const rte_memzone, MemzoneFree>;

/// Memory for one worker's flow table, on the NUMA node of its lcore. Page aligned.
Result<Memzone> make_flow_memory(unsigned lcore, std::size_t bytes);
std::span<std::byte> bytes_of(const Memzone& zone);

/// Megabytes that make_buffers(queues, mtu) and flow tables of together flow_bytes take, with room for
/// drivers.
std::uint64_t memory_needed_mb(std::size_t queues, std::uint32_t mtu, std::size_t flow_bytes, bool no_huge);

}  // namespace penstock
