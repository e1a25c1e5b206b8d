#include "dataplane/config/vip_classifier.h"

#include <algorithm>

namespace penstock {

namespace {

constexpr std::size_t kFilterBitsPerVip = 16;  // one address in 16 passes by mistake, and is told apart later
constexpr std::size_t kLeastFilterBits = 16384;  // 2 KiB: costs no cache worth mentioning

std::uint32_t raw_v4(const IpAddr& a) {
  std::uint32_t raw;
  std::memcpy(&raw, a.data(), 4);
  return raw;
}

}  // namespace

VipClassifier::VipClassifier(std::span<const Entry> entries) {
  const std::size_t bits = std::bit_ceil(std::max(kLeastFilterBits, entries.size() * kFilterBitsPerVip));
  filter_.resize(bits / 64);
  filter_shift_ = 64 - static_cast<unsigned>(std::countr_zero(bits));

  const auto v6 = static_cast<std::size_t>(
      std::ranges::count_if(entries, [](const Entry& entry) { return entry.key.vip.is_v6(); }));
  // Each service brings at most two slots: its key and its VIP's. Half of the slots stay free.
  v4_.resize(std::bit_ceil(4 * (entries.size() - v6) + 2));
  v6_.resize(std::bit_ceil(4 * v6 + 2));
  mask_v4_ = v4_.size() - 1;
  mask_v6_ = v6_.size() - 1;
  shift_v4_ = 64 - static_cast<unsigned>(std::countr_zero(v4_.size()));
  shift_v6_ = 64 - static_cast<unsigned>(std::countr_zero(v6_.size()));

  for (const Entry& entry : entries) {
    const IpAddr& vip = entry.key.vip;
    const std::uint16_t port_raw = be16(entry.key.port).raw();
    if (vip.is_v4()) {
      const std::uint32_t raw = raw_v4(vip);
      admit(mix_v4(raw));
      insert_v4(key_v4(raw, port_raw, entry.key.protocol), entry.service);
      if (!is_vip_v4(raw)) insert_v4(key_v4(raw, 0, 0), entry.service);
    } else {
      admit(mix_v6(vip.data()));
      insert_v6(vip.data(), rest_v6(port_raw, entry.key.protocol), entry.service);
      if (!is_vip_v6(vip.data())) insert_v6(vip.data(), rest_v6(0, 0), entry.service);
    }
  }
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

void VipClassifier::admit(std::uint64_t mixed) {
  const std::uint64_t bit = mixed >> filter_shift_;
  filter_[bit / 64] |= std::uint64_t{1} << (bit % 64);
}

}  // namespace penstock
