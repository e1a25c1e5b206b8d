// VLAN tags of a packet to a VIP (IEEE 802.1Q; two of them: 802.1ad, or 802.1Q twice): taken off before the
// stages look at the packet, put back when it leaves.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/pipeline/packet.h"

namespace penstock {

inline constexpr std::uint32_t kVlanTag = 4;  // bytes: type, then priority and VLAN

/// What becomes of a tagged packet's tags when it leaves by a port. Packets that came without a tag leave
/// without one.
struct VlanRule {
  enum class Action : std::uint8_t { kKeep, kStrip, kReplace };

  Action action = Action::kKeep;
  std::uint8_t tag_bytes = 0;          // kReplace: 4 or 8
  std::array<std::uint8_t, 8> tags{};  // kReplace: as on the wire, the outer one first

  bool operator==(const VlanRule&) const = default;
};

/// Bytes of tags behind the MAC addresses: 0, 4 or 8; of more than two tags those behind count as payload.
/// kCutTag: the frame ends within a tag.
inline constexpr std::uint32_t kCutTag = 0xffff'ffff;
[[nodiscard]] std::uint32_t count_tag_bytes(const PacketView& packet) noexcept;

/// Moves the MAC addresses over the tags, which go to `packet.tags`. The view already begins `tag_bytes`
/// behind the frame.
void take_tags_off(PacketView& packet, std::uint32_t tag_bytes) noexcept;

/// Puts the tags back that the packet came with, behind the MAC addresses that it has now. Needs
/// packet.tag_bytes of headroom.
void put_tags_back(PacketView& packet) noexcept;

/// The same for a packet that leaves by packet.egress_port, whose rule is rules[egress_port]; kKeep beyond
/// the end. Needs 8 bytes of headroom.
void put_tags(std::span<const VlanRule> rules, PacketView& packet) noexcept;

}  // namespace penstock
