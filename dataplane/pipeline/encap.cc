#include <cstddef>
#include <cstring>

#include "dataplane/pipeline/stages.h"
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
void age_inner(std::uint8_t* ip, bool is_v6) noexcept {
  if (is_v6) {
    --ip[offsetof(Ipv6Header, hop_limit)];
    return;
  }
  --ip[offsetof(Ipv4Header, ttl)];
  std::uint16_t raw;
  std::memcpy(&raw, ip + offsetof(Ipv4Header, checksum), sizeof raw);
  const std::uint32_t sum = raw + std::uint32_t{be16(0x0100).raw()};
  raw = static_cast<std::uint16_t>(sum + (sum >= 0xffff));
  std::memcpy(ip + offsetof(Ipv4Header, checksum), &raw, sizeof raw);
}

// RFC 6335's dynamic ports, so that routers and the backend's NIC spread the flows.
be16 entropy_port(std::uint64_t hash) noexcept {
  return be16(static_cast<std::uint16_t>(0xc000 | (hash & 0x3fff)));
}

void put_udp(std::uint8_t* udp, std::uint64_t hash, std::uint32_t length) noexcept {
  store16(udp + offsetof(UdpHeader, source_port), entropy_port(hash));
  store16(udp + offsetof(UdpHeader, length), be16(static_cast<std::uint16_t>(length)));
}

// Copying whole lines costs less than copying exactly: the bytes in front of the headers are headroom.
// DSCP and ECN are copied (RFC 6040, normal mode).
void encap_v4(const BackendRecord& record, const PacketView& p, std::uint8_t* inner,
              std::uint32_t outer_length) noexcept {
  std::memcpy(inner - 64, record.header_end() - 64, 64);
  std::uint8_t* ip = inner - record.header_length + kEthernet;
  const be16 length(static_cast<std::uint16_t>(outer_length));
  ip[offsetof(Ipv4Header, dscp_ecn)] = p.traffic_class;
  store16(ip + offsetof(Ipv4Header, total_length), length);
  const std::uint32_t sum = record.checksum_base + be16(p.traffic_class).raw() + length.raw();
  store16(ip + offsetof(Ipv4Header, checksum), checksum_finish(sum));
  if (record.has(BackendRecord::kGue))
    put_udp(ip + sizeof(Ipv4Header), p.hash, outer_length - sizeof(Ipv4Header));
}

// The flow label carries the flow's entropy (RFC 6438).
void encap_v6(const BackendRecord& record, const PacketView& p, std::uint8_t* inner,
              std::uint32_t outer_length) noexcept {
  std::memcpy(inner - 80, record.header_end() - 80, 80);
  std::uint8_t* ip = inner - record.header_length + kEthernet;
  const be32 word(6U << 28 | static_cast<std::uint32_t>(p.traffic_class) << 20 | (p.hash & 0xfffff));
  std::memcpy(ip, &word, sizeof word);
  store16(ip + offsetof(Ipv6Header, payload_length),
          be16(static_cast<std::uint16_t>(outer_length - sizeof(Ipv6Header))));
  if (record.has(BackendRecord::kGue))
    put_udp(ip + sizeof(Ipv6Header), p.hash, outer_length - sizeof(Ipv6Header));
}

[[gnu::cold, gnu::noinline]] Outcome why_not(const BackendRecord& record, const PacketView& p) noexcept {
  if (!record.has(BackendRecord::kResolved)) return Outcome::kNoNextHop;
  return p.headroom < kRequiredHeadroom ? Outcome::kNoHeadroom : Outcome::kTooBig;
}

void encap_packet(const BackendRecord& record, PacketView& p) noexcept {
  const std::uint32_t outer_length = p.ip_length + record.header_length - kEthernet;
  // An unresolved record's MTU is 0, which no packet fits.
  if ((outer_length > record.mtu) | (p.headroom < kRequiredHeadroom)) [[unlikely]] {
    p.outcome = why_not(record, p);
    return;
  }
  std::uint8_t* inner = p.data + kEthernet;
  age_inner(inner, p.is_v6);
  if (record.has(BackendRecord::kOuterV6)) {
    encap_v6(record, p, inner, outer_length);
  } else {
    encap_v4(record, p, inner, outer_length);
  }
  p.data = inner - record.header_length;
  p.headroom -= record.header_length - kEthernet;
  p.length = outer_length + kEthernet;
  p.egress_port = record.egress_port;
  p.outcome = Outcome::kForwarded;
}

}  // namespace

void encap(const Snapshot& snapshot, Burst& burst) noexcept {
  for (std::uint32_t n = 0; n < burst.live_count; ++n) {
    PacketView& p = burst.packets[burst.live[n]];
    encap_packet(snapshot.backend(p.backend), p);
  }
}

}  // namespace penstock
