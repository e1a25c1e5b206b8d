#include "dataplane/pipeline/too_big.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "dataplane/pipeline/icmp.h"
#include "dataplane/pipeline/outer_fragments.h"
#include "penstock/net/checksum.h"

namespace penstock {

namespace {

constexpr std::uint32_t kEthernet = sizeof(EthernetHeader);
constexpr std::uint32_t kIcmp = sizeof(IcmpHeader);
constexpr std::uint32_t kLeastMtuV6 = 1280;    // RFC 8200, section 5
constexpr std::uint32_t kAnswerLimitV4 = 576;  // RFC 1812, section 4.3.2.3
constexpr std::uint32_t kAnswerLimitV6 = kLeastMtuV6;

bool may_be_fragmented_v4(const PacketView& p) noexcept {
  const auto& ip = *reinterpret_cast<const Ipv4Header*>(p.data + kEthernet);
  return (ip.fragment.host() & kIpv4DontFragment) == 0;
}

// The pool wants it; the sender allows it (RFC 2003 section 5.1); the sender cannot do with less (RFC 2473
// section 7.1); or nobody may be told, because the packet is an error itself.
bool wants_fragments(const BackendRecord& record, const PacketView& p, const OddHeaders& odd) noexcept {
  if (record.has(BackendRecord::kLinkOnly)) return false;
  if (record.has(BackendRecord::kFragmentOuter) || odd.aside == Aside::kIcmp) return true;
  return p.is_v6 ? p.ip_length <= kLeastMtuV6 : may_be_fragmented_v4(p);
}

// Whether the sender may be told (RFC 1122 section 3.2.2, RFC 4443 section 2.4 e). A translated packet's
// sender is not who it says.
bool may_tell(const PacketView& p, const OddHeaders& odd) noexcept {
  if (p.aside == Aside::kNat || p.aside == Aside::kNatReturn || odd.aside == Aside::kIcmp) return false;
  if (odd.aside == Aside::kFragment && !odd.fragment.is_first()) return false;
  return may_answer(p, odd.headers);
}

// Room for the answer's headers in front of the packet that it quotes; the Ethernet header moves ahead.
std::uint8_t* step_back(PacketView& p, std::uint32_t headers, std::uint32_t quoted) noexcept {
  std::memmove(p.data - headers, p.data, kEthernet);
  p.data -= headers;
  p.headroom -= headers;
  p.length = kEthernet + headers + quoted;
  p.more = 0;
  return p.data + kEthernet;
}

std::uint32_t quotable(const PacketView& p) noexcept { return std::min(p.ip_length, p.length - kEthernet); }

// RFC 792, RFC 1191 section 4: fragmentation needed and DF set.
void tell_v4(PacketView& p, std::uint32_t mtu) noexcept {
  constexpr std::uint32_t kHeaders = sizeof(Ipv4Header) + kIcmp;
  constexpr std::uint8_t kInternetControl = 0xc0;
  const std::uint32_t quoted = std::min(quotable(p), kAnswerLimitV4 - kHeaders);
  const auto& sent = *reinterpret_cast<const Ipv4Header*>(p.data + kEthernet);
  Ipv4Header ip{};
  ip.version_ihl = 0x45;
  ip.dscp_ecn = kInternetControl;
  ip.total_length = be16(static_cast<std::uint16_t>(kHeaders + quoted));
  ip.fragment = be16(kIpv4DontFragment);
  ip.ttl = kAnswerTtl;
  ip.protocol = kProtoIcmp;
  ip.source = sent.destination;
  ip.destination = sent.source;
  ip.checksum = checksum(&ip, sizeof ip);
  std::uint8_t* at = step_back(p, kHeaders, quoted);
  std::memcpy(at, &ip, sizeof ip);
  const IcmpHeader icmp{3, 4, be16{}, be32(mtu)};
  at += sizeof ip;
  std::memcpy(at, &icmp, sizeof icmp);
  const be16 sum = checksum(at, kIcmp + quoted);
  std::memcpy(at + offsetof(IcmpHeader, checksum), &sum, sizeof sum);
  turn_round(p);
}

// RFC 4443, section 3.2.
void tell_v6(PacketView& p, std::uint32_t mtu) noexcept {
  constexpr std::uint32_t kHeaders = sizeof(Ipv6Header) + kIcmp;
  const std::uint32_t quoted = std::min(quotable(p), kAnswerLimitV6 - kHeaders);
  const auto& sent = *reinterpret_cast<const Ipv6Header*>(p.data + kEthernet);
  Ipv6Header ip{};
  ip.version_class_label = be32(6U << 28);
  ip.payload_length = be16(static_cast<std::uint16_t>(kIcmp + quoted));
  ip.next_header = kProtoIcmpv6;
  ip.hop_limit = kAnswerTtl;
  ip.source = sent.destination;
  ip.destination = sent.source;
  std::uint8_t* at = step_back(p, kHeaders, quoted);
  std::memcpy(at, &ip, sizeof ip);
  const IcmpHeader icmp{2, 0, be16{}, be32(mtu)};
  at += sizeof ip;
  std::memcpy(at, &icmp, sizeof icmp);
  const be32 pseudo[2] = {be32(kIcmp + quoted), be32(kProtoIcmpv6)};
  const std::uint64_t addresses = checksum_add(checksum_add(0, pseudo, sizeof pseudo), &ip.source, 32);
  const be16 sum = checksum_finish(checksum_add(addresses, at, kIcmp + quoted));
  std::memcpy(at + offsetof(IcmpHeader, checksum), &sum, sizeof sum);
  turn_round(p);
}

}  // namespace

void too_big(const Outer& outer, Burst& burst, PacketView& p, RareState& state, Nanoseconds now) noexcept {
  const OddHeaders odd = parse_odd(p);
  if (wants_fragments(outer.record, p, odd)) {
    send_in_fragments(outer, burst, p, state);
    return;
  }
  if (!may_tell(p, odd)) {
    p.outcome = Outcome::kTooBig;
    return;
  }
  if (!state.too_big_budget.take(now)) {
    p.outcome = Outcome::kIcmpLimited;
    return;
  }
  const std::uint32_t mtu = outer.record.mtu - outer.overhead();
  if (p.is_v6) {
    tell_v6(p, std::max(mtu, kLeastMtuV6));
  } else {
    tell_v4(p, mtu);
  }
}

}  // namespace penstock
