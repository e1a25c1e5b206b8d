#include "dataplane/nat/tcp_header.h"

#include <algorithm>

namespace penstock {

void lower_mss(IpPacket& packet, std::uint32_t most, std::uint32_t reserve) noexcept {
  TcpEdit edit(packet);
  edit.each_option([&](std::span<std::uint8_t> option) {
    if (option[0] != kTcpOptionMss || option.size() != 4) return;
    const std::uint32_t offered = static_cast<std::uint32_t>(option[2]) << 8 | option[3];
    const std::uint32_t fits = std::min(offered, most);
    // A segment of one byte still moves; nothing sensible offers so little.
    const std::uint32_t lowered = fits > reserve ? fits - reserve : 1;
    option[2] = static_cast<std::uint8_t>(lowered >> 8);
    option[3] = static_cast<std::uint8_t>(lowered);
  });
}

}  // namespace penstock
