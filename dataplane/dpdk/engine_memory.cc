#include "dataplane/dpdk/engine_memory.h"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_memzone.h>

#include <algorithm>
#include <string>

namespace penstock {
namespace {

constexpr std::uint32_t kBufferCache = 256;
constexpr std::uint32_t kFrameOverhead = 14 + 8;  // Ethernet and two VLAN tags
// AF_XDP lets the kernel put 256 bytes of its own before a frame and keep 320 behind it.
constexpr std::uint32_t kDriverReserve = 256 + 320;
constexpr std::uint32_t kLargestMtu = 9600;  // the loopback interface's 64 kB are not worth a buffer each
constexpr std::uint64_t kDriverMb = 64;

std::uint16_t data_room(std::uint32_t mtu) {
  const std::uint32_t frame = std::max<std::uint32_t>(
      RTE_MBUF_DEFAULT_DATAROOM, std::min(mtu, kLargestMtu) + kFrameOverhead + kDriverReserve);
  return static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + (frame + 63) / 64 * 64);
}

}  // namespace

void MempoolFree::operator()(rte_mempool* pool) const noexcept { rte_mempool_free(pool); }
void MemzoneFree::operator()(const rte_memzone* zone) const noexcept { rte_memzone_free(zone); }

Result<Mempool> make_buffers(BufferCount count, std::uint32_t mtu) {
  const auto buffers = static_cast<unsigned>(count.total() - 1);  // a pool's ring is fullest at 2^n - 1
  Mempool pool(
      rte_pktmbuf_pool_create("penstock_buffers", buffers, kBufferCache, 0, data_room(mtu), SOCKET_ID_ANY));
  if (!pool) {
    return unavailable("no memory for " + std::to_string(buffers) + " packet buffers (" +
                       std::string(rte_strerror(rte_errno)) +
                       "); give more with --memory-mb, or lower --buffers");
  }
  return pool;
}

Result<Memzone> make_flow_memory(unsigned lcore, std::size_t bytes) {
  const std::string name = "penstock_flows_" + std::to_string(lcore);
  constexpr unsigned kPage = 4096;
  Memzone zone(rte_memzone_reserve_aligned(name.c_str(), bytes,
                                           static_cast<int>(rte_lcore_to_socket_id(lcore)),
                                           RTE_MEMZONE_SIZE_HINT_ONLY, kPage));
  if (!zone) {
    return unavailable("no memory for a flow table of " + std::to_string(bytes >> 20) + " MB (" +
                       std::string(rte_strerror(rte_errno)) +
                       "); lower --flows or give more with --memory-mb");
  }
  return zone;
}

std::span<std::byte> bytes_of(const Memzone& zone) {
  return {static_cast<std::byte*>(zone->addr), zone->len};
}

std::uint64_t memory_needed_mb(BufferCount count, std::uint32_t mtu, std::size_t flow_bytes, bool no_huge) {
  constexpr std::size_t kBufferHeaders = 256;  // rte_mbuf and the pool's own
  constexpr std::size_t kPage = 4096;
  std::size_t buffer = data_room(mtu) + kBufferHeaders;
  // A buffer never straddles two pages, and ordinary ones are small.
  if (no_huge) buffer = (buffer + kPage - 1) / kPage * kPage;
  return ((count.total() * buffer + flow_bytes) >> 20) + kDriverMb;
}

}  // namespace penstock
