// Frames for tests, written as a sentence: packet().v4("198.51.100.7", "203.0.113.10").tcp(40000, 80).syn().
// The lengths and the IPv4 header checksum come out right unless a test sets them.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "penstock/net/addr.h"
#include "penstock/net/checksum.h"
#include "penstock/net/headers.h"

namespace penstock::test {

using Bytes = std::vector<std::uint8_t>;

template <class Header>
void append(Bytes& out, const Header& header) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&header);
  out.insert(out.end(), bytes, bytes + sizeof header);
}

class PacketBuilder {
 public:
  PacketBuilder& v4(const std::string& source, const std::string& destination) {
    source_ = IpAddr::parse(source).value();
    destination_ = IpAddr::parse(destination).value();
    ether_type_ = kEtherTypeIpv4;
    return *this;
  }
  PacketBuilder& v6(const std::string& source, const std::string& destination) {
    v4(source, destination);
    ether_type_ = kEtherTypeIpv6;
    return *this;
  }
  PacketBuilder& tcp(std::uint16_t source_port, std::uint16_t destination_port) {
    protocol_ = kProtoTcp;
    TcpHeader tcp{};
    tcp.source_port = be16(source_port);
    tcp.destination_port = be16(destination_port);
    tcp.data_offset = 0x50;
    tcp.flags = kTcpAck;
    transport_.clear();
    append(transport_, tcp);
    return *this;
  }
  PacketBuilder& udp(std::uint16_t source_port, std::uint16_t destination_port) {
    protocol_ = kProtoUdp;
    UdpHeader udp{};
    udp.source_port = be16(source_port);
    udp.destination_port = be16(destination_port);
    transport_.clear();
    append(transport_, udp);
    return *this;
  }
  /// A transport of another kind: `bytes` zeros.
  PacketBuilder& other(std::uint8_t protocol, std::size_t bytes = 8) {
    protocol_ = protocol;
    transport_.assign(bytes, 0);
    return *this;
  }
  PacketBuilder& flags(std::uint8_t tcp_flags) {
    transport_[13] = tcp_flags;
    return *this;
  }
  PacketBuilder& syn() { return flags(kTcpSyn); }
  PacketBuilder& ack() { return flags(kTcpAck); }
  PacketBuilder& fin() { return flags(kTcpFin | kTcpAck); }
  PacketBuilder& rst() { return flags(kTcpRst); }
  PacketBuilder& payload(std::size_t bytes) {
    payload_ = bytes;
    return *this;
  }
  PacketBuilder& ttl(std::uint8_t value) {
    ttl_ = value;
    return *this;
  }
  PacketBuilder& traffic_class(std::uint8_t value) {
    traffic_class_ = value;
    return *this;
  }
  /// IPv4: the flags and offset word.
  PacketBuilder& fragment(std::uint16_t word) {
    fragment_ = word;
    return *this;
  }
  /// IPv4: that many bytes of no-operation options, a multiple of 4.
  PacketBuilder& options(std::size_t bytes) {
    options_.assign(bytes, 1);
    return *this;
  }
  /// IPv6: extension headers as they stand, the first of which is `next_header`.
  PacketBuilder& extensions(std::uint8_t next_header, Bytes bytes) {
    first_extension_ = next_header;
    options_ = std::move(bytes);
    return *this;
  }
  /// Overrides the IP length field: total length (IPv4) or payload length (IPv6).
  PacketBuilder& ip_length(std::uint16_t value) {
    ip_length_ = value;
    return *this;
  }
  PacketBuilder& version_ihl(std::uint8_t value) {
    version_ihl_ = value;
    return *this;
  }
  PacketBuilder& ether_type(std::uint16_t value) {
    ether_type_ = value;
    return *this;
  }
  /// Ethernet padding up to this frame length, of bytes that must not survive.
  PacketBuilder& pad_to(std::size_t bytes) {
    pad_to_ = bytes;
    return *this;
  }
  /// Cuts the frame.
  PacketBuilder& cut_to(std::size_t bytes) {
    cut_to_ = bytes;
    return *this;
  }

  [[nodiscard]] Bytes build() const {
    Bytes frame;
    append(frame, EthernetHeader{{{2, 0, 0, 0, 0, 0x11}}, {{2, 0, 0, 0, 0, 0x22}}, be16(ether_type_)});
    if (source_.is_v6()) {
      append_v6(frame);
    } else {
      append_v4(frame);
    }
    frame.insert(frame.end(), options_.begin(), options_.end());
    if (!source_.is_v6()) finish_v4(frame);
    frame.insert(frame.end(), transport_.begin(), transport_.end());
    for (std::size_t i = 0; i < payload_; ++i) frame.push_back(static_cast<std::uint8_t>('a' + i % 26));
    if (frame.size() < pad_to_) frame.resize(pad_to_, 0xee);
    if (frame.size() > cut_to_) frame.resize(cut_to_);
    return frame;
  }

 private:
  void append_v4(Bytes& frame) const {
    Ipv4Header ip{};
    ip.version_ihl = version_ihl_ != 0 ? version_ihl_ : static_cast<std::uint8_t>(0x45 + options_.size() / 4);
    ip.dscp_ecn = traffic_class_;
    ip.total_length = be16(ip_length_ != kFromContent ? static_cast<std::uint16_t>(ip_length_)
                                                      : static_cast<std::uint16_t>(20 + body_length()));
    ip.id = be16(0x1234);
    ip.fragment = be16(fragment_);
    ip.ttl = ttl_;
    ip.protocol = protocol_;
    ip.source = source_.v4();
    ip.destination = destination_.v4();
    append(frame, ip);
  }
  static void finish_v4(Bytes& frame) {
    const be16 sum = checksum(frame.data() + 14, frame.size() - 14);
    std::memcpy(frame.data() + 14 + 10, &sum, 2);
  }
  void append_v6(Bytes& frame) const {
    Ipv6Header ip{};
    const std::uint32_t version = version_ihl_ != 0 ? version_ihl_ >> 4 : 6;
    ip.version_class_label = be32(version << 28 | std::uint32_t{traffic_class_} << 20 | 0x54321);
    ip.payload_length = be16(ip_length_ != kFromContent ? static_cast<std::uint16_t>(ip_length_)
                                                        : static_cast<std::uint16_t>(body_length()));
    ip.next_header = options_.empty() ? protocol_ : first_extension_;
    ip.hop_limit = ttl_;
    ip.source = source_.v6();
    ip.destination = destination_.v6();
    append(frame, ip);
  }
  [[nodiscard]] std::size_t body_length() const { return options_.size() + transport_.size() + payload_; }

  static constexpr std::uint32_t kFromContent = 0xffff'ffff;
  IpAddr source_;
  IpAddr destination_;
  std::uint16_t ether_type_ = kEtherTypeIpv4;
  std::uint8_t protocol_ = kProtoTcp;
  Bytes transport_;
  std::size_t payload_ = 0;
  std::uint8_t ttl_ = 64;
  std::uint8_t traffic_class_ = 0;
  std::uint16_t fragment_ = 0;
  Bytes options_;
  std::uint8_t first_extension_ = 0;
  std::uint32_t ip_length_ = kFromContent;
  std::uint8_t version_ihl_ = 0;
  std::size_t pad_to_ = 0;
  std::size_t cut_to_ = 1U << 20;
};

inline PacketBuilder packet() { return {}; }

}  // namespace penstock::test
