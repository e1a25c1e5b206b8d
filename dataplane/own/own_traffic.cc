#include "dataplane/own/own_traffic.h"

#include <algorithm>
#include <cstring>

#include "penstock/net/headers.h"

namespace penstock {
namespace {

constexpr std::size_t kEthernet = sizeof(EthernetHeader);

/// Where a packet's transport header begins, and where the packet ends; 0: none of ours.
struct Layout {
  std::size_t transport = 0;
  std::size_t end = 0;
  std::uint8_t protocol = 0;
  bool is_v6 = false;
};

be16 load16(const std::uint8_t* at) noexcept {
  std::uint16_t raw;
  std::memcpy(&raw, at, sizeof raw);
  return be16::from_raw(raw);
}

Layout layout_v4(const std::uint8_t* frame, std::size_t length) noexcept {
  if (length < kEthernet + sizeof(Ipv4Header)) return {};
  Ipv4Header ip;
  std::memcpy(&ip, frame + kEthernet, sizeof ip);
  const std::size_t header = (ip.version_ihl & 0xfU) * 4;
  const bool whole = (ip.fragment.host() & (kIpv4MoreFragments | kIpv4OffsetMask)) == 0;
  if (ip.version_ihl >> 4 != 4 || header < sizeof ip || !whole) return {};
  return {kEthernet + header, kEthernet + ip.total_length.host(), ip.protocol, false};
}

Layout layout_v6(const std::uint8_t* frame, std::size_t length) noexcept {
  if (length < kEthernet + sizeof(Ipv6Header)) return {};
  Ipv6Header ip;
  std::memcpy(&ip, frame + kEthernet, sizeof ip);
  const std::size_t transport = kEthernet + sizeof ip;
  if (frame[kEthernet] >> 4 != 6) return {};
  return {transport, transport + ip.payload_length.host(), ip.next_header, true};
}

/// `length`: bytes that are there. The packet's end may lie beyond them.
Layout layout_of(const std::uint8_t* frame, std::size_t length) noexcept {
  if (length < kEthernet) return {};
  const std::uint16_t type = load16(frame + offsetof(EthernetHeader, ether_type)).host();
  Layout l;
  if (type == kEtherTypeIpv4) l = layout_v4(frame, length);
  if (type == kEtherTypeIpv6) l = layout_v6(frame, length);
  const std::size_t least = l.protocol == kProtoTcp   ? sizeof(TcpHeader)
                            : l.protocol == kProtoUdp ? sizeof(UdpHeader)
                                                      : SIZE_MAX / 2;
  return l.transport != 0 && l.transport + least <= std::min(l.end, length) ? l : Layout{};
}

IpAddr address_at(const std::uint8_t* at, bool is_v6) {
  if (is_v6) {
    Ipv6Addr v6;
    std::memcpy(v6.bytes.data(), at, v6.bytes.size());
    return IpAddr(v6);
  }
  Ipv4Addr v4;
  std::memcpy(v4.bytes.data(), at, v4.bytes.size());
  return IpAddr(v4);
}

}  // namespace

IpAddr InFrame::source() const {
  return address_at(
      bytes.data() + network + (is_v6 ? offsetof(Ipv6Header, source) : offsetof(Ipv4Header, source)), is_v6);
}
IpAddr InFrame::destination() const {
  return address_at(bytes.data() + network +
                        (is_v6 ? offsetof(Ipv6Header, destination) : offsetof(Ipv4Header, destination)),
                    is_v6);
}
std::uint16_t InFrame::source_port() const { return load16(bytes.data() + transport).host(); }
std::uint16_t InFrame::destination_port() const { return load16(bytes.data() + transport + 2).host(); }

OwnWorker::Verdict OwnWorker::take(const std::uint8_t* frame, std::size_t length, Nanoseconds now) noexcept {
  const Layout layout = layout_of(frame, length);
  if (layout.transport == 0) return Verdict::kNotOurs;
  const std::uint16_t port = load16(frame + layout.transport + 2).host();
  std::size_t channel = 0;
  while (channel < channels_ && !ports_[channel].hold(port)) ++channel;
  if (channel == channels_) return Verdict::kNotOurs;
  InFrame* const in = in_[channel]->claim();
  if (in == nullptr) return Verdict::kNoRoom;
  const std::size_t kept = std::min({length, layout.end, kOwnFrameBytes});
  in->arrived = now;
  in->length = static_cast<std::uint16_t>(kept);
  in->transport = static_cast<std::uint16_t>(layout.transport);
  in->network = kEthernet;
  in->protocol = layout.protocol;
  in->is_v6 = layout.is_v6;
  in->is_whole = kept == layout.end;
  std::memcpy(in->bytes.data(), frame, kept);
  in_[channel]->push();
  return Verdict::kTaken;
}

void OwnWorker::polled_full(Nanoseconds began) noexcept {
  if (full_polls_ == 0) full_since_ = began;
  if (++full_polls_ < kPollsToEmpty) return;
  full_polls_ = 0;
  heard_ns_.store(full_since_.count(), std::memory_order_release);
}

OwnChannel::OwnChannel(std::size_t workers, OwnPorts ports) : ports_(ports) {
  for (std::size_t i = 0; i < workers; ++i) {
    out_.push_back(std::make_unique<OutRing>(kOwnRingSlots));
    in_.push_back(std::make_unique<InRing>(kOwnRingSlots));
  }
}

Nanoseconds OwnChannel::heard() const noexcept {
  Nanoseconds least(UINT64_MAX);
  for (const OwnWorker* end : ends_) least = std::min(least, end->heard());
  return least;
}

std::uint64_t OwnChannel::dropped() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& ring : in_) sum += ring->dropped();
  return sum;
}

OwnTraffic::OwnTraffic(std::size_t workers) {
  for (std::size_t i = 0; i < workers; ++i) workers_.push_back(std::make_unique<OwnWorker>());
}

OwnChannel& OwnTraffic::add(OwnPorts ports) {
  channels_.push_back(std::make_unique<OwnChannel>(workers_.size(), ports));
  OwnChannel& channel = *channels_.back();
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    OwnWorker& worker = *workers_[i];
    worker.ports_[worker.channels_] = ports;
    worker.out_[worker.channels_] = channel.out_[i].get();
    worker.in_[worker.channels_] = channel.in_[i].get();
    ++worker.channels_;
    channel.ends_.push_back(&worker);
  }
  return channel;
}

}  // namespace penstock
