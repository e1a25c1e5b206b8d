#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "dataplane/pipeline/outer_checksum.h"
#include "dataplane/pipeline/stages.h"
#include "dataplane/pipeline/too_big.h"
#include "dataplane/pipeline/vlan.h"
#include "penstock/abi/gue.h"
#include "penstock/net/checksum.h"
#include "penstock/net/headers.h"

namespace penstock {

namespace {

constexpr std::uint32_t kEthernet = sizeof(EthernetHeader);

void store16(std::uint8_t* at, be16 value) noexcept {
  const std::uint16_t raw = value.raw();
  std::memcpy(at, &raw, sizeof raw);
}

// We forward, so the inner packet ages (RFC 2003 section 3.1, RFC 2473 section 3.1): of two gateways that
// take each other for a backend, the loop ends. The IPv4 checksum follows by RFC 1624; it is not verified,
// because the update keeps an error an error, for the backend to find.
void age_v4(std::uint8_t* ip) noexcept {
  --ip[offsetof(Ipv4Header, ttl)];
  std::uint16_t raw;
  std::memcpy(&raw, ip + offsetof(Ipv4Header, checksum), sizeof raw);
  const std::uint32_t sum = raw + std::uint32_t{be16(0x0100).raw()};
  raw = static_cast<std::uint16_t>(sum + (sum >= 0xffff));
  std::memcpy(ip + offsetof(Ipv4Header, checksum), &raw, sizeof raw);
}

// DSCP and ECN of the inner packet, which go to the outer one as they are (RFC 6040, normal mode). Ages it,
// too.
std::uint32_t take_traffic_class(std::uint8_t* ip, bool is_v6) noexcept {
  if (is_v6) {
    --ip[offsetof(Ipv6Header, hop_limit)];
    return (ip[0] << 4 & 0xf0) | ip[1] >> 4;
  }
  age_v4(ip);
  return ip[offsetof(Ipv4Header, dscp_ecn)];
}

// RFC 6335's dynamic ports, so that routers and the backend's NIC spread the flows.
be16 entropy_port(std::uint64_t hash) noexcept {
  return be16(static_cast<std::uint16_t>(0xc000 | (hash & 0x3fff)));
}

void put_udp(std::uint8_t* udp, std::uint64_t hash, std::uint32_t length) noexcept {
  store16(udp + offsetof(UdpHeader, source_port), entropy_port(hash));
  store16(udp + offsetof(UdpHeader, length), be16(static_cast<std::uint16_t>(length)));
}

// A sum of at most 18 bits.
be16 fold18(std::uint32_t sum) noexcept {
  sum = (sum & 0xffff) + (sum >> 16);
  return be16::from_raw(static_cast<std::uint16_t>(~(sum + (sum >> 16))));
}

// be16(value), kept in a register: the compiler would rather swap 16 bits through memory.
std::uint32_t swap16(std::uint32_t value) noexcept { return __builtin_bswap32(value) >> 16; }

// Unaligned 16 or 32 bytes at once; two vector registers where the target has no wide ones. Clang wants the
// attribute here, and GCC forgets it where `auto` stands for the type.
using Half __attribute__((vector_size(32), aligned(1), may_alias)) = std::uint8_t;
using Quarter __attribute__((vector_size(16), aligned(1), may_alias)) = std::uint8_t;
static_assert(alignof(Half) == 1 && alignof(Quarter) == 1,
              "headers end where the inner packet begins, anywhere");

// Copying whole lines costs less than copying exactly: the bytes in front of the headers are headroom.
void copy_narrow(const BackendRecord& record, std::uint8_t* inner) noexcept {
  const Half* from = reinterpret_cast<const Half*>(&record);
  Half* to = reinterpret_cast<Half*>(inner - 64);
  to[0] = from[0];
  to[1] = from[1];
}

void copy_wide(const BackendRecord& record, std::uint8_t* inner) noexcept {
  const std::uint8_t* from = reinterpret_cast<const std::uint8_t*>(&record) + sizeof record - 80;
  *reinterpret_cast<Quarter*>(inner - 80) = *reinterpret_cast<const Quarter*>(from);
  *reinterpret_cast<Half*>(inner - 64) = *reinterpret_cast<const Half*>(from + 16);
  *reinterpret_cast<Half*>(inner - 32) = *reinterpret_cast<const Half*>(from + 48);
}

// What changes from packet to packet, behind the copied headers.
void patch_v4(const BackendRecord& record, std::uint8_t* inner, std::uint32_t outer_length,
              std::uint32_t traffic_class, std::uint64_t hash) noexcept {
  std::uint8_t* ip = inner - record.overhead;
  const std::uint32_t length = swap16(outer_length);
  ip[offsetof(Ipv4Header, dscp_ecn)] = static_cast<std::uint8_t>(traffic_class);
  store16(ip + offsetof(Ipv4Header, total_length), be16::from_raw(static_cast<std::uint16_t>(length)));
  store16(ip + offsetof(Ipv4Header, checksum), fold18(record.checksum_base + (traffic_class << 8) + length));
  if (record.has(BackendRecord::kUdp))
    put_udp(ip + sizeof(Ipv4Header), hash, outer_length - sizeof(Ipv4Header));
}

// The flow label carries the flow's entropy (RFC 6438).
void patch_v6(const BackendRecord& record, std::uint8_t* inner, std::uint32_t outer_length,
              std::uint32_t traffic_class, std::uint64_t hash) noexcept {
  std::uint8_t* ip = inner - record.overhead;
  const be32 word(6U << 28 | traffic_class << 20 | (hash & 0xfffff));
  std::memcpy(ip, &word, sizeof word);
  store16(ip + offsetof(Ipv6Header, payload_length),
          be16(static_cast<std::uint16_t>(outer_length - sizeof(Ipv6Header))));
  if (record.has(BackendRecord::kUdp))
    put_udp(ip + sizeof(Ipv6Header), hash, outer_length - sizeof(Ipv6Header));
}

// Of a frame in segments only the first grows, and padding may end in any of them. The tags that classify
// took off return as the egress port wants them.
[[gnu::cold, gnu::noinline]] void finish_odd_frame(const RareState& state, std::uint32_t seen,
                                                   PacketView& p) noexcept {
  const std::uint32_t whole = p.length;
  p.length = std::min(whole, seen);
  p.more = whole - p.length;
  if (p.tag_bytes != 0) put_tags(state.vlan_rules, p);
}

// Moves the view to the outer frame. Padding behind the IP packet is cut off.
[[gnu::always_inline]] inline void step_out(const BackendRecord& record, std::uint32_t overhead,
                                            const RareState& state, PacketView& p) noexcept {
  p.data -= overhead;
  p.headroom -= overhead;
  const std::uint32_t seen = p.length + overhead;
  p.length = p.ip_length + overhead + kEthernet;
  p.egress_port = record.egress_port;
  if ((p.more | p.tag_bytes) != 0) [[unlikely]]
    finish_odd_frame(state, seen, p);
}

void put_udp_checksum(const Outer& outer, const PacketView& p, std::uint8_t* inner) noexcept {
  const bool v6 = outer.record.has(BackendRecord::kOuterV6);
  const std::uint8_t* ip = inner - outer.overhead();
  std::uint8_t* udp = inner - outer.overhead() + (v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header));
  const std::uint32_t here = p.length - kEthernet;
  const std::uint32_t elsewhere = p.ip_length > here ? p.ip_length - here : 0;
  store16(udp + offsetof(UdpHeader, checksum),
          outer_udp_checksum({ip, udp, v6}, {inner, p.ip_length, elsewhere, p.is_v6}));
}

// L2DSR, and the frames of NAT: only Ethernet's header is new. The packet does not age: it goes to a host on
// the link, which receives it as if the router had sent it there.
void put_link_header(const BackendRecord& record, const RareState& state, PacketView& p) noexcept {
  std::memcpy(p.data, record.first_header(), kEthernet);
  step_out(record, record.overhead, state, p);
}

// As copy_wide, and enough for VXLAN over IPv6, which is never plain.
void copy_widest(const BackendRecord& record, std::uint8_t* inner) noexcept {
  constexpr std::size_t kBytes = 96;
  std::memcpy(inner - kBytes, reinterpret_cast<const std::uint8_t*>(&record) + sizeof record - kBytes,
              kBytes);
}

// Addresses, copied by a size that the compiler knows.
template <class Address>
void copy_addresses(std::uint8_t* to, const std::uint8_t* from, std::size_t bytes) noexcept {
  for (std::size_t at = 0; at < bytes; at += sizeof(Address))
    std::memcpy(to + at, from + at, sizeof(Address));
}

// Behind the copied headers, which say that there are none (abi/gue.h).
void put_hops(std::span<const std::uint8_t> hops, bool v6, std::uint8_t* inner) noexcept {
  std::uint8_t* at = inner - hops.size();
  (v6 ? copy_addresses<Ipv6Addr> : copy_addresses<Ipv4Addr>)(at, hops.data(), hops.size());
  at[-1] = static_cast<std::uint8_t>(hops.size() / (v6 ? sizeof(Ipv6Addr) : sizeof(Ipv4Addr)));
  std::uint8_t* gue = at - sizeof(gue_private) - sizeof(gue_header);
  *gue = static_cast<std::uint8_t>(*gue + hops.size() / 4);
}
static_assert(offsetof(gue_private, hop_count) == sizeof(gue_private) - 1 &&
              offsetof(gue_header, version_control_hlen) == 0);

// Not a plain record's packet, or one with hops, or one that must not leave as it is.
[[gnu::noinline]] void encap_otherwise(const Outer& outer, Burst& burst, PacketView& p, RareState& state,
                                       Nanoseconds now) noexcept {
  const BackendRecord& record = outer.record;
  if (!record.has(BackendRecord::kResolved)) {
    p.outcome = Outcome::kNoNextHop;
  } else if (p.headroom < kRequiredHeadroom) {
    p.outcome = Outcome::kNoHeadroom;
  } else if (p.ip_length + outer.overhead() > record.mtu) {
    too_big(outer, burst, p, state, now);
  } else {
    put_outer_headers(outer, state, p);
    p.outcome = Outcome::kForwarded;
  }
}

[[gnu::always_inline]] inline void encap_packet(const BackendRecord& record, Burst& burst, PacketView& p,
                                                RareState& state, Nanoseconds now) noexcept {
  const std::uint32_t outer_length = p.ip_length + record.overhead;
  // The plain MTU of an unresolved record is 0, which no packet fits.
  if (outer_length > record.plain_mtu || p.headroom < kRequiredHeadroom) [[unlikely]] {
    encap_otherwise({record}, burst, p, state, now);
    return;
  }
  std::uint8_t* inner = p.data + kEthernet;
  const std::uint32_t traffic_class = take_traffic_class(inner, p.is_v6);
  if (record.has(BackendRecord::kOuterV6)) {
    copy_wide(record, inner);
    patch_v6(record, inner, outer_length, traffic_class, p.hash);
  } else {
    copy_narrow(record, inner);
    patch_v4(record, inner, outer_length, traffic_class, p.hash);
  }
  step_out(record, record.overhead, state, p);
  p.outcome = Outcome::kForwarded;
}

// Backends of one service and one family have their address in one place of their records.
template <class Address>
std::size_t collect_hops(const Snapshot& s, const HopList& list, std::ptrdiff_t place,
                         std::uint8_t* hops) noexcept {
  for (std::size_t n = 0; n < list.count; ++n) {
    const auto* record = reinterpret_cast<const std::uint8_t*>(&s.backend(list.backends[n]));
    std::memcpy(hops + n * sizeof(Address), record + place, sizeof(Address));
  }
  return list.count * sizeof(Address);
}

void encap_with_hops(const Snapshot& s, const HopList& list, Burst& burst, RareState& state,
                     Nanoseconds now) noexcept {
  PacketView& p = burst.packets[list.packet];
  const BackendRecord& record = s.backend(p.backend);
  const std::ptrdiff_t place = record.outer_destination() - reinterpret_cast<const std::uint8_t*>(&record);
  const auto collect = record.has(BackendRecord::kOuterV6) ? collect_hops<Ipv6Addr> : collect_hops<Ipv4Addr>;
  std::array<std::uint8_t, kMaxHops * sizeof(Ipv6Addr)> hops;
  const std::size_t bytes = collect(s, list, place, hops.data());
  encap_otherwise({record, {hops.data(), bytes}}, burst, p, state, now);
}

}  // namespace

void put_outer_headers(const Outer& outer, const RareState& state, PacketView& p) noexcept {
  const BackendRecord& record = outer.record;
  if (record.has(BackendRecord::kLinkOnly)) {
    put_link_header(record, state, p);
    return;
  }
  std::uint8_t* inner = p.data + kEthernet;
  const std::uint32_t traffic_class = take_traffic_class(inner, p.is_v6);
  const std::uint32_t outer_length = p.ip_length + outer.overhead();
  std::uint8_t* end = inner - outer.hops.size();  // of the headers that the record has
  if (record.overhead + kEthernet > 80) {
    copy_widest(record, end);
  } else if (record.has(BackendRecord::kWide)) {
    copy_wide(record, end);
  } else {
    copy_narrow(record, end);
  }
  const bool v6 = record.has(BackendRecord::kOuterV6);
  (v6 ? patch_v6 : patch_v4)(record, end, outer_length, traffic_class, p.hash);
  if (!outer.hops.empty()) put_hops(outer.hops, v6, inner);
  if (record.has(BackendRecord::kUdpChecksum)) put_udp_checksum(outer, p, inner);
  step_out(record, outer.overhead(), state, p);
}

void encap_one(const Snapshot& snapshot, RareState& state, Burst& burst, PacketView& p,
               Nanoseconds now) noexcept {
  encap_packet(snapshot.backend(p.backend), burst, p, state, now);
}

void encap(const Snapshot& snapshot, RareState& state, Burst& burst, Nanoseconds now) noexcept {
  for (std::uint32_t n = 0; n < burst.live_count; ++n) {
    PacketView& p = burst.packets[burst.live[n]];
    encap_packet(snapshot.backend(p.backend), burst, p, state, now);
  }
  for (std::uint32_t n = 0; n < burst.hop_list_count; ++n) {
    encap_with_hops(snapshot, burst.hop_lists[n], burst, state, now);
  }
}

}  // namespace penstock
