#include <array>
#include <cstddef>
#include <cstring>

#include "dataplane/pipeline/icmp.h"
#include "penstock/net/checksum.h"

namespace penstock {

namespace {

constexpr std::uint32_t kEthernet = sizeof(EthernetHeader);

template <std::size_t kSize>
void swap_halves(std::uint8_t* both) noexcept {
  std::array<std::uint8_t, kSize> first;
  std::memcpy(first.data(), both, kSize);
  std::memcpy(both, both + kSize, kSize);
  std::memcpy(both + kSize, first.data(), kSize);
}

// Changes the 16-bit word at an even offset of what the checksum covers. Incremental (RFC 1624), so that an
// error in the request stays one in the reply.
void replace16(std::uint8_t* word, std::uint8_t* checksum_field, be16 value) noexcept {
  be16 before;
  be16 sum;
  std::memcpy(&before, word, sizeof before);
  std::memcpy(&sum, checksum_field, sizeof sum);
  sum = checksum_update(sum, before, value);
  std::memcpy(word, &value, sizeof value);
  std::memcpy(checksum_field, &sum, sizeof sum);
}

be16 word_at(const std::uint8_t* at) noexcept {
  be16 value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Options of the request say nothing about the way back, and a source route must not be followed: they
// become no-operations.
void turn_v4(std::uint8_t* ip, std::uint32_t header) noexcept {
  constexpr std::uint16_t kTwoNops = 0x0101;
  std::uint8_t* sum = ip + offsetof(Ipv4Header, checksum);
  std::uint8_t* ttl = ip + offsetof(Ipv4Header, ttl);
  for (std::uint32_t at = sizeof(Ipv4Header); at < header; at += 2) replace16(ip + at, sum, be16(kTwoNops));
  const std::uint16_t ttl_and_protocol = word_at(ttl).host();
  replace16(ttl, sum, be16(static_cast<std::uint16_t>(kAnswerTtl << 8 | (ttl_and_protocol & 0xff))));
  swap_halves<4>(ip + offsetof(Ipv4Header, source));
}

void turn_v6(std::uint8_t* ip) noexcept {
  ip[offsetof(Ipv6Header, hop_limit)] = kAnswerTtl;
  swap_halves<16>(ip + offsetof(Ipv6Header, source));
}

}  // namespace

void answer_echo(RareState& state, const OddHeaders& odd, PacketView& p, Nanoseconds now) noexcept {
  constexpr std::uint16_t kReplyV4 = 0x0000;
  constexpr std::uint16_t kReplyV6 = 0x8100;
  std::uint8_t* ip = p.data + kEthernet;
  std::uint8_t* icmp = ip + odd.transport;
  if (icmp[1] != 0 || !may_answer(p, odd.headers)) {
    p.outcome = Outcome::kIcmp;
    return;
  }
  // The VIP is the packet's destination, not a hop: a TTL of 1 suffices.
  if (odd.ttl == 0) {
    p.outcome = Outcome::kTtlExpired;
    return;
  }
  if (p.headroom < p.tag_bytes) {
    p.outcome = Outcome::kNoHeadroom;
    return;
  }
  if (!state.echo_budget.take(now)) {
    p.outcome = Outcome::kIcmpLimited;
    return;
  }
  std::uint8_t* sum = icmp + offsetof(IcmpHeader, checksum);
  replace16(icmp, sum, be16(p.is_v6 ? kReplyV6 : kReplyV4));
  // A reply may be nothing but zeroes, whose checksum is the other zero (RFC 1624 section 3); it is right for
  // every reply.
  if (word_at(sum) == be16(0)) std::memset(sum, 0xff, sizeof(be16));
  if (p.is_v6) {
    turn_v6(ip);
  } else {
    turn_v4(ip, odd.transport);
  }
  p.cut(kEthernet + p.ip_length);
  turn_round(p);
}

}  // namespace penstock
