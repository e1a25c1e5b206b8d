#include "perf/pktgen/traffic.h"

#include <cstring>

#include "penstock/net/checksum.h"
#include "penstock/net/headers.h"
#include "perf/pktgen/scenario.h"

namespace penstock::perf {
namespace {

constexpr std::size_t kIpAt = sizeof(EthernetHeader);
constexpr std::size_t kTcpAt = kIpAt + sizeof(Ipv4Header);
constexpr std::size_t kTimeAt = kTcpAt + sizeof(TcpHeader);
constexpr std::size_t kTimeBytes = 6;
static_assert(kTimeAt + kTimeBytes == kHeadBytes);
static_assert(kHeadBytes == kMinFrameBytes - kFcsBytes, "the smallest frame holds the measurement");

constexpr std::uint32_t kFirstSource = 0x0a000001;  // 10.0.0.1
constexpr std::uint32_t kFlowsPerSource = 50'000;
constexpr std::uint16_t kFirstPort = 1024;
constexpr std::uint32_t kFirstSpoofed = 0x0b000000;  // 11.0.0.0
constexpr std::uint32_t kSpoofedSources = 1u << 26;  // up to 14.255.255.255

std::uint32_t source_of(std::uint32_t flow) noexcept { return kFirstSource + flow / kFlowsPerSource; }
std::uint16_t port_of(std::uint32_t flow) noexcept {
  return static_cast<std::uint16_t>(kFirstPort + flow % kFlowsPerSource);
}

std::uint32_t raw(const Ipv4Addr& address) noexcept {
  std::uint32_t value;
  std::memcpy(&value, address.bytes.data(), sizeof value);
  return value;
}

void store(Ipv4Addr& address, std::uint32_t host) noexcept {
  const std::uint32_t value = be32(host).raw();
  std::memcpy(address.bytes.data(), &value, sizeof value);
}

}  // namespace

FrameWriter::FrameWriter(const Target& target) noexcept {
  EthernetHeader ethernet{target.mac, MacAddr{{2, 0, 0, 0, 0, 1}}, be16(kEtherTypeIpv4)};
  Ipv4Header ip{};
  ip.version_ihl = 0x45;
  ip.fragment = be16(kIpv4DontFragment);
  ip.ttl = 64;
  ip.protocol = kProtoTcp;
  ip.destination = target.vip;
  TcpHeader tcp{};
  tcp.destination_port = be16(target.port);
  tcp.data_offset = 0x50;
  tcp.window = be16(65'535);
  std::memcpy(head_.data(), &ethernet, sizeof ethernet);
  std::memcpy(head_.data() + kIpAt, &ip, sizeof ip);
  std::memcpy(head_.data() + kTcpAt, &tcp, sizeof tcp);
  ip_sum_ = checksum_add(0, &ip, sizeof ip);
}

void FrameWriter::write(std::uint8_t* frame, std::uint16_t frame_bytes, std::uint32_t flow,
                        std::uint32_t sequence, std::uint8_t tcp_flags, std::uint64_t tsc) const noexcept {
  finish(frame, frame_bytes, source_of(flow), port_of(flow), flow, sequence, tcp_flags, tsc);
}

void FrameWriter::write_spoofed_syn(std::uint8_t* frame, std::uint16_t frame_bytes, std::uint64_t random,
                                    std::uint64_t tsc) const noexcept {
  const auto source = kFirstSpoofed + static_cast<std::uint32_t>(random % kSpoofedSources);
  finish(frame, frame_bytes, source, static_cast<std::uint16_t>(random >> 48), kSpoofed, 0, kTcpSyn, tsc);
}

void FrameWriter::finish(std::uint8_t* frame, std::uint16_t frame_bytes, std::uint32_t source,
                         std::uint16_t source_port, std::uint32_t flow, std::uint32_t sequence,
                         std::uint8_t tcp_flags, std::uint64_t tsc) const noexcept {
  std::memcpy(frame, head_.data(), kHeadBytes);
  auto& ip = *reinterpret_cast<Ipv4Header*>(frame + kIpAt);
  ip.total_length = be16(static_cast<std::uint16_t>(frame_bytes - kFcsBytes - kIpAt));
  store(ip.source, source);
  ip.checksum = checksum_finish(ip_sum_ + ip.total_length.raw() + raw(ip.source));
  auto& tcp = *reinterpret_cast<TcpHeader*>(frame + kTcpAt);
  tcp.source_port = be16(source_port);
  tcp.sequence = be32(sequence);
  tcp.acknowledgment = be32(flow);
  tcp.flags = tcp_flags;
  std::memcpy(frame + kTimeAt, &tsc, kTimeBytes);
}

std::optional<Arrival> read_arrival(std::span<const std::uint8_t> frame, const Target& target) noexcept {
  constexpr std::size_t kOuter = sizeof(Ipv4Header);
  if (frame.size() < kHeadBytes + kOuter) return std::nullopt;
  const auto& ethernet = *reinterpret_cast<const EthernetHeader*>(frame.data());
  const auto& outer = *reinterpret_cast<const Ipv4Header*>(frame.data() + kIpAt);
  const auto& ip = *reinterpret_cast<const Ipv4Header*>(frame.data() + kIpAt + kOuter);
  const auto& tcp = *reinterpret_cast<const TcpHeader*>(frame.data() + kTcpAt + kOuter);
  if (ethernet.ether_type != be16(kEtherTypeIpv4) || outer.version_ihl != 0x45 ||
      outer.protocol != kProtoIpip || ip.version_ihl != 0x45 || ip.protocol != kProtoTcp ||
      ip.destination != target.vip || tcp.destination_port != be16(target.port)) {
    return std::nullopt;
  }
  Arrival arrival{tcp.acknowledgment.host(), tcp.sequence.host(), raw(outer.destination), 0};
  std::memcpy(&arrival.sent_at, frame.data() + kTimeAt + kOuter, kTimeBytes);
  if (arrival.flow != kSpoofed && (raw(ip.source) != be32(source_of(arrival.flow)).raw() ||
                                   tcp.source_port != be16(port_of(arrival.flow)))) {
    return std::nullopt;
  }
  return arrival;
}

}  // namespace penstock::perf
