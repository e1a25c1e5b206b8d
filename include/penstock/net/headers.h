// Packet headers as they lie on the wire (IEEE 802.3, RFC 791, 8200, 9293, 768, 792, 4443, 2784, 7348). Every member
// is made of bytes, so every struct has alignment 1 and may be laid over any byte of a packet.
#pragma once

#include <cstdint>

#include "penstock/net/addr.h"
#include "penstock/net/byteorder.h"

namespace penstock {

inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::uint16_t kEtherTypeVlan = 0x8100;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;
inline constexpr std::uint16_t kEtherTypeQinq = 0x88a8;

inline constexpr std::uint8_t kProtoIcmp = 1;
inline constexpr std::uint8_t kProtoIpip = 4;
inline constexpr std::uint8_t kProtoTcp = 6;
inline constexpr std::uint8_t kProtoUdp = 17;
inline constexpr std::uint8_t kProtoIpv6 = 41;
inline constexpr std::uint8_t kProtoFragment = 44;
inline constexpr std::uint8_t kProtoGre = 47;
inline constexpr std::uint8_t kProtoIcmpv6 = 58;
inline constexpr std::uint8_t kProtoSctp = 132;

struct EthernetHeader {
  MacAddr destination;
  MacAddr source;
  be16 ether_type;
};
static_assert(sizeof(EthernetHeader) == 14 && alignof(EthernetHeader) == 1);

struct Ipv4Header {
  std::uint8_t version_ihl;
  std::uint8_t dscp_ecn;
  be16 total_length;  // bytes, header included
  be16 id;
  be16 fragment;  // flags (3 bits) and offset in units of 8 bytes
  std::uint8_t ttl;
  std::uint8_t protocol;
  be16 checksum;
  Ipv4Addr source;
  Ipv4Addr destination;
};
static_assert(sizeof(Ipv4Header) == 20 && alignof(Ipv4Header) == 1);

inline constexpr std::uint16_t kIpv4DontFragment = 0x4000;
inline constexpr std::uint16_t kIpv4MoreFragments = 0x2000;
inline constexpr std::uint16_t kIpv4OffsetMask = 0x1fff;

struct Ipv6Header {
  be32 version_class_label;
  be16 payload_length;  // bytes after this header
  std::uint8_t next_header;
  std::uint8_t hop_limit;
  Ipv6Addr source;
  Ipv6Addr destination;
};
static_assert(sizeof(Ipv6Header) == 40 && alignof(Ipv6Header) == 1);

struct TcpHeader {
  be16 source_port;
  be16 destination_port;
  be32 sequence;
  be32 acknowledgment;
  std::uint8_t data_offset;  // upper four bits, in 32-bit words
  std::uint8_t flags;
  be16 window;
  be16 checksum;
  be16 urgent;
};
static_assert(sizeof(TcpHeader) == 20 && alignof(TcpHeader) == 1);

inline constexpr std::uint8_t kTcpFin = 0x01;
inline constexpr std::uint8_t kTcpSyn = 0x02;
inline constexpr std::uint8_t kTcpRst = 0x04;
inline constexpr std::uint8_t kTcpPsh = 0x08;
inline constexpr std::uint8_t kTcpAck = 0x10;

struct UdpHeader {
  be16 source_port;
  be16 destination_port;
  be16 length;  // bytes, header included
  be16 checksum;
};
static_assert(sizeof(UdpHeader) == 8 && alignof(UdpHeader) == 1);

struct IcmpHeader {
  std::uint8_t type;
  std::uint8_t code;
  be16 checksum;
  be32 rest;
};
static_assert(sizeof(IcmpHeader) == 8 && alignof(IcmpHeader) == 1);

/// Version 0 (RFC 2784); with kGreHasKey the key (RFC 2890) follows.
struct GreHeader {
  be16 flags_version;
  be16 protocol;  // an Ethernet type
};
static_assert(sizeof(GreHeader) == 4 && alignof(GreHeader) == 1);

inline constexpr std::uint16_t kGreHasKey = 0x2000;

/// RFC 7348.
struct VxlanHeader {
  be32 flags;
  be32 vni;  // network identifier in the upper 24 bits
};
static_assert(sizeof(VxlanHeader) == 8 && alignof(VxlanHeader) == 1);

inline constexpr std::uint16_t kVxlanPort = 4789;
inline constexpr std::uint32_t kVxlanHasVni = 0x0800'0000;

}  // namespace penstock
