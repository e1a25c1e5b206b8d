/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Part of decap.bpf.c: what its other parts know of a packet, and the arithmetic that they share.
 */
#ifndef PENSTOCK_BPF_DECAP_PACKET_H
#define PENSTOCK_BPF_DECAP_PACKET_H

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define PROTO_ICMP 1
#define PROTO_IPIP 4
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_IPV6 41
#define PROTO_FRAGMENT 44
#define PROTO_ICMPV6 58
#define PROTO_SCTP 132
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_OFFSET 0x1fff
#define IPV6_OFFSET 0xfff8
#define IPV6_MORE_FRAGMENTS 0x0001
#define TCP_HEADER 20
#define UDP_HEADER 8
#define SCTP_HEADER 12
#define ECN_NOT_ECT 0
#define ECN_ECT1 1
#define ECN_ECT0 2
#define ECN_CE 3
#define ECN_MASK 3
#define NANOSECONDS 1000000000ull
/* Ethernet with one tag, IPv4 with all options, UDP, GUE with 31 words: the largest offset of an inner
 * packet. */
#define MAX_L3_OFFSET 18
#define MAX_UDP_OFFSET (18 + 60)
#define MAX_INNER_OFFSET (18 + 60 + 8 + 4 + 124)

/* What is known of a packet. Offsets in bytes from the frame's start, lengths in bytes. No pointers: so that
 * global functions may take it, which the verifier checks once each, and not once for every way to them. */
struct tunnel {
  __u32 frame_length;
  __u32 l3_offset; /* 14, or 18 behind a VLAN tag */
  __u32 inner_offset;
  __u32 inner_room; /* what the outer headers leave for the inner packet */
  __u16 outer_ethertype;
  __u8 outer_ecn;
  __u8 inner_protocol; /* PROTO_IPIP or PROTO_IPV6 */
  __u32 inner_length;
  __u32 udp_offset; /* of the outer UDP header; 0 for IP-in-IP */
  __u8 next_hop;
  __u8 hop_count;       /* 0: nothing to search for */
  bool hops_are_usable; /* of the outer packet's family */
};

/* Names that are looked up are written in whole words: the kernel hashes and compares words, and a CPU waits
 * for a word that was written in pieces just before. */
#define BY_WORDS __attribute__((aligned(8)))

/* The inner packet's destination and where its transport header begins. */
struct inner {
  struct abi_service_key key BY_WORDS; /* of the service that takes it, once admitted */
  __u32 l4_offset;                     /* from the frame's start */
  __u32 l4_length;
  __u8 protocol;
  bool later_fragment;
};

/* The outer IP header in terms common to both families. */
struct outer {
  struct abi_address destination BY_WORDS;
  __u32 l4_offset; /* from the frame's start */
  __u32 l4_length;
  __u16 fragment_offset; /* nonzero: no transport header here */
  bool fragment;
  bool sound; /* lengths, version and checksum agree */
  __u8 protocol;
};

static __always_inline void* start_of(const struct xdp_md* ctx) { return (void*)(long)ctx->data; }
static __always_inline void* end_of(const struct xdp_md* ctx) { return (void*)(long)ctx->data_end; }

/* Two 32-bit words as they lie in memory. */
static __always_inline __u64 word_pair(__u32 first, __u32 second) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return (__u64)second << 32 | first;
#else
  return (__u64)first << 32 | second;
#endif
}

/* The addresses below are BY_WORDS. */
static __always_inline void set_halves(struct abi_address* a, __u64 first, __u64 second) {
  __u64* halves = __builtin_assume_aligned(a, 8);
  __builtin_memcpy(halves, &first, 8);
  __builtin_memcpy(halves + 1, &second, 8);
}

static __always_inline void set_ipv4(struct abi_address* a, __be32 ipv4) {
  set_halves(a, 0, word_pair(bpf_htonl(0xffff), ipv4));
}

static __always_inline void set_ipv6(struct abi_address* a, const struct in6_addr* ipv6) {
  const __be32* words = ipv6->in6_u.u6_addr32;
  set_halves(a, word_pair(words[0], words[1]), word_pair(words[2], words[3]));
}

static __always_inline struct abi_address mapped(const void* ipv4) {
  struct abi_address a = {};
  a.bytes[10] = 0xff;
  a.bytes[11] = 0xff;
  __builtin_memcpy(a.bytes + 12, ipv4, 4);
  return a;
}

/* A service of one port, behind its address: port, last_port, protocol, prefix_length, reserved. */
static __always_inline void set_port(struct abi_service_key* key, __be16 port, __u8 protocol) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  const __u64 rest = (__u64)protocol << 32 | port;
#else
  const __u64 rest = (__u64)port << 48 | (__u64)protocol << 24;
#endif
  __builtin_memcpy((__u64*)__builtin_assume_aligned(key, 8) + 2, &rest, 8);
}

static __always_inline __u32 fold(__u64 sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (__u32)sum;
}

/* A header's checksum after a change of the sum over it (RFC 1624, equation 3). */
static __always_inline __u16 changed_checksum(__u16 checksum, __u64 change) {
  return (__u16)~fold((__u16)~checksum + change);
}

/* The two bytes as a checksum sees them. Not read through a pointer to a word: such a read may be moved
 * before a write to one of the bytes. */
static __always_inline __be16 word_of(__u8 first, __u8 second) { return bpf_htons(first << 8 | second); }

/* To the neighbour that brought it. */
static __always_inline void send_back(struct ethhdr* eth) {
  __u8 ours[6];
  __builtin_memcpy(ours, eth->h_dest, 6);
  __builtin_memcpy(eth->h_dest, eth->h_source, 6);
  __builtin_memcpy(eth->h_source, ours, 6);
}

#endif
