// (VIP, protocol, port) -> service, and a fast way out for everything else.
//
// Most lookups are settled by one bit: a filter over the VIP addresses (about 16 bits an address) tells
// strangers' packets apart without touching the tables. The tables are open-addressed, at most half full, and
// also hold each VIP under protocol 0 and port 0, which is how a VIP without a matching service is
// recognised.
//
// Immutable once built; lookups from any thread. Addresses and ports are raw, as they lie in the packet.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "penstock/config/vip_key.h"

namespace penstock {

/// Index of a service's record, counters and timeouts. Below kMaxServiceIndexes (compiler.h).
using ServiceIndex = std::uint32_t;
inline constexpr ServiceIndex kNoServiceIndex = 0xffff'ffff;
/// Set by the classifier, next to the index, for services whose packets need more than the fast path
/// (SpecialService). Nowhere else is an index stored with it.
inline constexpr ServiceIndex kSpecialService = 0x8000'0000;

class VipClassifier {
 public:
  struct Entry {
    VipKey key;
    ServiceIndex service;
  };

  /// Keys must be distinct; validate() has seen to it.
  explicit VipClassifier(std::span<const Entry> entries);

  [[nodiscard]] bool may_be_vip_v4(std::uint32_t vip) const noexcept { return filtered(mix_v4(vip)); }
  [[nodiscard]] bool may_be_vip_v6(const std::uint8_t* vip) const noexcept { return filtered(mix_v6(vip)); }

  /// kNoServiceIndex if there is none.
  [[nodiscard]] ServiceIndex find_v4(std::uint32_t vip, std::uint16_t port_raw,
                                     std::uint8_t protocol) const noexcept {
    const std::uint64_t wanted = key_v4(vip, port_raw, protocol);
    for (std::size_t i = slot_v4(wanted);; i = (i + 1) & mask_v4_) {
      const SlotV4& slot = v4_[i];
      if (slot.key == wanted) return slot.service;
      if (slot.key == 0) return kNoServiceIndex;
    }
  }
  [[nodiscard]] ServiceIndex find_v6(const std::uint8_t* vip, std::uint16_t port_raw,
                                     std::uint8_t protocol) const noexcept {
    const std::uint32_t rest = rest_v6(port_raw, protocol);
    for (std::size_t i = slot_v6(mix_v6(vip), rest);; i = (i + 1) & mask_v6_) {
      const SlotV6& slot = v6_[i];
      if (slot.rest == rest && std::memcmp(slot.vip, vip, 16) == 0) return slot.service;
      if (slot.rest == 0) return kNoServiceIndex;
    }
  }

  /// Exact, unlike may_be_vip_*.
  [[nodiscard]] bool is_vip_v4(std::uint32_t vip) const noexcept {
    return find_v4(vip, 0, 0) != kNoServiceIndex;
  }
  [[nodiscard]] bool is_vip_v6(const std::uint8_t* vip) const noexcept {
    return find_v6(vip, 0, 0) != kNoServiceIndex;
  }

  /// The most slots that any lookup visits: how well the keys are spread. Off the hot path.
  [[nodiscard]] std::size_t longest_probe() const noexcept;

 private:
  struct SlotV4 {
    std::uint64_t key = 0;  // 0 = free
    ServiceIndex service = kNoServiceIndex;
    std::uint32_t unused = 0;
  };
  struct SlotV6 {
    std::uint8_t vip[16] = {};
    std::uint32_t rest = 0;  // 0 = free
    ServiceIndex service = kNoServiceIndex;
    std::uint64_t unused = 0;
  };
  static_assert(sizeof(SlotV4) == 16 && sizeof(SlotV6) == 32, "no slot straddles two cache lines");

  static constexpr std::uint64_t kMultiplier = 0x9e37'79b9'7f4a'7c15;  // 2^64 / golden ratio

  // A bit that every key has keeps the key of 0.0.0.0, port 0 apart from a free slot.
  static std::uint64_t key_v4(std::uint32_t vip, std::uint16_t port_raw, std::uint8_t protocol) noexcept {
    return vip | static_cast<std::uint64_t>(port_raw) << 32 | static_cast<std::uint64_t>(protocol) << 48 |
           std::uint64_t{1} << 63;
  }
  static std::uint32_t rest_v6(std::uint16_t port_raw, std::uint8_t protocol) noexcept {
    return port_raw | static_cast<std::uint32_t>(protocol) << 16 | 1U << 31;
  }
  static std::uint64_t mix_v4(std::uint32_t vip) noexcept { return vip * kMultiplier; }
  static std::uint64_t mix_v6(const std::uint8_t* vip) noexcept {
    std::uint64_t high;
    std::uint64_t low;
    std::memcpy(&high, vip, 8);
    std::memcpy(&low, vip + 8, 8);
    return (high * kMultiplier ^ std::rotr(low, 29)) * kMultiplier;
  }
  // Only the top bits of a product depend on all bits of the key; neighbouring ports would collide in others.
  [[nodiscard]] bool filtered(std::uint64_t mixed) const noexcept {
    const std::uint64_t bit = mixed >> filter_shift_;
    return (filter_[bit / 64] >> (bit % 64) & 1) != 0;
  }
  [[nodiscard]] std::size_t slot_v4(std::uint64_t key) const noexcept {
    return static_cast<std::size_t>(key * kMultiplier >> shift_v4_);
  }
  [[nodiscard]] std::size_t slot_v6(std::uint64_t mixed, std::uint32_t rest) const noexcept {
    return static_cast<std::size_t>((mixed ^ rest) * kMultiplier >> shift_v6_);
  }
  void insert_v4(std::uint64_t key, ServiceIndex service);
  void insert_v6(const std::uint8_t* vip, std::uint32_t rest, ServiceIndex service);
  void admit(std::uint64_t mixed);

  std::vector<std::uint64_t> filter_;
  unsigned filter_shift_ = 0;
  std::vector<SlotV4> v4_;
  std::size_t mask_v4_ = 0;
  unsigned shift_v4_ = 0;
  std::vector<SlotV6> v6_;
  std::size_t mask_v6_ = 0;
  unsigned shift_v6_ = 0;
};

}  // namespace penstock
