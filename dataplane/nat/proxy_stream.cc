#include "dataplane/nat/proxy_stream.h"

#include <algorithm>
#include <cstring>

#include "dataplane/nat/tcp_header.h"

namespace penstock {

namespace {

constexpr std::uint8_t kSignature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                         0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::uint8_t kProxyCommand = 0x21;  // version 2, PROXY
constexpr std::uint8_t kTcpOverIpv4 = 0x11;
constexpr std::uint8_t kTcpOverIpv6 = 0x21;
constexpr std::uint32_t kFixedBytes = 16;
static_assert(ProxyStream::header_bytes(false) == kFixedBytes + 12 &&
                  ProxyStream::header_bytes(true) == kFixedBytes + 36,
              "two addresses and two ports");
constexpr std::uint32_t kFarAway = 1U << 30;

void write_header(std::uint8_t* at, const NatTuple& client) noexcept {
  const std::size_t bytes = client.address_bytes();
  std::memcpy(at, kSignature, sizeof kSignature);
  at[12] = kProxyCommand;
  at[13] = client.v6 ? kTcpOverIpv6 : kTcpOverIpv4;
  at[14] = 0;
  at[15] = static_cast<std::uint8_t>(2 * bytes + 4);
  at += kFixedBytes;
  std::memcpy(at, client.source.data(), bytes);
  std::memcpy(at + bytes, client.destination.data(), bytes);
  std::memcpy(at + 2 * bytes, &client.source_port, 2);
  std::memcpy(at + 2 * bytes + 2, &client.destination_port, 2);
}

bool is_fast_open(std::span<const std::uint8_t> option) noexcept {
  if (option[0] == kTcpOptionFastOpen) return true;
  return option[0] == kTcpOptionExperimental && option.size() >= 4 && option[2] == 0xf9 && option[3] == 0x89;
}

std::uint32_t sequence_of(const IpPacket& packet) noexcept {
  return load32(packet.transport + offsetof(TcpHeader, sequence));
}

}  // namespace

void ProxyStream::begin(IpPacket& syn) noexcept {
  first = sequence_of(syn) + 1;
  length = header_bytes(syn.v6);
  phase = Phase::kUnacknowledged;
  sent = false;
  const std::uint32_t header = tcp_header_length(syn);
  const std::uint32_t data = syn.length - header;
  TcpEdit edit(syn);
  if (data != 0 && syn.present == syn.length) {
    edit.change().remove(syn.transport + header, data);
    edit.change().remove_number(static_cast<std::uint16_t>(syn.length));
    edit.change().add_number(static_cast<std::uint16_t>(header));
    syn.length = syn.present = header;
  }
  edit.each_option([](std::span<std::uint8_t> option) {
    if (is_fast_open(option)) std::ranges::fill(option, kTcpOptionNop);
  });
}

std::uint32_t ProxyStream::growth(const IpPacket& packet) const noexcept {
  const bool is_reset = (packet.transport[offsetof(TcpHeader, flags)] & kTcpRst) != 0;
  const bool begins = phase == Phase::kUnacknowledged && sequence_of(packet) == first && !is_reset;
  return begins ? length : 0;
}

void ProxyStream::pass_client(IpPacket& packet, const NatTuple& client) noexcept {
  if (phase == Phase::kNone) return;
  if (growth(packet) != 0) {
    prepend(packet, client);
    return;
  }
  const std::uint32_t sequence = sequence_of(packet);
  if (phase == Phase::kUnacknowledged) {
    const bool is_reset = (packet.transport[offsetof(TcpHeader, flags)] & kTcpRst) != 0;
    // A byte before the stream (a keep-alive), or a reset while the backend has nothing of it.
    if (static_cast<std::int32_t>(sequence - first) < 0 || (is_reset && !sent)) return;
  }
  // No window is longer than 2^30. A gateway that sees the client's packets only learns it from them.
  const std::uint32_t distance = sequence - first;
  if (phase == Phase::kAcknowledged && distance >= kFarAway && distance < 2 * kFarAway) phase = Phase::kFar;
  TcpEdit(packet).set_sequence(sequence + length);
}

void ProxyStream::prepend(IpPacket& packet, const NatTuple& client) noexcept {
  const std::uint32_t header = tcp_header_length(packet);
  const auto before = static_cast<std::uint16_t>(packet.length);
  // The IP header goes along: the transport header would be written over it.
  std::memmove(packet.ip - length, packet.ip, packet.header_length + header);
  packet.ip -= length;
  packet.transport -= length;
  packet.length += length;
  packet.present += length;
  std::uint8_t* payload = packet.transport + header;
  write_header(payload, client);
  TcpEdit edit(packet);
  edit.change().add(payload, length);
  edit.change().remove_number(before);
  edit.change().add_number(static_cast<std::uint16_t>(packet.length));
  edit.move_urgent(length);
  sent = true;
}

void ProxyStream::pass_backend(IpPacket& packet) noexcept {
  if (phase == Phase::kNone) return;
  if ((packet.transport[offsetof(TcpHeader, flags)] & kTcpAck) == 0) return;
  const std::uint32_t acknowledgment = load32(packet.transport + offsetof(TcpHeader, acknowledgment));
  const std::uint32_t distance = acknowledgment - first;
  if (phase == Phase::kUnacknowledged && distance >= length && distance < kFarAway)
    phase = Phase::kAcknowledged;
  if (phase == Phase::kAcknowledged && distance >= kFarAway && distance < 2 * kFarAway) phase = Phase::kFar;
  TcpEdit edit(packet);
  edit.set_acknowledgment(client_acknowledgment(acknowledgment));
  edit.each_option([this](std::span<std::uint8_t> option) {
    if (option[0] != kTcpOptionSack) return;
    for (std::size_t at = 2; at + 4 <= option.size(); at += 4) {
      const be32 edge(client_acknowledgment(load32(option.data() + at)));
      std::memcpy(option.data() + at, &edge, sizeof edge);
    }
  });
}

std::uint32_t ProxyStream::client_acknowledgment(std::uint32_t acknowledgment) const noexcept {
  if (phase != Phase::kFar) {
    const std::uint32_t distance = acknowledgment - first;
    if (distance < length) return first;
    // ISN itself, in the answer to something that is no packet of this stream.
    if (static_cast<std::int32_t>(distance) < 0) return acknowledgment;
  }
  return acknowledgment - length;
}

void ProxyStream::restore_quoted(IpPacket& quoted) const noexcept {
  constexpr std::size_t kSequence = offsetof(TcpHeader, sequence);
  constexpr std::size_t kChecksum = offsetof(TcpHeader, checksum);
  if (phase == Phase::kNone || quoted.present < kSequence + 4) return;
  ChecksumChange change;
  change.remove(quoted.transport + kSequence, 4);
  const be32 sequence(client_acknowledgment(sequence_of(quoted)));
  std::memcpy(quoted.transport + kSequence, &sequence, sizeof sequence);
  change.add(quoted.transport + kSequence, 4);
  if (quoted.present >= kChecksum + 2) change.apply(quoted.transport + kChecksum);
}

}  // namespace penstock
