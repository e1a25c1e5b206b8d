#include "dataplane/pipeline/tcp_reset.h"

#include <array>
#include <cstddef>
#include <cstring>

#include "dataplane/pipeline/icmp.h"
#include "dataplane/pipeline/parse.h"
#include "penstock/net/checksum.h"

namespace penstock {

namespace {

constexpr std::uint32_t kEthernet = sizeof(EthernetHeader);

/// Sequence numbers that the segment takes: its data, SYN and FIN.
std::uint32_t segment_length(const TcpHeader& tcp, std::uint32_t bytes) noexcept {
  const std::uint32_t header = (tcp.data_offset >> 4) * 4U;
  std::uint32_t length = bytes > header ? bytes - header : 0;
  if ((tcp.flags & kTcpSyn) != 0) ++length;
  if ((tcp.flags & kTcpFin) != 0) ++length;
  return length;
}

TcpHeader reset_for(const TcpHeader& tcp, std::uint32_t bytes) noexcept {
  TcpHeader reset{};
  reset.source_port = tcp.destination_port;
  reset.destination_port = tcp.source_port;
  reset.data_offset = sizeof reset / 4 << 4;
  if ((tcp.flags & kTcpAck) != 0) {
    reset.sequence = tcp.acknowledgment;
    reset.flags = kTcpRst;
  } else {
    reset.acknowledgment = be32(tcp.sequence.host() + segment_length(tcp, bytes));
    reset.flags = kTcpRst | kTcpAck;
  }
  return reset;
}

void write_v4(std::uint8_t* ip, TcpHeader& reset) noexcept {
  Ipv4Header before;
  std::memcpy(static_cast<void*>(&before), ip, sizeof before);
  Ipv4Header out{};
  out.version_ihl = 0x45;
  out.total_length = be16(sizeof out + sizeof reset);
  out.fragment = be16(kIpv4DontFragment);
  out.ttl = kAnswerTtl;
  out.protocol = kProtoTcp;
  out.source = before.destination;
  out.destination = before.source;
  out.checksum = checksum(&out, sizeof out);
  const be16 rest[2] = {be16(kProtoTcp), be16(sizeof reset)};
  std::uint64_t sum = checksum_add(0, out.source.bytes.data(), 8);
  sum = checksum_add(sum, rest, sizeof rest);
  reset.checksum = checksum_finish(checksum_add(sum, &reset, sizeof reset));
  std::memcpy(ip, &out, sizeof out);
  std::memcpy(ip + sizeof out, &reset, sizeof reset);
}

void write_v6(std::uint8_t* ip, TcpHeader& reset) noexcept {
  Ipv6Header before;
  std::memcpy(static_cast<void*>(&before), ip, sizeof before);
  Ipv6Header out{};
  out.version_class_label = be32(6U << 28);
  out.payload_length = be16(sizeof reset);
  out.next_header = kProtoTcp;
  out.hop_limit = kAnswerTtl;
  out.source = before.destination;
  out.destination = before.source;
  const be16 rest[2] = {be16(sizeof reset), be16(kProtoTcp)};
  std::uint64_t sum = checksum_add(0, out.source.bytes.data(), 32);
  sum = checksum_add(sum, rest, sizeof rest);
  reset.checksum = checksum_finish(checksum_add(sum, &reset, sizeof reset));
  std::memcpy(ip, &out, sizeof out);
  std::memcpy(ip + sizeof out, &reset, sizeof reset);
}

}  // namespace

bool answer_reset(PacketView& p) noexcept {
  const OddHeaders odd = parse_odd(p);
  const Headers& headers = odd.headers;
  if (odd.verdict != kPending || odd.aside != Aside::kNone || headers.protocol != kProtoTcp ||
      headers.kind == PacketKind::kRst || p.headroom < p.tag_bytes || !may_answer(p, headers))
    return false;
  std::uint8_t* ip = p.data + kEthernet;
  TcpHeader tcp;
  std::memcpy(static_cast<void*>(&tcp), ip + odd.transport, sizeof tcp);
  // The new headers are no longer than those of the segment, extensions and options left out.
  TcpHeader reset = reset_for(tcp, headers.ip_length - odd.transport);
  if (headers.is_v6) {
    write_v6(ip, reset);
  } else {
    write_v4(ip, reset);
  }
  const std::size_t network = headers.is_v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header);
  p.cut(static_cast<std::uint32_t>(kEthernet + network + sizeof reset));
  turn_round(p);
  p.outcome = Outcome::kAnsweredReset;
  return true;
}

}  // namespace penstock
