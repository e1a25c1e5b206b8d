/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Part of decap.bpf.c: the inner header, and whether a configured service takes the packet.
 */
#ifndef PENSTOCK_BPF_DECAP_INNER_H
#define PENSTOCK_BPF_DECAP_INNER_H

#include "bpf/decap_maps.bpf.h"
#include "bpf/decap_packet.bpf.h"

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

static __noinline struct decap_counters* find_vip(const struct inner* in) {
  const struct abi_prefix whole = {.length = 128, .address = in->key.vip};
  struct abi_service_key key;
  const struct decap_vip* vip = bpf_map_lookup_elem(&decap_vips, &whole);
  if (!vip) return 0;
  name_vip(&key, vip);
  return bpf_map_lookup_elem(&decap_services, &key);
}

/* The service of `vip` that takes the packet; `port` in host order. NULL: none. */
static __always_inline struct decap_counters* find_in(const struct decap_vip* vip, struct inner* in,
                                                      __u16 port) {
  const __u8 protocol = in->protocol;
  struct decap_counters* found;
  struct abi_service_key key;
  name_vip(&key, vip);
  key.protocol = protocol;
  key.port = in->key.port;
  if (vip->prefix_length != 0 && key.port != 0) { /* the one address has been looked up */
    found = bpf_map_lookup_elem(&decap_services, &key);
    if (found) {
      in->key = key;
      return found;
    }
  }
  for (__u32 i = 0; i < PENSTOCK_DECAP_MAX_RULES; ++i) {
    const struct decap_rule* rule = &vip->rules[i];
    if (i >= vip->rule_count) break;
    if (rule->protocol != protocol && rule->protocol != PENSTOCK_DECAP_ANY_PROTOCOL) continue;
    if (port < rule->first_port || port > rule->last_port) continue;
    key.protocol = rule->protocol;
    key.port = bpf_htons(rule->first_port);
    key.last_port = rule->first_port == 0 ? 0 : bpf_htons(rule->last_port);
    found = bpf_map_lookup_elem(&decap_services, &key);
    in->key = key;
    return found;
  }
  return 0;
}

/* Prefixes from the longest on; a packet without ports has port 0. */
static __noinline struct decap_counters* find_by_rules(struct inner* in, bool v4) {
  struct abi_prefix prefix = {.length = 128, .address = in->key.vip};
  const __u16 port = bpf_ntohs(in->key.port);
  for (int i = 0; i < PENSTOCK_DECAP_MAX_NESTED; ++i) {
    const struct decap_vip* vip = bpf_map_lookup_elem(&decap_vips, &prefix);
    if (!vip) return 0;
    struct decap_counters* found = find_in(vip, in, port);
    if (found) return found;
    const __u32 length = vip->prefix_length == 0 ? 128 : vip->prefix_length + (v4 ? 96 : 0);
    prefix.length = length - 1;
  }
  return 0;
}

/* Headers between IPv6 and the transport, and what IPv4 gives no meaning: even a service of any protocol does
 * not take what hides the protocol from the filters in front of this host. */
static __always_inline bool hides_protocol(__u8 protocol) {
  return protocol == 0 || protocol == 43 || protocol == 51 || protocol == 60 || protocol == PROTO_FRAGMENT;
}

static __always_inline bool has_ports(__u8 protocol) {
  return protocol == PROTO_TCP || protocol == PROTO_UDP || protocol == PROTO_SCTP;
}

/* `counters` are those of the service that takes the packet; meaningless when it is dropped. */
static __always_inline enum decap_outcome admit(struct xdp_md* ctx, const struct tunnel* t, struct inner* in,
                                                struct decap_counters** counters) {
  const __u8 protocol = in->protocol;
  const bool v4 = t->inner_protocol == PROTO_IPIP;
  const bool icmp = protocol == (v4 ? PROTO_ICMP : PROTO_ICMPV6);
  if (hides_protocol(protocol)) return DECAP_DROPPED_INNER_PROTOCOL;
  if (in->later_fragment && (has_ports(protocol) || icmp)) {
    *counters = find_vip(in);
    return *counters ? DECAP_DECAPSULATED : DECAP_DROPPED_NO_SERVICE;
  }
  if (!has_ports(protocol) && !icmp) {
    if (protocol == PROTO_ICMP || protocol == PROTO_ICMPV6) return DECAP_DROPPED_INNER_PROTOCOL;
    *counters = find_by_rules(in, v4);
    return *counters ? DECAP_DECAPSULATED : DECAP_DROPPED_NO_SERVICE;
  }
  /* A first fragment too short for its transport header hides the ports from filters (RFC 1858). */
  const __u32 least = protocol == PROTO_TCP ? TCP_HEADER : protocol == PROTO_SCTP ? SCTP_HEADER : UDP_HEADER;
  if (in->l4_length < least || in->l4_offset > MAX_INNER_OFFSET + 60) return DECAP_DROPPED_INNER;
  __u8* l4 = start_of(ctx) + in->l4_offset;
  if ((void*)(l4 + 4) > end_of(ctx)) return DECAP_DROPPED_INNER;
  if (icmp && !icmp_is_wanted(protocol, l4[0])) return DECAP_DROPPED_INNER_PROTOCOL;
  if (icmp) {
    *counters = find_vip(in);
  } else {
    set_port(&in->key, *(const __be16*)(l4 + 2), protocol);
    *counters = bpf_map_lookup_elem(&decap_services, &in->key);
    if (!*counters) *counters = find_by_rules(in, v4);
  }
  return *counters ? DECAP_DECAPSULATED : DECAP_DROPPED_NO_SERVICE;
}

static __always_inline enum decap_outcome read_inner_ipv4(struct xdp_md* ctx, struct tunnel* t,
                                                          struct inner* in,
                                                          struct decap_counters** counters) {
  if (t->inner_offset > MAX_INNER_OFFSET) return DECAP_DROPPED_INNER;
  struct iphdr* ip = start_of(ctx) + t->inner_offset;
  if ((void*)(ip + 1) > end_of(ctx)) return DECAP_DROPPED_INNER;
  const __u32 header = ip->ihl * 4;
  t->inner_length = bpf_ntohs(ip->tot_len);
  if (ip->version != 4 || header < sizeof *ip || t->inner_length < header || t->inner_length > t->inner_room)
    return DECAP_DROPPED_INNER;
  set_ipv4(&in->key.vip, ip->daddr);
  in->protocol = ip->protocol;
  in->l4_offset = t->inner_offset + header;
  in->l4_length = t->inner_length - header;
  in->later_fragment = (ip->frag_off & bpf_htons(IPV4_OFFSET)) != 0;
  return admit(ctx, t, in, counters);
}

static __always_inline enum decap_outcome read_inner_ipv6(struct xdp_md* ctx, struct tunnel* t,
                                                          struct inner* in,
                                                          struct decap_counters** counters) {
  if (t->inner_offset > MAX_INNER_OFFSET) return DECAP_DROPPED_INNER;
  struct ipv6hdr* ip = start_of(ctx) + t->inner_offset;
  if ((void*)(ip + 1) > end_of(ctx)) return DECAP_DROPPED_INNER;
  const __u32 payload = bpf_ntohs(ip->payload_len);
  t->inner_length = sizeof *ip + payload;
  if (ip->version != 6 || t->inner_length > t->inner_room) return DECAP_DROPPED_INNER;
  set_ipv6(&in->key.vip, &ip->daddr);
  in->protocol = ip->nexthdr;
  in->l4_offset = t->inner_offset + sizeof *ip;
  in->l4_length = payload;
  if (ip->nexthdr == PROTO_FRAGMENT) {
    struct frag_hdr* fragment = (void*)(ip + 1);
    if (payload < sizeof *fragment || (void*)(fragment + 1) > end_of(ctx)) return DECAP_DROPPED_INNER;
    in->protocol = fragment->nexthdr;
    in->l4_offset += sizeof *fragment;
    in->l4_length -= sizeof *fragment;
    in->later_fragment = (fragment->frag_off & bpf_htons(IPV6_OFFSET)) != 0;
  }
  return admit(ctx, t, in, counters);
}

#endif
