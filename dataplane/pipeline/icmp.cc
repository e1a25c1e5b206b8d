#include "dataplane/pipeline/icmp.h"

#include <array>
#include <cstring>

namespace penstock {

namespace {

constexpr std::uint32_t kEthernet = sizeof(EthernetHeader);

enum class Errand : std::uint8_t { kEcho, kError, kOther };

// RFC 792: source quench (4) is deprecated (RFC 6633), and redirects (5) are for hosts on the VIP's link.
Errand errand_v4(std::uint8_t type) noexcept {
  switch (type) {
    case 8:
      return Errand::kEcho;
    case 3:   // unreachable, fragmentation needed
    case 11:  // time exceeded
    case 12:  // parameter problem
      return Errand::kError;
    default:
      return Errand::kOther;
  }
}

// RFC 4443: unreachable, packet too big, time exceeded, parameter problem.
Errand errand_v6(std::uint8_t type) noexcept {
  if (type == 128) return Errand::kEcho;
  return type >= 1 && type <= 4 ? Errand::kError : Errand::kOther;
}

}  // namespace

bool may_answer(const PacketView& p, const Headers& h) noexcept {
  if (((p.data[0] | p.data[6]) & 1) != 0) return false;
  const std::uint32_t size = h.is_v6 ? 16 : 4;
  if (std::memcmp(h.addresses, h.addresses + size, size) == 0) return false;
  if (!h.is_v6) {
    Ipv4Addr source;
    std::memcpy(source.bytes.data(), h.addresses, 4);
    return IpAddr(source).is_unicast();
  }
  Ipv6Addr source;
  std::memcpy(source.bytes.data(), h.addresses, 16);
  return IpAddr(source).is_unicast();
}

void turn_round(PacketView& p) noexcept {
  std::array<std::uint8_t, 6> mac;
  std::memcpy(mac.data(), p.data, 6);
  std::memcpy(p.data, p.data + 6, 6);
  std::memcpy(p.data + 6, mac.data(), 6);
  if (p.tag_bytes != 0) put_tags_back(p);
  p.egress_port = p.ingress_port;
  p.outcome = Outcome::kAnswered;
}

void handle_icmp(const Selection& selection, RareState& state, Burst& burst, PacketView& p,
                 Nanoseconds now) noexcept {
  const OddHeaders odd = parse_odd(p);
  const std::uint8_t type = p.data[kEthernet + odd.transport];
  switch (odd.headers.is_v6 ? errand_v6(type) : errand_v4(type)) {
    case Errand::kEcho:
      answer_echo(state, odd, p, now);
      return;
    case Errand::kError:
      forward_error(selection, burst, odd, p);
      return;
    case Errand::kOther:
      p.outcome = Outcome::kIcmp;
  }
}

}  // namespace penstock
