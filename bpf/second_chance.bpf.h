/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Part of decap.bpf.c: what becomes of a packet with a hop list (include/penstock/abi/gue.h).
 *
 * Theory of operation: a gateway without an entry for the flow sends the packet to the likeliest backend,
 * with up to three others that may hold the connection instead. Who knows the flow takes the packet; who does
 * not sends it to the next hop; the last one takes it, so that its kernel can answer with a reset. `next_hop`
 * only grows and is at most three, so a packet visits four hosts at most, whatever the list says; the outer
 * TTL is counted down besides.
 *
 * A packet that is passed on leaves with this host's address as its outer source, not with the gateway's.
 * Routers that check sources (RFC 3704) would drop a gateway's address that comes from the backends' side,
 * and ICMP errors about the way between two backends are no news for the gateway. Its outer checksums are
 * updated (RFC 1624), ports, tag and everything behind them stay.
 *
 * It goes out of the interface by which it came: to the neighbour that the kernel's routes name, if this host
 * forwards on that interface (`net.ipv4.conf.IF.forwarding`) and the frame has no tag; else back to the
 * router that brought it. Where gateways and backends share a segment without a router, forwarding must be on
 * at the backends or at the gateways.
 */
#ifndef PENSTOCK_BPF_SECOND_CHANCE_H
#define PENSTOCK_BPF_SECOND_CHANCE_H

#include "bpf/flow_search.bpf.h"

#define FAMILY_IPV4 2
#define FAMILY_IPV6 10

/* What precedes the hops. */
struct hop_headers {
  struct udphdr udp;
  struct gue_header gue;
  struct gue_private private;
};

/* Where the packet goes next. */
struct next_hop {
  struct abi_address address;
  __u32 index; /* PENSTOCK_GUE_MAX_HOPS: nowhere */
};

/* Addresses that no backend can have: what is sent to them would reach many hosts, or this one. */
static __always_inline bool is_host(const struct abi_address* a, bool v4) {
  if (v4) return a->bytes[12] != 0 && a->bytes[12] != 127 && a->bytes[12] < 224;
  return a->bytes[0] != 0 && a->bytes[0] != 0xff && !(a->bytes[0] == 0xfe && a->bytes[1] >= 0x80);
}

/* The first untried hop that is another host. Hops that name this host are skipped: it has been asked. */
static __always_inline bool find_next_hop(struct xdp_md* ctx, const struct tunnel* t, struct next_hop* next) {
  const bool v4 = t->outer_ethertype == ETHERTYPE_IPV4;
  const __u32 udp_offset = t->udp_offset;
  next->index = PENSTOCK_GUE_MAX_HOPS;
  if (!t->hops_are_usable || udp_offset > MAX_UDP_OFFSET) return false;
  for (__u32 i = 0; i < PENSTOCK_GUE_MAX_HOPS; ++i) {
    if (i < t->next_hop) continue;
    if (i >= t->hop_count) break;
    const __u8* hop = start_of(ctx) + udp_offset + sizeof(struct hop_headers) + i * (v4 ? 4 : 16);
    if ((void*)(hop + (v4 ? 4 : 16)) > end_of(ctx)) break;
    if (v4) {
      next->address = mapped(hop);
    } else {
      __builtin_memcpy(&next->address, hop, 16);
    }
    if (bpf_map_lookup_elem(&decap_addresses, &next->address)) continue;
    next->index = i;
    return true;
  }
  return false;
}

/* The change of a ones' complement sum when 32-bit words become others (RFC 1624, equation 3). */
static __always_inline __u64 change_of(const __u32* before, const __u32* after, int words) {
  __u64 sum = 0;
  for (int i = 0; i < words; ++i) sum += (__u64)(__u32)~before[i] + after[i];
  return sum;
}

/* `change`: of the addresses in the pseudo-header. The private data is marked with the hops that are spent.
 */
static __always_inline bool spend_hop(struct xdp_md* ctx, const struct tunnel* t, __u32 index, __u64 change) {
  const __u32 udp_offset = t->udp_offset;
  if (udp_offset > MAX_UDP_OFFSET) return false;
  struct hop_headers* headers = start_of(ctx) + udp_offset;
  if ((void*)(headers + 1) > end_of(ctx)) return false;
  const __be16 before = word_of(headers->private.next_hop, headers->private.hop_count);
  headers->private.next_hop = (__u8)(index + 1);
  const __be16 after = word_of(headers->private.next_hop, headers->private.hop_count);
  if (headers->udp.check != 0) {
    headers->udp.check = changed_checksum(headers->udp.check, change + (__u16)~before + after);
    if (headers->udp.check == 0)
      headers->udp.check = 0xffff; /* zero would say that there is none (RFC 768) */
  }
  return true;
}

/* The source becomes this host, the destination the hop. */
static __always_inline enum decap_outcome readdress_ipv4(struct xdp_md* ctx, const struct tunnel* t,
                                                         const struct next_hop* next,
                                                         struct bpf_fib_lookup* way) {
  const __u32 l3_offset = t->l3_offset;
  if (l3_offset > MAX_L3_OFFSET) return DECAP_DROPPED_OUTER;
  struct iphdr* ip = start_of(ctx) + l3_offset;
  if ((void*)(ip + 1) > end_of(ctx)) return DECAP_DROPPED_OUTER;
  if (ip->ttl <= 1) return DECAP_DROPPED_HOP_LIMIT;
  const __be16 before = word_of(ip->ttl, ip->protocol);
  __u32 hop;
  __builtin_memcpy(&hop, next->address.bytes + 12, 4);
  const __u64 change = change_of(&ip->saddr, &hop, 1); /* our own address stays in the sum */
  ip->ttl -= 1;
  ip->check = changed_checksum(ip->check, change + (__u16)~before + word_of(ip->ttl, ip->protocol));
  ip->saddr = ip->daddr;
  ip->daddr = hop;
  way->family = FAMILY_IPV4;
  way->tot_len = bpf_ntohs(ip->tot_len);
  way->tos = ip->tos;
  way->ipv4_src = ip->saddr;
  way->ipv4_dst = hop;
  return spend_hop(ctx, t, next->index, change) ? DECAP_PASSED_ON : DECAP_DROPPED_OUTER;
}

static __always_inline enum decap_outcome readdress_ipv6(struct xdp_md* ctx, const struct tunnel* t,
                                                         const struct next_hop* next,
                                                         struct bpf_fib_lookup* way) {
  const __u32 l3_offset = t->l3_offset;
  if (l3_offset > MAX_L3_OFFSET) return DECAP_DROPPED_OUTER;
  struct ipv6hdr* ip = start_of(ctx) + l3_offset;
  if ((void*)(ip + 1) > end_of(ctx)) return DECAP_DROPPED_OUTER;
  if (ip->hop_limit <= 1) return DECAP_DROPPED_HOP_LIMIT;
  __u32 hop[4], source[4];
  __builtin_memcpy(hop, &next->address, 16);
  __builtin_memcpy(source, &ip->saddr, 16);
  const __u64 change = change_of(source, hop, 4);
  ip->hop_limit -= 1;
  ip->saddr = ip->daddr;
  __builtin_memcpy(&ip->daddr, hop, 16);
  way->family = FAMILY_IPV6;
  way->tot_len = bpf_ntohs(ip->payload_len) + sizeof *ip;
  __builtin_memcpy(way->ipv6_src, &ip->saddr, 16);
  __builtin_memcpy(way->ipv6_dst, hop, 16);
  return spend_hop(ctx, t, next->index, change) ? DECAP_PASSED_ON : DECAP_DROPPED_OUTER;
}

/* A frame with a tag stays on its VLAN, of which the routes of this interface know nothing. */
static __always_inline bool leave_towards(struct xdp_md* ctx, const struct tunnel* t,
                                          struct bpf_fib_lookup* way) {
  way->l4_protocol = PROTO_UDP;
  way->ifindex = ctx->ingress_ifindex;
  const bool routed = t->l3_offset == sizeof(struct ethhdr) &&
                      bpf_fib_lookup(ctx, way, sizeof *way, 0) == BPF_FIB_LKUP_RET_SUCCESS &&
                      way->ifindex == ctx->ingress_ifindex;
  struct ethhdr* eth = start_of(ctx);
  if ((void*)(eth + 1) > end_of(ctx)) return false;
  if (routed) {
    __builtin_memcpy(eth->h_source, way->smac, 6);
    __builtin_memcpy(eth->h_dest, way->dmac, 6);
  } else {
    send_back(eth);
  }
  return true;
}

__noinline int pass_on(struct xdp_md* ctx, const struct tunnel* t, const struct next_hop* next) {
  if (!t || !next) return DECAP_DROPPED_HOPS;
  struct bpf_fib_lookup way = {};
  const bool v4 = t->outer_ethertype == ETHERTYPE_IPV4;
  if (!is_host(&next->address, v4)) return DECAP_DROPPED_HOPS;
  const enum decap_outcome outcome =
      v4 ? readdress_ipv4(ctx, t, next, &way) : readdress_ipv6(ctx, t, next, &way);
  if (outcome != DECAP_PASSED_ON) return outcome;
  return leave_towards(ctx, t, &way) ? DECAP_PASSED_ON : DECAP_DROPPED_OUTER;
}

/* Precondition: the packet has hops and a service of this host takes it. */
__noinline int second_chance(struct xdp_md* ctx, const struct tunnel* t, const struct inner* in) {
  if (!t || !in) return DECAP_DROPPED_HOPS;
  const abi_u32 position = t->next_hop;
  struct decap_hop* counters = bpf_map_lookup_elem(&decap_hops, &position);
  if (!counters) return DECAP_DROPPED_HOPS; /* read_hops has seen to it that this cannot be */
  const int result = search(ctx, t, in);
  if (result == SEARCH_KNOWN) {
    counters->known += 1;
    return DECAP_DECAPSULATED;
  }
  if (result == SEARCH_BEGINS) {
    counters->begun += 1;
    return DECAP_DECAPSULATED;
  }
  struct next_hop next = {};
  if (!find_next_hop(ctx, t, &next)) {
    counters->last += 1;
    return DECAP_DECAPSULATED;
  }
  const int outcome = pass_on(ctx, t, &next);
  if (outcome == DECAP_PASSED_ON) counters->passed_on += 1;
  return outcome;
}

#endif
