// An ICMP error to a VIP is about a packet that a backend sent to a client in the VIP's name: its flow is
// the client's, with the quoted addresses and ports the other way round.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "dataplane/pipeline/icmp.h"
#include "dataplane/pipeline/stages.h"

namespace penstock {

namespace {

constexpr std::uint32_t kEthernet = sizeof(EthernetHeader);
constexpr std::uint32_t kPorts = 4;
constexpr int kMaxExtensionHeaders = 8;

// The packet that the error quotes, as far as it does.
struct Quote {
  const std::uint8_t* bytes;
  std::uint32_t length;
  const std::uint8_t* addresses = nullptr;
  std::uint32_t transport = 0;
  std::uint8_t protocol = 0;
  bool is_later_fragment = false;
};

bool read_v4(Quote& q) noexcept {
  if (q.length < sizeof(Ipv4Header)) return false;
  const auto& ip = *reinterpret_cast<const Ipv4Header*>(q.bytes);
  q.transport = 4U * (ip.version_ihl & 0xf);
  if (ip.version_ihl >> 4 != 4 || q.transport < sizeof(Ipv4Header)) return false;
  q.addresses = ip.source.bytes.data();
  q.protocol = ip.protocol;
  q.is_later_fragment = (ip.fragment.host() & kIpv4OffsetMask) != 0;
  return true;
}

bool read_v6(Quote& q) noexcept {
  constexpr std::uint8_t kHopByHop = 0;
  constexpr std::uint8_t kRouting = 43;
  constexpr std::uint8_t kDestinationOptions = 60;
  if (q.length < sizeof(Ipv6Header) || q.bytes[0] >> 4 != 6) return false;
  const auto& ip = *reinterpret_cast<const Ipv6Header*>(q.bytes);
  q.addresses = ip.source.bytes.data();
  q.protocol = ip.next_header;
  q.transport = sizeof(Ipv6Header);
  for (int i = 0; i < kMaxExtensionHeaders; ++i) {
    const bool fragment = q.protocol == kProtoFragment;
    if (!fragment && q.protocol != kHopByHop && q.protocol != kRouting && q.protocol != kDestinationOptions)
      return true;
    if (q.length < q.transport + 8) return false;
    const std::uint8_t* extension = q.bytes + q.transport;
    q.protocol = extension[0];
    q.transport += fragment ? 8 : 8U * (extension[1] + 1U);
    if (fragment && (extension[2] != 0 || (extension[3] & 0xf8) != 0)) {
      q.is_later_fragment = true;
      return true;
    }
  }
  return false;
}

bool has_ports(std::uint8_t protocol) noexcept {
  return protocol == kProtoTcp || protocol == kProtoUdp || protocol == kProtoSctp;
}

// The headers of the client's packets of that flow; `addresses` is room for theirs.
bool read_flow(const Quote& q, bool is_v6, Headers& h, std::array<std::uint8_t, 32>& addresses) noexcept {
  const std::size_t size = is_v6 ? 16 : 4;
  std::memcpy(addresses.data(), q.addresses + size, size);
  std::memcpy(addresses.data() + size, q.addresses, size);
  h.addresses = addresses.data();
  h.is_v6 = is_v6;
  h.protocol = q.protocol;
  h.kind = PacketKind::kAck;
  h.ports_raw = 0;
  if (q.is_later_fragment || !has_ports(q.protocol)) return true;
  if (q.length < q.transport + kPorts) return false;
  std::uint32_t ports;
  std::memcpy(&ports, q.bytes + q.transport, sizeof ports);
  h.ports_raw = ports << 16 | ports >> 16;
  return true;
}

// Without ports only a service whose flows have none in their name can tell the backend.
bool needs_ports(const SpecialService& special, bool is_v6) noexcept {
  return !special.by_addresses && (is_v6 ? special.affinity_v6 : special.affinity_v4) == 0;
}

}  // namespace

void forward_error(const Selection& selection, Burst& burst, const OddHeaders& odd, PacketView& p) noexcept {
  const Snapshot& snapshot = selection.snapshot;
  p.outcome = Outcome::kIcmpUnknownFlow;
  const std::uint32_t quoted = odd.transport + sizeof(IcmpHeader);
  const std::uint32_t readable = std::min(p.ip_length, p.length - kEthernet);
  Quote quote{p.data + kEthernet + quoted, readable - quoted};
  if (!(p.is_v6 ? read_v6(quote) : read_v4(quote))) return;
  // Whoever reports an error about another address than the one that it reports to is not to be believed.
  if (std::memcmp(quote.addresses, odd.headers.vip(), p.is_v6 ? 16 : 4) != 0) return;
  Headers flow{};
  std::array<std::uint8_t, 32> addresses;
  if (!read_flow(quote, p.is_v6, flow, addresses)) return;
  flow.ip_length = p.ip_length;
  if (flow.protocol == 0 || flow.protocol == kProtoIcmp || flow.protocol == kProtoIcmpv6) return;

  p.aside = Aside::kNone;
  classify_quoted(snapshot, flow, p);
  if (p.outcome != kPending) {
    p.outcome = Outcome::kIcmpUnknownFlow;
    return;
  }
  if (quote.is_later_fragment && needs_ports(*snapshot.service(p.service).special, p.is_v6)) {
    p.outcome = Outcome::kIcmpUnknownFlow;
  } else if (odd.ttl <= 1) {
    p.outcome = Outcome::kTtlExpired;
  } else if (p.aside == Aside::kNone || p.aside == Aside::kSeeksUdp) {
    select_unnoticed(selection, burst, p);
  }
}

}  // namespace penstock
