#include "dataplane/config/vip_classifier.h"

#include <algorithm>
#include <tuple>

#include "penstock/net/byteorder.h"

namespace penstock {

namespace {

constexpr std::size_t kFilterBitsPerVip = 16;  // one address in 16 passes by mistake, and is told apart later
constexpr std::size_t kLeastFilterBits = 16384;  // 2 KiB: costs no cache worth mentioning

std::uint32_t raw_v4(const IpAddr& a) {
  std::uint32_t raw;
  std::memcpy(&raw, a.data(), 4);
  return raw;
}

// `bits`: 1 - 32.
std::uint32_t masked_v4(std::uint32_t raw, unsigned bits) noexcept {
  return raw & be32(~std::uint32_t{0} << (32 - bits)).raw();
}

// `bits`: 1 - 128.
std::array<std::uint8_t, 16> masked_v6(const std::uint8_t* address, unsigned bits) noexcept {
  std::array<std::uint8_t, 16> out{};
  const unsigned whole = bits / 8;
  std::memcpy(out.data(), address, whole);
  if (bits % 8 != 0) out[whole] = static_cast<std::uint8_t>(address[whole] & (0xff00U >> bits % 8));
  return out;
}

bool is_plain(const VipKey& key) {
  return !key.is_prefix() && key.is_one_port() && key.protocol != kAnyProtocol;
}

std::size_t rank_of(const VipKey& key) {
  if (key.protocol == kAnyProtocol) return 3;
  if (key.port == 0) return 2;
  return key.last_port != 0 ? 1 : 0;
}

// Of the same prefix.
bool share_group(const VipKey& a, const VipKey& b) { return a.vip == b.vip && a.bits() == b.bits(); }

}  // namespace

VipClassifier::VipClassifier(std::span<const Entry> entries, std::span<const IpAddr> nat_addresses) {
  const std::size_t addresses = entries.size() + nat_addresses.size();
  const std::size_t bits = std::bit_ceil(std::max(kLeastFilterBits, addresses * kFilterBitsPerVip));
  filter_.resize(bits / 64);
  filter_shift_ = 64 - static_cast<unsigned>(std::countr_zero(bits));

  const auto v6 = static_cast<std::size_t>(
      std::ranges::count_if(entries, [](const Entry& e) { return e.key.vip.is_v6(); }) +
      std::ranges::count_if(nat_addresses, &IpAddr::is_v6));
  // Each service brings at most two slots: its VIP's, and its key or that of its group. Half stay free.
  v4_.resize(std::bit_ceil(4 * (addresses - v6) + 2));
  v6_.resize(std::bit_ceil(4 * v6 + 2));
  mask_v4_ = v4_.size() - 1;
  mask_v6_ = v6_.size() - 1;
  shift_v4_ = 64 - static_cast<unsigned>(std::countr_zero(v4_.size()));
  shift_v6_ = 64 - static_cast<unsigned>(std::countr_zero(v6_.size()));

  for (const Entry& entry : entries) {
    const VipKey& key = entry.key;
    if (is_plain(key)) insert(key.vip, be16(key.port).raw(), key.protocol, 0, entry.service);
    if (key.is_prefix()) continue;
    const bool is_known =
        key.vip.is_v6()
            ? look_up_v6(key.vip.data(), rest_v6(0, 0) | kVipMark << kMarkShiftV6) != kNoServiceIndex
            : look_up_v4(key_v4(raw_v4(key.vip), 0, 0) | std::uint64_t{kVipMark} << kMarkShiftV4) !=
                  kNoServiceIndex;
    if (!is_known) insert(key.vip, 0, 0, kVipMark, 0);
    admit(key.vip);
  }
  for (const IpAddr& address : nat_addresses) {
    insert(address, 0, 0, kNatMark, 0);
    admit(address);
  }
  add_wide(entries);
}

// Sorts the keys that find_v4/_v6 does not know by prefix, and those of one prefix by rank and port.
void VipClassifier::add_wide(std::span<const Entry> entries) {
  std::vector<Entry> wide;
  std::ranges::copy_if(entries, std::back_inserter(wide), [](const Entry& e) { return !is_plain(e.key); });
  std::ranges::sort(wide, [](const Entry& a, const Entry& b) {
    const auto place = [](const VipKey& k) {
      return std::make_tuple(k.vip, k.bits(), rank_of(k), k.protocol, k.port);
    };
    return place(a.key) < place(b.key);
  });
  for (std::size_t from = 0; from < wide.size();) {
    std::size_t to = from + 1;
    while (to < wide.size() && share_group(wide[from].key, wide[to].key)) ++to;
    add_group(std::span(wide).subspan(from, to - from));
    from = to;
  }
  for (Wide* family : {&wide_v4_, &wide_v6_}) std::ranges::sort(family->lengths, std::greater<>());
}

void VipClassifier::add_group(std::span<const Entry> members) {
  const VipKey& prefix = members.front().key;
  const auto bits = static_cast<std::uint16_t>(prefix.bits());
  insert(prefix.vip, bits, 0, kGroupMark, static_cast<ServiceIndex>(groups_.size()));
  Wide& family = prefix.vip.is_v6() ? wide_v6_ : wide_v4_;
  if (std::ranges::find(family.lengths, bits) == family.lengths.end()) family.lengths.push_back(bits);
  family.has_prefixes |= prefix.is_prefix();

  Group group;
  group.begin.fill(static_cast<std::uint32_t>(spans_.size()));
  for (const Entry& member : members) {
    const VipKey& key = member.key;
    const std::size_t rank = rank_of(key);
    Span span{std::uint32_t{key.protocol} << 16 | key.port, 0, member.service};
    span.last = span.first;
    if (rank == 1) span.last = std::uint32_t{key.protocol} << 16 | key.last_port;
    if (rank == 2) span.last = span.first | 0xffff;
    if (rank == 3) span = {0, 0xff'ffff, member.service};
    spans_.push_back(span);
    for (std::size_t r = rank + 1; r <= kRanks; ++r)
      group.begin[r] = static_cast<std::uint32_t>(spans_.size());
  }
  groups_.push_back(group);
}

std::uint32_t VipClassifier::group_v4(std::uint32_t vip, unsigned bits) const noexcept {
  return look_up_v4(key_v4(masked_v4(vip, bits), static_cast<std::uint16_t>(bits), 0) |
                    std::uint64_t{kGroupMark} << kMarkShiftV4);
}

std::uint32_t VipClassifier::group_v6(const std::uint8_t* vip, unsigned bits) const noexcept {
  return look_up_v6(masked_v6(vip, bits).data(),
                    rest_v6(static_cast<std::uint16_t>(bits), 0) | kGroupMark << kMarkShiftV6);
}

ServiceIndex VipClassifier::find_in_group(const Group& group, std::uint32_t wanted) const noexcept {
  for (std::size_t rank = 0; rank < kRanks; ++rank) {
    const auto from = spans_.begin() + group.begin[rank];
    const auto to = spans_.begin() + group.begin[rank + 1];
    const auto after = std::upper_bound(
        from, to, wanted, [](std::uint32_t value, const Span& span) { return value < span.first; });
    if (after != from && wanted <= (after - 1)->last) return (after - 1)->service;
  }
  return kNoServiceIndex;
}

ServiceIndex VipClassifier::find_wide_v4(std::uint32_t vip, std::uint16_t port_raw,
                                         std::uint8_t protocol) const noexcept {
  const std::uint32_t wanted = std::uint32_t{protocol} << 16 | be16::from_raw(port_raw).host();
  for (const unsigned bits : wide_v4_.lengths) {
    const std::uint32_t group = group_v4(vip, bits);
    if (group == kNoServiceIndex) continue;
    const ServiceIndex found = find_in_group(groups_[group], wanted);
    if (found != kNoServiceIndex) return found;
  }
  return kNoServiceIndex;
}

ServiceIndex VipClassifier::find_wide_v6(const std::uint8_t* vip, std::uint16_t port_raw,
                                         std::uint8_t protocol) const noexcept {
  const std::uint32_t wanted = std::uint32_t{protocol} << 16 | be16::from_raw(port_raw).host();
  for (const unsigned bits : wide_v6_.lengths) {
    const std::uint32_t group = group_v6(vip, bits);
    if (group == kNoServiceIndex) continue;
    const ServiceIndex found = find_in_group(groups_[group], wanted);
    if (found != kNoServiceIndex) return found;
  }
  return kNoServiceIndex;
}

bool VipClassifier::is_vip_v4(std::uint32_t vip) const noexcept {
  if (look_up_v4(key_v4(vip, 0, 0) | std::uint64_t{kVipMark} << kMarkShiftV4) != kNoServiceIndex) return true;
  return wide_v4_.has_prefixes && std::ranges::any_of(wide_v4_.lengths, [&](unsigned bits) {
           return group_v4(vip, bits) != kNoServiceIndex;
         });
}

bool VipClassifier::is_vip_v6(const std::uint8_t* vip) const noexcept {
  if (look_up_v6(vip, rest_v6(0, 0) | kVipMark << kMarkShiftV6) != kNoServiceIndex) return true;
  return wide_v6_.has_prefixes && std::ranges::any_of(wide_v6_.lengths, [&](unsigned bits) {
           return group_v6(vip, bits) != kNoServiceIndex;
         });
}

std::size_t VipClassifier::longest_probe() const noexcept {
  // The longest run of occupied slots, and the free one that ends it; twice around for the run across the
  // end.
  std::size_t longest = 0;
  const auto scan = [&longest](const auto& slots, auto occupied) {
    std::size_t run = 0;
    for (std::size_t i = 0; i < 2 * slots.size(); ++i) {
      run = occupied(slots[i % slots.size()]) ? run + 1 : 0;
      longest = std::max(longest, run + 1);
    }
  };
  scan(v4_, [](const SlotV4& slot) { return slot.key != 0; });
  scan(v6_, [](const SlotV6& slot) { return slot.rest != 0; });
  return longest;
}

void VipClassifier::insert(const IpAddr& address, std::uint16_t port_raw, std::uint8_t protocol,
                           std::uint32_t mark, ServiceIndex service) {
  if (address.is_v4()) {
    insert_v4(key_v4(raw_v4(address), port_raw, protocol) | std::uint64_t{mark} << kMarkShiftV4, service);
  } else {
    insert_v6(address.data(), rest_v6(port_raw, protocol) | mark << kMarkShiftV6, service);
  }
}

void VipClassifier::insert_v4(std::uint64_t key, ServiceIndex service) {
  std::size_t i = slot_v4(key);
  while (v4_[i].key != 0) i = (i + 1) & mask_v4_;
  v4_[i].key = key;
  v4_[i].service = service;
}

void VipClassifier::insert_v6(const std::uint8_t* vip, std::uint32_t rest, ServiceIndex service) {
  std::size_t i = slot_v6(mix_v6(vip), rest);
  while (v6_[i].rest != 0) i = (i + 1) & mask_v6_;
  std::memcpy(v6_[i].vip, vip, 16);
  v6_[i].rest = rest;
  v6_[i].service = service;
}

void VipClassifier::admit(const IpAddr& address) {
  const std::uint64_t mixed = address.is_v4() ? mix_v4(raw_v4(address)) : mix_v6(address.data());
  const std::uint64_t bit = mixed >> filter_shift_;
  filter_[bit / 64] |= std::uint64_t{1} << (bit % 64);
}

}  // namespace penstock
