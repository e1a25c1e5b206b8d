/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * XDP program of a backend: takes the outer header off packets that a gateway sent here and leaves the inner
 * packet, whose destination is a VIP on this host, to the local stack. The answer goes straight to the
 * client.
 *
 *   Ethernet [802.1Q] | IPv4 or IPv6 | UDP 6080 | GUE [hops] | IPv4 or IPv6      include/penstock/abi/gue.h
 *   Ethernet [802.1Q] | IPv4 or IPv6 | IPv4 or IPv6                              RFC 2003, 4213, 2473
 *
 * A tunnel that accepts anything is a way around every filter in front of this host. So a packet is taken
 * only if its outer destination is ours and its inner destination is a configured service; fragments without
 * ports and the few ICMP types that a server needs are taken for a configured VIP. All else is counted and
 * dropped. A service of one address and one port is found by one look-up in a hash table; prefixes, ranges and
 * wildcards by a search behind it.
 *
 * Not verified: the outer UDP checksum (gateways send zero, RFC 6935 and 6936; the inner one protects the
 * payload) and the inner IPv4 checksum (the local stack does). ECN follows RFC 6040, figure 4.
 *
 * Headers are read from the linear part of the buffer; payload may lie in fragments ("xdp.frags"). Kernel
 * >= 5.18. Maps and outcomes: include/penstock/abi/decap.h.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "penstock/abi/decap.h"
#include "penstock/abi/gue.h"

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
/* Ethernet with one tag, IPv4 with all options, UDP, GUE with 31 words: the largest offset of an inner
 * packet. */
#define MAX_INNER_OFFSET (18 + 60 + 8 + 4 + 124)

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, PENSTOCK_DECAP_MAX_ADDRESSES);
  __type(key, struct abi_address);
  __type(value, abi_u8);
} decap_addresses SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC); /* few hosts serve 16384 services; memory only for those present */
  __uint(max_entries, PENSTOCK_DECAP_MAX_SERVICES);
  __type(key, struct abi_service_key);
  __type(value, struct decap_counters);
} decap_services SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, PENSTOCK_DECAP_MAX_VIPS);
  __type(key, struct abi_prefix);
  __type(value, struct decap_vip);
} decap_vips SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, DECAP_OUTCOME_COUNT);
  __type(key, abi_u32);
  __type(value, abi_u64);
} decap_outcomes SEC(".maps");

/* What is known of a packet. Offsets in bytes from the frame's start, lengths in bytes. */
struct tunnel {
  __u32 frame_length;
  __u32 l3_offset; /* 14, or 18 behind a VLAN tag */
  __u32 inner_offset;
  __u32 inner_room; /* what the outer headers leave for the inner packet */
  __u16 outer_ethertype;
  __u8 outer_ecn;
  __u8 inner_protocol; /* PROTO_IPIP or PROTO_IPV6 */
  __u32 inner_length;
  struct decap_counters* counters;
};

/* The outer IP header in terms common to both families. */
struct outer {
  struct abi_address destination;
  __u32 l4_offset; /* from the frame's start */
  __u32 l4_length;
  __u16 fragment_offset; /* nonzero: no transport header here */
  bool fragment;
  bool sound; /* lengths, version and checksum agree */
  __u8 protocol;
};

static __always_inline void* start_of(const struct xdp_md* ctx) { return (void*)(long)ctx->data; }
static __always_inline void* end_of(const struct xdp_md* ctx) { return (void*)(long)ctx->data_end; }

static __always_inline struct abi_address mapped(const void* ipv4) {
  struct abi_address a = {};
  a.bytes[10] = 0xff;
  a.bytes[11] = 0xff;
  __builtin_memcpy(a.bytes + 12, ipv4, 4);
  return a;
}

static __always_inline __u32 fold(__u64 sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (__u32)sum;
}

/* RFC 1071 over a header of `length` bytes, of which the first 20 are known to be there. The stack would
 * check it, but never sees the outer header. Unrolled: the verifier follows constant offsets, not a moving
 * pointer. */
static __always_inline bool ipv4_checksum_holds(const __u32* header, const void* end, __u32 length) {
  __u64 sum = 0;
#pragma unroll
  for (__u32 word = 0; word < 15; ++word) {
    if (word * 4 >= sizeof(struct iphdr)) {
      if (word * 4 >= length) break;
      if ((const void*)(header + word + 1) > end) return false;
    }
    sum += header[word];
  }
  return fold(sum) == 0xffff;
}

/* False: not an IPv4 header that could be read. */
static __always_inline bool read_outer_ipv4(struct xdp_md* ctx, struct tunnel* t, struct outer* o) {
  void* end = end_of(ctx);
  struct iphdr* ip = start_of(ctx) + t->l3_offset;
  if ((void*)(ip + 1) > end) return false;
  const __u32 header = ip->ihl * 4;
  const __u32 total = bpf_ntohs(ip->tot_len);
  if (ip->version != 4 || header < sizeof *ip) return false;
  o->protocol = ip->protocol;
  o->destination = mapped(&ip->daddr);
  o->fragment = (ip->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS | IPV4_OFFSET)) != 0;
  o->fragment_offset = bpf_ntohs(ip->frag_off) & IPV4_OFFSET;
  o->l4_offset = t->l3_offset + header;
  o->l4_length = total - header;
  o->sound = total >= header && t->l3_offset + total <= t->frame_length &&
             ipv4_checksum_holds((const __u32*)ip, end, header);
  t->outer_ecn = ip->tos & ECN_MASK;
  return true;
}

static __always_inline bool read_outer_ipv6(struct xdp_md* ctx, struct tunnel* t, struct outer* o) {
  void* end = end_of(ctx);
  struct ipv6hdr* ip = start_of(ctx) + t->l3_offset;
  if ((void*)(ip + 1) > end) return false;
  const __u32 payload = bpf_ntohs(ip->payload_len);
  if (ip->version != 6) return false;
  o->protocol = ip->nexthdr;
  __builtin_memcpy(o->destination.bytes, &ip->daddr, 16);
  o->l4_offset = t->l3_offset + sizeof *ip;
  o->l4_length = payload;
  o->sound = t->l3_offset + sizeof *ip + payload <= t->frame_length;
  t->outer_ecn = (ip->flow_lbl[0] >> 4) & ECN_MASK;
  if (o->protocol != PROTO_FRAGMENT) return true;
  struct frag_hdr* fragment = (void*)(ip + 1);
  if ((void*)(fragment + 1) > end) return false;
  o->protocol = fragment->nexthdr;
  o->fragment = true; /* atomic ones too (RFC 6946): a gateway sends none */
  o->fragment_offset = bpf_ntohs(fragment->frag_off) & IPV6_OFFSET;
  o->l4_offset += sizeof *fragment;
  return true;
}

/* Bounds and meaning of the private data. The hops themselves are for the second chance; here they are
 * skipped. */
static __always_inline bool hops_are_valid(struct xdp_md* ctx, __u32 offset, __u32 length) {
  if (length < sizeof(struct gue_private)) return true; /* plain GUE */
  struct gue_private* private = start_of(ctx) + offset;
  if ((void*)(private + 1) > end_of(ctx)) return false;
  const __u16 type = bpf_ntohs(private->type);
  if (type != PENSTOCK_GUE_HOPS_IPV4 && type != PENSTOCK_GUE_HOPS_IPV6) return true; /* someone else's data */
  const __u32 hop_size = type == PENSTOCK_GUE_HOPS_IPV4 ? 4 : 16;
  return private->hop_count <= PENSTOCK_GUE_MAX_HOPS && private->next_hop <= private->hop_count &&
         sizeof *private + private->hop_count * hop_size <= length;
}

/* Control messages are left to the kernel until a program answers them; it would be called from here. */
static __always_inline enum decap_outcome read_gue(struct xdp_md* ctx, struct tunnel* t,
                                                   const struct outer* o) {
  const __u32 gue_offset = o->l4_offset + UDP_HEADER;
  if (gue_offset > MAX_INNER_OFFSET) return DECAP_DROPPED_OUTER;
  struct udphdr* udp = start_of(ctx) + o->l4_offset;
  struct gue_header* gue = (void*)(udp + 1);
  if ((void*)(gue + 1) > end_of(ctx)) return DECAP_DROPPED_GUE;
  const __u32 udp_length = bpf_ntohs(udp->len);
  if (udp_length < UDP_HEADER || udp_length > o->l4_length) return DECAP_DROPPED_OUTER;
  if (udp_length < UDP_HEADER + sizeof *gue) return DECAP_DROPPED_GUE;
  if (gue->version_control_hlen & PENSTOCK_GUE_VERSION_MASK) return DECAP_DROPPED_GUE;
  if (gue->version_control_hlen & PENSTOCK_GUE_CONTROL) return DECAP_PASSED_CONTROL;
  const __u32 private_length = (gue->version_control_hlen & PENSTOCK_GUE_HLEN_MASK) * 4;
  const __u32 headers = UDP_HEADER + sizeof *gue + private_length;
  if (gue->flags != 0 || headers > udp_length) return DECAP_DROPPED_GUE;
  t->inner_protocol = gue->protocol;
  t->inner_offset = o->l4_offset + headers;
  t->inner_room = udp_length - headers;
  if (!hops_are_valid(ctx, gue_offset + sizeof *gue, private_length)) return DECAP_DROPPED_HOPS;
  return DECAP_DECAPSULATED;
}

/* Is it a tunnel packet at all? Only then does the destination matter. */
static __always_inline bool is_tunnel(struct xdp_md* ctx, const struct outer* o) {
  if (o->protocol == PROTO_IPIP || o->protocol == PROTO_IPV6) return true;
  if (o->protocol != PROTO_UDP || o->fragment_offset != 0) return false;
  if (o->l4_offset > MAX_INNER_OFFSET) return false;
  struct udphdr* udp = start_of(ctx) + o->l4_offset;
  if ((void*)(udp + 1) > end_of(ctx)) return false;
  return udp->dest == bpf_htons(PENSTOCK_GUE_PORT);
}

static __always_inline enum decap_outcome read_outer(struct xdp_md* ctx, struct tunnel* t) {
  struct ethhdr* eth = start_of(ctx);
  struct outer o = {};
  if ((void*)(eth + 1) > end_of(ctx)) return DECAP_PASSED_NOT_TUNNEL;
  t->l3_offset = sizeof *eth;
  t->outer_ethertype = bpf_ntohs(eth->h_proto);
  if (t->outer_ethertype == ETHERTYPE_VLAN || t->outer_ethertype == ETHERTYPE_QINQ) {
    struct vlan_hdr* tag = (void*)(eth + 1);
    if ((void*)(tag + 1) > end_of(ctx)) return DECAP_PASSED_NOT_TUNNEL;
    t->l3_offset += sizeof *tag;
    t->outer_ethertype = bpf_ntohs(tag->h_vlan_encapsulated_proto);
  }
  if (t->outer_ethertype == ETHERTYPE_IPV4) {
    if (!read_outer_ipv4(ctx, t, &o)) return DECAP_PASSED_NOT_TUNNEL;
  } else if (t->outer_ethertype == ETHERTYPE_IPV6) {
    if (!read_outer_ipv6(ctx, t, &o)) return DECAP_PASSED_NOT_TUNNEL;
  } else {
    return DECAP_PASSED_NOT_TUNNEL;
  }
  if (!is_tunnel(ctx, &o)) return DECAP_PASSED_NOT_TUNNEL;
  if (!bpf_map_lookup_elem(&decap_addresses, &o.destination)) return DECAP_PASSED_NOT_OURS;
  if (!o.sound) return DECAP_DROPPED_OUTER;
  if (o.fragment) return DECAP_DROPPED_OUTER_FRAGMENT;
  if (o.protocol == PROTO_UDP) return read_gue(ctx, t, &o);
  t->inner_protocol = o.protocol;
  t->inner_offset = o.l4_offset;
  t->inner_room = o.l4_length;
  return DECAP_DECAPSULATED;
}

/* The inner packet's destination and where its transport header begins. */
struct inner {
  struct abi_service_key key;
  __u32 l4_offset; /* from the frame's start */
  __u32 l4_length;
  bool later_fragment;
};

/* What a server must hear: errors about its own packets, and ping. Redirects and neighbour discovery would
 * let a distant sender rewrite this host's routes. */
static __always_inline bool icmp_is_wanted(__u8 protocol, __u8 type) {
  if (protocol == PROTO_ICMP) return type == 3 || type == 8 || type == 11 || type == 12;
  return (type >= 1 && type <= 4) || type == 128;
}

/* Names the entry of decap_services that stands for `vip` itself. */
static __always_inline void name_vip(struct abi_service_key* key, const struct decap_vip* vip) {
  __builtin_memset(key, 0, sizeof *key);
  key->vip = vip->first;
  key->prefix_length = vip->prefix_length;
}

static __noinline enum decap_outcome admit_to_vip(struct tunnel* t, const struct inner* in) {
  const struct abi_prefix whole = {.length = 128, .address = in->key.vip};
  struct abi_service_key key;
  const struct decap_vip* vip = bpf_map_lookup_elem(&decap_vips, &whole);
  if (!vip) return DECAP_DROPPED_NO_SERVICE;
  name_vip(&key, vip);
  t->counters = bpf_map_lookup_elem(&decap_services, &key);
  return t->counters ? DECAP_DECAPSULATED : DECAP_DROPPED_NO_SERVICE;
}

/* The service of `vip` that takes the packet; `port` in host order. NULL: none. */
static __always_inline struct decap_counters* find_in(const struct decap_vip* vip, const struct inner* in,
                                                      __u16 port) {
  const __u8 protocol = in->key.protocol;
  struct decap_counters* found;
  struct abi_service_key key;
  name_vip(&key, vip);
  key.protocol = protocol;
  key.port = in->key.port;
  if (vip->prefix_length != 0 && key.port != 0) { /* the one address has been looked up */
    found = bpf_map_lookup_elem(&decap_services, &key);
    if (found) return found;
  }
  for (__u32 i = 0; i < PENSTOCK_DECAP_MAX_RULES; ++i) {
    const struct decap_rule* rule = &vip->rules[i];
    if (i >= vip->rule_count) break;
    if (rule->protocol != protocol && rule->protocol != PENSTOCK_DECAP_ANY_PROTOCOL) continue;
    if (port < rule->first_port || port > rule->last_port) continue;
    key.protocol = rule->protocol;
    key.port = bpf_htons(rule->first_port);
    key.last_port = rule->first_port == 0 ? 0 : bpf_htons(rule->last_port);
    return bpf_map_lookup_elem(&decap_services, &key);
  }
  return 0;
}

/* Prefixes from the longest on; a packet without ports has port 0. */
static __noinline enum decap_outcome admit_by_rules(struct tunnel* t, const struct inner* in) {
  struct abi_prefix prefix = {.length = 128, .address = in->key.vip};
  const __u16 port = bpf_ntohs(in->key.port);
  for (int i = 0; i < PENSTOCK_DECAP_MAX_NESTED; ++i) {
    const struct decap_vip* vip = bpf_map_lookup_elem(&decap_vips, &prefix);
    if (!vip) return DECAP_DROPPED_NO_SERVICE;
    t->counters = find_in(vip, in, port);
    if (t->counters) return DECAP_DECAPSULATED;
    const bool v4 = t->inner_protocol == PROTO_IPIP;
    const __u32 length = vip->prefix_length == 0 ? 128 : vip->prefix_length + (v4 ? 96 : 0);
    prefix.length = length - 1;
  }
  return DECAP_DROPPED_NO_SERVICE;
}

/* Headers between IPv6 and the transport, and what IPv4 gives no meaning: even a service of any protocol does
 * not take what hides the protocol from the filters in front of this host. */
static __always_inline bool hides_protocol(__u8 protocol) {
  return protocol == 0 || protocol == 43 || protocol == 51 || protocol == 60 || protocol == PROTO_FRAGMENT;
}

static __always_inline bool has_ports(__u8 protocol) {
  return protocol == PROTO_TCP || protocol == PROTO_UDP || protocol == PROTO_SCTP;
}

static __always_inline enum decap_outcome admit(struct xdp_md* ctx, struct tunnel* t, struct inner* in) {
  const __u8 protocol = in->key.protocol;
  const bool icmp = protocol == (t->inner_protocol == PROTO_IPIP ? PROTO_ICMP : PROTO_ICMPV6);
  if (hides_protocol(protocol)) return DECAP_DROPPED_INNER_PROTOCOL;
  if (in->later_fragment && (has_ports(protocol) || icmp)) return admit_to_vip(t, in);
  if (!has_ports(protocol) && !icmp) {
    return protocol == PROTO_ICMP || protocol == PROTO_ICMPV6 ? DECAP_DROPPED_INNER_PROTOCOL : admit_by_rules(t, in);
  }
  /* A first fragment too short for its transport header hides the ports from filters (RFC 1858). */
  const __u32 least = protocol == PROTO_TCP ? TCP_HEADER : protocol == PROTO_SCTP ? SCTP_HEADER : UDP_HEADER;
  if (in->l4_length < least || in->l4_offset > MAX_INNER_OFFSET + 60) return DECAP_DROPPED_INNER;
  __u8* l4 = start_of(ctx) + in->l4_offset;
  if ((void*)(l4 + 4) > end_of(ctx)) return DECAP_DROPPED_INNER;
  if (icmp) return icmp_is_wanted(protocol, l4[0]) ? admit_to_vip(t, in) : DECAP_DROPPED_INNER_PROTOCOL;
  __builtin_memcpy(&in->key.port, l4 + 2, 2);
  t->counters = bpf_map_lookup_elem(&decap_services, &in->key);
  return t->counters ? DECAP_DECAPSULATED : admit_by_rules(t, in);
}

static __always_inline enum decap_outcome read_inner_ipv4(struct xdp_md* ctx, struct tunnel* t) {
  struct inner in = {};
  if (t->inner_offset > MAX_INNER_OFFSET) return DECAP_DROPPED_INNER;
  struct iphdr* ip = start_of(ctx) + t->inner_offset;
  if ((void*)(ip + 1) > end_of(ctx)) return DECAP_DROPPED_INNER;
  const __u32 header = ip->ihl * 4;
  t->inner_length = bpf_ntohs(ip->tot_len);
  if (ip->version != 4 || header < sizeof *ip || t->inner_length < header || t->inner_length > t->inner_room)
    return DECAP_DROPPED_INNER;
  in.key.vip = mapped(&ip->daddr);
  in.key.protocol = ip->protocol;
  in.l4_offset = t->inner_offset + header;
  in.l4_length = t->inner_length - header;
  in.later_fragment = (ip->frag_off & bpf_htons(IPV4_OFFSET)) != 0;
  return admit(ctx, t, &in);
}

static __always_inline enum decap_outcome read_inner_ipv6(struct xdp_md* ctx, struct tunnel* t) {
  struct inner in = {};
  if (t->inner_offset > MAX_INNER_OFFSET) return DECAP_DROPPED_INNER;
  struct ipv6hdr* ip = start_of(ctx) + t->inner_offset;
  if ((void*)(ip + 1) > end_of(ctx)) return DECAP_DROPPED_INNER;
  const __u32 payload = bpf_ntohs(ip->payload_len);
  t->inner_length = sizeof *ip + payload;
  if (ip->version != 6 || t->inner_length > t->inner_room) return DECAP_DROPPED_INNER;
  __builtin_memcpy(in.key.vip.bytes, &ip->daddr, 16);
  in.key.protocol = ip->nexthdr;
  in.l4_offset = t->inner_offset + sizeof *ip;
  in.l4_length = payload;
  if (ip->nexthdr == PROTO_FRAGMENT) {
    struct frag_hdr* fragment = (void*)(ip + 1);
    if (payload < sizeof *fragment || (void*)(fragment + 1) > end_of(ctx)) return DECAP_DROPPED_INNER;
    in.key.protocol = fragment->nexthdr;
    in.l4_offset += sizeof *fragment;
    in.l4_length -= sizeof *fragment;
    in.later_fragment = (fragment->frag_off & bpf_htons(IPV6_OFFSET)) != 0;
  }
  return admit(ctx, t, &in);
}

/* RFC 6040, figure 4: the inner field after decapsulation, or -1 for a packet that must be dropped. */
static __always_inline int merged_ecn(__u8 inner, __u8 outer) {
  if (outer == ECN_CE) return inner == ECN_NOT_ECT ? -1 : ECN_CE;
  if (outer == ECN_ECT1 && inner == ECN_ECT0) return ECN_ECT1;
  return inner;
}

static __always_inline enum decap_outcome merge_ecn(struct xdp_md* ctx, const struct tunnel* t) {
  if (t->inner_offset > MAX_INNER_OFFSET) return DECAP_DROPPED_INNER;
  struct iphdr* ip = start_of(ctx) + t->inner_offset;
  if ((void*)(ip + 1) > end_of(ctx)) return DECAP_DROPPED_INNER;
  const bool v4 = t->inner_protocol == PROTO_IPIP;
  __u8* byte = (__u8*)ip + 1; /* of IPv4: DSCP and ECN; of IPv6: the class's low half, then the flow label */
  const __u8 shift = v4 ? 0 : 4;
  const __u8 before = *byte;
  const int ecn = merged_ecn((before >> shift) & ECN_MASK, t->outer_ecn);
  if (ecn < 0) return DECAP_DROPPED_ECN;
  const __u8 after = (before & ~(ECN_MASK << shift)) | ecn << shift;
  if (after == before) return DECAP_DECAPSULATED;
  *byte = after;
  if (v4) { /* RFC 1624, equation 3; the changed byte is the low one of its big-endian word */
    const __u32 sum = (__u16)~ip->check + (__u16)~bpf_htons(before) + bpf_htons(after);
    ip->check = (__u16)~fold(sum);
  }
  return DECAP_DECAPSULATED;
}

/* Moves the frame's start forward and puts the Ethernet header, tag included, in front of the inner packet.
 */
static __always_inline enum decap_outcome strip(struct xdp_md* ctx, const struct tunnel* t) {
  struct ethhdr eth;
  struct vlan_hdr tag = {};
  const bool tagged = t->l3_offset != sizeof eth;
  const __be16 ethertype = bpf_htons(t->inner_protocol == PROTO_IPIP ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  void* data = start_of(ctx);
  if (data + sizeof eth + sizeof tag > end_of(ctx)) return DECAP_DROPPED_INNER;
  __builtin_memcpy(&eth, data, sizeof eth);
  if (tagged) __builtin_memcpy(&tag, data + sizeof eth, sizeof tag);
  if (bpf_xdp_adjust_head(ctx, (int)(t->inner_offset - t->l3_offset)) != 0) return DECAP_DROPPED_ADJUST;
  data = start_of(ctx);
  if (data + sizeof eth + sizeof tag > end_of(ctx)) return DECAP_DROPPED_ADJUST;
  if (tagged) {
    tag.h_vlan_encapsulated_proto = ethertype;
    __builtin_memcpy(data + sizeof eth, &tag, sizeof tag);
  } else {
    eth.h_proto = ethertype;
  }
  __builtin_memcpy(data, &eth, sizeof eth);
  return DECAP_DECAPSULATED;
}

static __always_inline enum decap_outcome decapsulate(struct xdp_md* ctx) {
  struct tunnel t = {.frame_length = bpf_xdp_get_buff_len(ctx)};
  enum decap_outcome outcome = read_outer(ctx, &t);
  if (outcome != DECAP_DECAPSULATED) return outcome;
  if (t.inner_protocol == PROTO_IPIP) {
    outcome = read_inner_ipv4(ctx, &t);
  } else if (t.inner_protocol == PROTO_IPV6) {
    outcome = read_inner_ipv6(ctx, &t);
  } else {
    outcome = DECAP_DROPPED_INNER_PROTOCOL;
  }
  if (outcome == DECAP_DECAPSULATED) outcome = merge_ecn(ctx, &t);
  if (outcome == DECAP_DECAPSULATED) outcome = strip(ctx, &t);
  if (outcome == DECAP_DECAPSULATED && t.counters) {
    t.counters->packets += 1;
    t.counters->bytes += t.inner_length;
  }
  return outcome;
}

SEC("xdp.frags")
int penstock_decap(struct xdp_md* ctx) {
  const enum decap_outcome outcome = decapsulate(ctx);
  const abi_u32 index = outcome;
  abi_u64* packets = bpf_map_lookup_elem(&decap_outcomes, &index);
  if (packets) *packets += 1;
  return outcome >= PENSTOCK_DECAP_FIRST_DROP ? XDP_DROP : XDP_PASS;
}

char licence_of_program[] SEC("license") = "GPL";
