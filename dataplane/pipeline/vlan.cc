#include "dataplane/pipeline/vlan.h"

#include <cstring>

#include "penstock/net/headers.h"

namespace penstock {

namespace {

constexpr std::uint32_t kMacs = 12;

bool is_tag(const std::uint8_t* type) noexcept {
  std::uint16_t raw;
  std::memcpy(&raw, type, sizeof raw);
  return raw == be16(kEtherTypeVlan).raw() || raw == be16(kEtherTypeQinq).raw();
}

}  // namespace

std::uint32_t count_tag_bytes(const PacketView& p) noexcept {
  std::uint32_t bytes = 0;
  while (bytes < sizeof p.tags && p.length >= sizeof(EthernetHeader) + bytes &&
         is_tag(p.data + kMacs + bytes)) {
    bytes += kVlanTag;
    if (p.length < sizeof(EthernetHeader) + bytes) return kCutTag;
  }
  return bytes;
}

void take_tags_off(PacketView& p, std::uint32_t tag_bytes) noexcept {
  const std::uint8_t* frame = p.data - tag_bytes;
  std::memcpy(p.tags.data(), frame + kMacs, tag_bytes);
  std::memmove(p.data, frame, kMacs);
  p.tag_bytes = static_cast<std::uint8_t>(tag_bytes);
}

void put_tags_back(PacketView& p) noexcept {
  std::uint8_t* frame = p.data - p.tag_bytes;
  std::memmove(frame, p.data, kMacs);
  std::memcpy(frame + kMacs, p.tags.data(), p.tag_bytes);
  p.data = frame;
  p.length += p.tag_bytes;
  p.headroom -= p.tag_bytes;
}

void put_tags(std::span<const VlanRule> rules, PacketView& p) noexcept {
  const VlanRule rule = p.egress_port < rules.size() ? rules[p.egress_port] : VlanRule{};
  if (rule.action == VlanRule::Action::kStrip) return;
  if (rule.action == VlanRule::Action::kReplace) {
    p.tags = rule.tags;
    p.tag_bytes = rule.tag_bytes;
  }
  put_tags_back(p);
}

}  // namespace penstock
