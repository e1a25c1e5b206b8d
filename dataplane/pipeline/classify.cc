#include <cstring>

#include "dataplane/pipeline/parse.h"
#include "dataplane/pipeline/special.h"
#include "dataplane/pipeline/stages.h"
#include "dataplane/pipeline/vlan.h"

namespace penstock {

namespace {

std::uint32_t raw_v4(const std::uint8_t* address) noexcept {
  std::uint32_t raw;
  std::memcpy(&raw, address, sizeof raw);
  return raw;
}

[[gnu::always_inline]] inline ServiceIndex find_service(const VipClassifier& c, const Headers& h) noexcept {
  return h.is_v6 ? c.find_v6(h.vip(), h.destination_port_raw(), h.protocol)
                 : c.find_v4(raw_v4(h.vip()), h.destination_port_raw(), h.protocol);
}

ServiceIndex find_wide(const VipClassifier& c, const Headers& h) noexcept {
  return h.is_v6 ? c.find_wide_v6(h.vip(), h.destination_port_raw(), h.protocol)
                 : c.find_wide_v4(raw_v4(h.vip()), h.destination_port_raw(), h.protocol);
}

bool may_be_vip(const VipClassifier& c, const Headers& h) noexcept {
  return h.is_v6 ? c.may_be_vip_v6(h.vip()) : c.may_be_vip_v4(raw_v4(h.vip()));
}

[[gnu::cold, gnu::noinline]] bool is_vip(const VipClassifier& c, const std::uint8_t* address,
                                         bool is_v6) noexcept {
  return is_v6 ? c.is_vip_v6(address) : c.is_vip_v4(raw_v4(address));
}

bool is_nat_address(const VipClassifier& c, const Headers& h) noexcept {
  return h.is_v6 ? c.is_nat_address_v6(h.vip()) : c.is_nat_address_v4(raw_v4(h.vip()));
}

// `otherwise`: what becomes of the packet if its destination is a VIP after all.
void not_for_service(const VipClassifier& c, const Headers& h, Outcome otherwise, PacketView& p) noexcept {
  p.outcome = Outcome::kNotVip;
  if (!may_be_vip(c, h)) [[likely]]
    return;
  if (is_vip(c, h.vip(), h.is_v6)) {
    p.outcome = otherwise;
  } else if (is_nat_address(c, h)) {
    p.outcome = kPending;
    p.aside = Aside::kNatReturn;
  }
}

[[gnu::always_inline]] inline void accept(const Snapshot& s, const Headers& h, ServiceIndex service,
                                          PacketView& p) noexcept {
  p.outcome = kPending;
  p.service = service;
  p.kind = h.kind;
  p.is_v6 = h.is_v6;
  p.ip_length = h.ip_length;
  p.hash = h.is_v6 ? flow_hash_v6(s.secret(), h.addresses, h.ports_raw, h.protocol)
                   : flow_hash_v4(s.secret(), h.addresses, h.ports_raw, h.protocol);
}

// No service has exactly this address, port and protocol. By value: a reference would put the headers of
// every packet into memory.
[[gnu::cold, gnu::noinline]] void classify_wide(const Snapshot& s, Headers h, PacketView& p) noexcept {
  const ServiceIndex service = find_wide(s.classifier(), h);
  if (service == kNoServiceIndex) {
    not_for_service(s.classifier(), h, Outcome::kNoSuchService, p);
    return;
  }
  accept(s, h, service & ~kSpecialService, p);
  if ((service & kSpecialService) != 0) classify_special(s, h, p);
}

[[gnu::always_inline]] inline void classify_headers(const Snapshot& s, const Headers& h,
                                                    PacketView& p) noexcept {
  const ServiceIndex service = find_service(s.classifier(), h);
  if (static_cast<std::int32_t>(service) >= 0) [[likely]] {  // neither kNoServiceIndex nor kSpecialService
    accept(s, h, service, p);
  } else if (service != kNoServiceIndex) {
    accept(s, h, service & ~kSpecialService, p);
    classify_special(s, h, p);
  } else if (may_be_vip(s.classifier(), h)) {
    classify_wide(s, h, p);
  } else {
    p.outcome = Outcome::kNotVip;
  }
}

// Whom a packet is for is asked before what is wrong with it: strangers' packets, however odd, are the
// kernel's.
void classify_untagged(const Snapshot& s, PacketView& p) noexcept {
  const OddHeaders odd = parse_odd(p);
  if (odd.verdict == kPending && odd.aside == Aside::kNone) {
    classify_headers(s, odd.headers, p);
    return;
  }
  if (odd.addressed) {
    not_for_service(s.classifier(), odd.headers, odd.verdict, p);
  } else {
    p.outcome = odd.verdict;
  }
  if (p.outcome != kPending) return;
  if (p.aside == Aside::kNone) p.aside = odd.aside;
  p.is_v6 = odd.headers.is_v6;
  p.ip_length = odd.headers.ip_length;
}

// The stages see a frame without tags. Only a packet that goes on is changed.
void classify_tagged(const Snapshot& s, PacketView& p, std::uint32_t tag_bytes) noexcept {
  if (tag_bytes == kCutTag) {
    p.outcome = Outcome::kTruncated;
    return;
  }
  const auto move = [&p](std::int32_t bytes) {
    p.data += bytes;
    p.length -= static_cast<std::uint32_t>(bytes);
    p.headroom += static_cast<std::uint32_t>(bytes);
  };
  const auto bytes = static_cast<std::int32_t>(tag_bytes);
  move(bytes);
  Headers headers;
  if (parse_plain(p, headers)) {
    classify_headers(s, headers, p);
  } else {
    classify_untagged(s, p);
  }
  if (p.outcome == kPending) {
    take_tags_off(p, tag_bytes);
  } else {
    move(-bytes);
  }
}

std::uint16_t ether_type_of(const std::uint8_t* frame) noexcept {
  std::uint16_t raw;
  std::memcpy(&raw, frame + 12, sizeof raw);
  return raw;
}

// ARP, LLDP and the like, which a host may receive many of.
bool is_foreign(const PacketView& p) noexcept {
  if (p.length < parse_detail::kEthernet) return false;
  const std::uint16_t type = ether_type_of(p.data);
  return type != be16(kEtherTypeIpv4).raw() && type != be16(kEtherTypeIpv6).raw() &&
         type != be16(kEtherTypeVlan).raw() && type != be16(kEtherTypeQinq).raw();
}

[[gnu::cold, gnu::noinline]] void classify_odd(const Snapshot& s, PacketView& p) noexcept {
  if (is_foreign(p)) {
    p.outcome = Outcome::kNotVip;
    return;
  }
  const std::uint32_t tag_bytes = count_tag_bytes(p);
  if (tag_bytes == 0) {
    classify_untagged(s, p);
  } else {
    classify_tagged(s, p, tag_bytes);
  }
}

}  // namespace

void classify_one(const Snapshot& snapshot, const Headers& headers, PacketView& packet) noexcept {
  classify_headers(snapshot, headers, packet);
}

void classify_quoted(const Snapshot& snapshot, const Headers& headers, PacketView& packet) noexcept {
  ServiceIndex found = find_service(snapshot.classifier(), headers);
  if (found == kNoServiceIndex) found = find_wide(snapshot.classifier(), headers);
  if (found == kNoServiceIndex) {
    packet.outcome = Outcome::kNoSuchService;
    return;
  }
  const ServiceIndex service = found & ~kSpecialService;
  accept(snapshot, headers, service, packet);
  if (found == service) return;
  if (snapshot.service(service).special->quic == nullptr) {
    classify_special(snapshot, headers, packet);
  } else {
    hash_special(snapshot, headers, packet);
  }
}

void classify(const Snapshot& snapshot, const FlowTable& flows, Burst& burst) noexcept {
  // The outer headers go into the line in front of the packet; ask for both while the first ones are parsed.
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    __builtin_prefetch(burst.packets[i].data, 1);
    __builtin_prefetch(burst.packets[i].data - 64, 1);
  }
  std::uint32_t live = 0;
  burst.ended_count = 0;
  burst.aside_count = 0;
  burst.hop_list_count = 0;
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    PacketView& p = burst.packets[i];
    p.service = kNoServiceIndex;
    p.backend = kNoBackend;
    p.new_flow = false;
    p.aside = Aside::kNone;
    p.tag_bytes = 0;
    Headers headers;
    if (parse_plain(p, headers)) [[likely]] {
      classify_headers(snapshot, headers, p);
    } else {
      classify_odd(snapshot, p);
    }
    if (p.outcome != kPending) {
      ++burst.ended_count;
      continue;
    }
    if (p.aside != Aside::kNone) [[unlikely]] {
      burst.aside[burst.aside_count++] = static_cast<std::uint8_t>(i);
      continue;
    }
    flows.prefetch(p.hash);
    burst.lookups[live] = {p.hash, &snapshot.service(p.service).idle, p.kind, kNoBackend};
    burst.live[live++] = static_cast<std::uint8_t>(i);
  }
  burst.live_count = live;
}

}  // namespace penstock
