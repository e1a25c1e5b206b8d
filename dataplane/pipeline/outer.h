// What is put in front of a packet: a backend's ready-made headers, and perhaps the hops that its GUE header
// is to carry.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/config/backend_record.h"

namespace penstock {

struct Outer {
  const BackendRecord& record;
  std::span<const std::uint8_t> hops = {};  // addresses of the outer family, one after the other; GUE only

  /// Bytes in front of the IP packet, without the outer Ethernet header.
  [[nodiscard]] std::uint32_t overhead() const noexcept {
    return record.overhead + static_cast<std::uint32_t>(hops.size());
  }
};

}  // namespace penstock
