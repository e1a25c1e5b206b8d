// (VIP, protocol, port) -> service, and a fast way out for everything else.
//
// Most lookups are settled by one bit: a filter over the VIP addresses (about 16 bits an address) tells
// strangers' packets apart without touching the tables. The tables are open-addressed, at most half full, and
// also hold each VIP by itself, which is how a VIP without a matching service is recognised.
//
// A packet's first and, for plain configurations, only step is the exact find_v4/_v6: one address, one port,
// one protocol, which no other key can go before (vip_key.h). After a miss find_wide_v4/_v6 looks for the
// rest, where there is any: of each prefix length in use, the longest first, one probe with the masked
// address leads to that prefix's keys, sorted by rank, protocol and port.
//
// Immutable once built; lookups from any thread. Addresses and ports are raw, as they lie in the packet.
#pragma once

#include <array>
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

  /// Keys must be distinct and ranges of one VIP and protocol must not overlap; validate() has seen to it.
  /// nat_addresses: the gateway's own, to which backends in NAT mode answer.
  explicit VipClassifier(std::span<const Entry> entries, std::span<const IpAddr> nat_addresses = {});

  /// False: neither a VIP nor a NAT address. True: ask.
  [[nodiscard]] bool may_be_vip_v4(std::uint32_t vip) const noexcept {
    return filtered(mix_v4(vip)) || wide_v4_.has_prefixes;
  }
  [[nodiscard]] bool may_be_vip_v6(const std::uint8_t* vip) const noexcept {
    return filtered(mix_v6(vip)) || wide_v6_.has_prefixes;
  }

  /// The service of exactly this address, port and protocol; kNoServiceIndex if there is none.
  [[nodiscard]] ServiceIndex find_v4(std::uint32_t vip, std::uint16_t port_raw,
                                     std::uint8_t protocol) const noexcept {
    return look_up_v4(key_v4(vip, port_raw, protocol));
  }
  [[nodiscard]] ServiceIndex find_v6(const std::uint8_t* vip, std::uint16_t port_raw,
                                     std::uint8_t protocol) const noexcept {
    return look_up_v6(vip, rest_v6(port_raw, protocol));
  }

  /// After find_v4/_v6 found nothing: the service of the prefix, range, port wildcard or kAnyProtocol that
  /// goes before the others; kNoServiceIndex if there is none.
  [[nodiscard]] ServiceIndex find_wide_v4(std::uint32_t vip, std::uint16_t port_raw,
                                          std::uint8_t protocol) const noexcept;
  [[nodiscard]] ServiceIndex find_wide_v6(const std::uint8_t* vip, std::uint16_t port_raw,
                                          std::uint8_t protocol) const noexcept;

  /// A VIP, or an address of a VIP prefix. Exact, unlike may_be_vip_*.
  [[nodiscard]] bool is_vip_v4(std::uint32_t vip) const noexcept;
  [[nodiscard]] bool is_vip_v6(const std::uint8_t* vip) const noexcept;

  /// Exact. Unless a service has the address as its VIP and takes the packet, it is of a NAT flow's backend.
  [[nodiscard]] bool is_nat_address_v4(std::uint32_t address) const noexcept {
    return look_up_v4(key_v4(address, 0, 0) | std::uint64_t{kNatMark} << kMarkShiftV4) != kNoServiceIndex;
  }
  [[nodiscard]] bool is_nat_address_v6(const std::uint8_t* address) const noexcept {
    return look_up_v6(address, rest_v6(0, 0) | kNatMark << kMarkShiftV6) != kNoServiceIndex;
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

  // One key of a prefix: the protocols and ports from `first` to `last`, each protocol << 16 | port.
  struct Span {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    ServiceIndex service = kNoServiceIndex;
  };
  // How keys of the same prefix go before one another. Within a rank spans do not overlap.
  static constexpr std::size_t kRanks = 4;  // one port, a range, every port, every protocol
  // The keys of one prefix, in spans_: those of rank r from begin[r] to begin[r + 1], sorted.
  struct Group {
    std::array<std::uint32_t, kRanks + 1> begin{};
  };
  struct Wide {
    std::vector<unsigned> lengths;  // of the prefixes that have a group, the longest first
    bool has_prefixes = false;      // any of them shorter than a whole address
  };

  static constexpr std::uint64_t kMultiplier = 0x9e37'79b9'7f4a'7c15;  // 2^64 / golden ratio

  // What a slot is when it is no service's: these keys have bits that no packet's have.
  static constexpr std::uint32_t kVipMark = 1;    // the VIP by itself
  static constexpr std::uint32_t kNatMark = 2;    // a NAT address by itself
  static constexpr std::uint32_t kGroupMark = 4;  // a prefix, its length in place of the port
  static constexpr unsigned kMarkShiftV4 = 56;
  static constexpr unsigned kMarkShiftV6 = 24;

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
  [[nodiscard]] ServiceIndex look_up_v4(std::uint64_t wanted) const noexcept {
    for (std::size_t i = slot_v4(wanted);; i = (i + 1) & mask_v4_) {
      const SlotV4& slot = v4_[i];
      if (slot.key == wanted) return slot.service;
      if (slot.key == 0) return kNoServiceIndex;
    }
  }
  [[nodiscard]] ServiceIndex look_up_v6(const std::uint8_t* vip, std::uint32_t rest) const noexcept {
    for (std::size_t i = slot_v6(mix_v6(vip), rest);; i = (i + 1) & mask_v6_) {
      const SlotV6& slot = v6_[i];
      if (slot.rest == rest && std::memcmp(slot.vip, vip, 16) == 0) return slot.service;
      if (slot.rest == 0) return kNoServiceIndex;
    }
  }
  // Positions in groups_, or kNoServiceIndex.
  [[nodiscard]] std::uint32_t group_v4(std::uint32_t vip, unsigned bits) const noexcept;
  [[nodiscard]] std::uint32_t group_v6(const std::uint8_t* vip, unsigned bits) const noexcept;
  [[nodiscard]] ServiceIndex find_in_group(const Group& group, std::uint32_t wanted) const noexcept;

  void insert(const IpAddr& address, std::uint16_t port_raw, std::uint8_t protocol, std::uint32_t mark,
              ServiceIndex service);
  void insert_v4(std::uint64_t key, ServiceIndex service);
  void insert_v6(const std::uint8_t* vip, std::uint32_t rest, ServiceIndex service);
  void admit(const IpAddr& address);
  void add_wide(std::span<const Entry> entries);
  void add_group(std::span<const Entry> members);

  std::vector<std::uint64_t> filter_;
  unsigned filter_shift_ = 0;
  std::vector<SlotV4> v4_;
  std::size_t mask_v4_ = 0;
  unsigned shift_v4_ = 0;
  Wide wide_v4_;
  std::vector<SlotV6> v6_;
  std::size_t mask_v6_ = 0;
  unsigned shift_v6_ = 0;
  Wide wide_v6_;
  std::vector<Group> groups_;
  std::vector<Span> spans_;
};

}  // namespace penstock
