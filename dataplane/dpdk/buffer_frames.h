// Extra frames of a burst in buffers of the pool that all received frames come from. Private to dpdk/ (it
// includes rte_*).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/pipeline/packet.h"

namespace penstock {

/// ExtraFrame::handle is the rte_mbuf. The worker frees what it does not send.
class BufferFrames final : public FrameSource {
 public:
  explicit BufferFrames(rte_mempool* pool) noexcept : pool_(pool) {}

  ExtraFrame take(std::uint32_t length) noexcept override {
    if (length > UINT16_MAX) return {};
    rte_mbuf* buffer = rte_pktmbuf_alloc(pool_);
    if (buffer == nullptr) return {};
    char* data = rte_pktmbuf_append(buffer, static_cast<std::uint16_t>(length));
    if (data == nullptr) {
      rte_pktmbuf_free(buffer);
      return {};
    }
    return {reinterpret_cast<std::uint8_t*>(data), length, 0, buffer};
  }

 private:
  rte_mempool* pool_;
};

}  // namespace penstock
