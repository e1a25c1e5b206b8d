/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Part of decap.bpf.c: the outer headers, up to where the inner packet begins.
 */
#ifndef PENSTOCK_BPF_DECAP_OUTER_H
#define PENSTOCK_BPF_DECAP_OUTER_H

#include "bpf/decap_maps.bpf.h"
#include "bpf/decap_packet.bpf.h"
#include "bpf/probe_responder.bpf.h"

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
  set_ipv4(&o->destination, ip->daddr);
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
  set_ipv6(&o->destination, &ip->daddr);
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

/* Bounds and meaning of the private data. What the hops are good for: second_chance.bpf.h. */
static __always_inline bool read_hops(struct xdp_md* ctx, struct tunnel* t, __u32 offset, __u32 length) {
  if (length < sizeof(struct gue_private)) return true; /* plain GUE */
  struct gue_private* private = start_of(ctx) + offset;
  if ((void*)(private + 1) > end_of(ctx)) return false;
  const __u16 type = bpf_ntohs(private->type);
  if (type != PENSTOCK_GUE_HOPS_IPV4 && type != PENSTOCK_GUE_HOPS_IPV6) return true; /* someone else's data */
  const bool v4 = type == PENSTOCK_GUE_HOPS_IPV4;
  if (private->hop_count > PENSTOCK_GUE_MAX_HOPS || private->next_hop > private->hop_count) return false;
  if (sizeof *private + private->hop_count * (v4 ? 4 : 16) > length) return false;
  t->next_hop = private->next_hop;
  t->hop_count = private->hop_count;
  t->hops_are_usable = v4 == (t->outer_ethertype == ETHERTYPE_IPV4);
  return true;
}

/* Control messages but probes are left to the kernel. */
static __always_inline enum decap_outcome read_control(struct xdp_md* ctx, struct tunnel* t,
                                                       const struct gue_header* gue, __u32 udp_length) {
  const __u32 headers = UDP_HEADER + sizeof *gue;
  if (gue->version_control_hlen != PENSTOCK_GUE_CONTROL || gue->flags != 0) return DECAP_PASSED_CONTROL;
  if (gue->protocol != PENSTOCK_GUE_CONTROL_PROBE) return DECAP_PASSED_CONTROL;
  t->inner_offset = t->udp_offset + headers;
  t->inner_room = udp_length - headers;
  return answer_probe(ctx, t);
}

static __always_inline enum decap_outcome read_gue(struct xdp_md* ctx, struct tunnel* t,
                                                   const struct outer* o) {
  const __u32 gue_offset = o->l4_offset + UDP_HEADER;
  if (o->l4_offset > MAX_UDP_OFFSET) return DECAP_DROPPED_OUTER;
  struct udphdr* udp = start_of(ctx) + o->l4_offset;
  struct gue_header* gue = (void*)(udp + 1);
  if ((void*)(gue + 1) > end_of(ctx)) return DECAP_DROPPED_GUE;
  const __u32 udp_length = bpf_ntohs(udp->len);
  if (udp_length < UDP_HEADER || udp_length > o->l4_length) return DECAP_DROPPED_OUTER;
  if (udp_length < UDP_HEADER + sizeof *gue) return DECAP_DROPPED_GUE;
  if (gue->version_control_hlen & PENSTOCK_GUE_VERSION_MASK) return DECAP_DROPPED_GUE;
  t->udp_offset = o->l4_offset;
  if (gue->version_control_hlen & PENSTOCK_GUE_CONTROL) return read_control(ctx, t, gue, udp_length);
  const __u32 private_length = (gue->version_control_hlen & PENSTOCK_GUE_HLEN_MASK) * 4;
  const __u32 headers = UDP_HEADER + sizeof *gue + private_length;
  if (gue->flags != 0 || headers > udp_length) return DECAP_DROPPED_GUE;
  t->inner_protocol = gue->protocol;
  t->inner_offset = o->l4_offset + headers;
  t->inner_room = udp_length - headers;
  if (!read_hops(ctx, t, gue_offset + sizeof *gue, private_length)) return DECAP_DROPPED_HOPS;
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

static __always_inline bool is_ours(const struct outer* o, bool v4) {
  const abi_u32 index = 0;
  const struct decap_settings* settings = bpf_map_lookup_elem(&decap_settings, &index);
  if (settings) {
    const abi_u64* usual = __builtin_assume_aligned(&settings->usual[v4 ? 0 : 1], 8);
    abi_u64 first, second;
    __builtin_memcpy(&first, o->destination.bytes, 8);
    __builtin_memcpy(&second, o->destination.bytes + 8, 8);
    if (second == usual[1] && first == usual[0] && second != 0) return true;
  }
  return bpf_map_lookup_elem(&decap_addresses, &o->destination) != 0;
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
  if (!is_ours(&o, t->outer_ethertype == ETHERTYPE_IPV4)) return DECAP_PASSED_NOT_OURS;
  if (!o.sound) return DECAP_DROPPED_OUTER;
  if (o.fragment) return DECAP_DROPPED_OUTER_FRAGMENT;
  if (o.protocol == PROTO_UDP) return read_gue(ctx, t, &o);
  t->inner_protocol = o.protocol;
  t->inner_offset = o.l4_offset;
  t->inner_room = o.l4_length;
  return DECAP_DECAPSULATED;
}

#endif
