/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Part of decap.bpf.c: is the flow of an inner packet here?
 *
 * TCP: a SYN begins a connection wherever it arrives. Other segments belong here if the kernel has a socket
 * for the 4-tuple in any state but LISTEN (a half-open connection and TIME_WAIT count). A listener is found
 * for every foreign segment too, so it counts only if the segment completes a handshake whose SYN cookie this
 * host gave out. UDP: a socket that is connected to the client, or a flow that was delivered here before. The
 * latter is remembered for services of which the control plane wants it. ICMP errors belong to the flow that
 * they quote. Everything else has no flow that could be elsewhere: it is taken where it arrives. So are
 * fragments without ports. A first fragment has its ports and goes by them; a fragmented packet of a flow
 * that is elsewhere is therefore never put together, and is sent again by its sender, which beats a reset
 * from a host that does not know the flow.
 */
#ifndef PENSTOCK_BPF_FLOW_SEARCH_H
#define PENSTOCK_BPF_FLOW_SEARCH_H

#include "bpf/decap_maps.bpf.h"
#include "bpf/decap_packet.bpf.h"

#define TCP_SYN 0x02
#define TCP_ACK 0x10
#define TCP_FLAGS 13 /* offset in the header */
#define ICMP_HEADER 8
#define MAX_L4_OFFSET (MAX_INNER_OFFSET + 60)

enum search_result { SEARCH_UNKNOWN, SEARCH_KNOWN, SEARCH_BEGINS };

/* A flow as the socket tables name it: the source is the remote end. */
struct flow {
  struct bpf_sock_tuple tuple;
  __u32 tuple_size;
  __u8 protocol;
  bool quoted; /* read from an ICMP error */
};

static __always_inline bool is_error(__u8 protocol, __u8 type) {
  if (protocol == PROTO_ICMP) return type == 3 || type == 11 || type == 12;
  return type >= 1 && type <= 4;
}

/* `addresses`: source, then destination, as in the header. `reversed`: the header was sent by this host. */
static __always_inline void set_flow_v4(struct flow* f, const __be32* addresses, const __be16* ports,
                                        bool reversed) {
  f->tuple.ipv4.saddr = addresses[reversed];
  f->tuple.ipv4.daddr = addresses[!reversed];
  f->tuple.ipv4.sport = ports[reversed];
  f->tuple.ipv4.dport = ports[!reversed];
  f->tuple_size = sizeof f->tuple.ipv4;
}

static __always_inline void set_flow_v6(struct flow* f, const struct in6_addr* addresses, const __be16* ports,
                                        bool reversed) {
  __builtin_memcpy(f->tuple.ipv6.saddr, &addresses[reversed], 16);
  __builtin_memcpy(f->tuple.ipv6.daddr, &addresses[!reversed], 16);
  f->tuple.ipv6.sport = ports[reversed];
  f->tuple.ipv6.dport = ports[!reversed];
  f->tuple_size = sizeof f->tuple.ipv6;
}

/* The flow of the packet that an ICMP error quotes, which this host sent. */
static __always_inline bool read_quote(struct xdp_md* ctx, struct flow* f, __u32 offset, bool v4) {
  void* end = end_of(ctx);
  f->quoted = true;
  if (v4) {
    struct iphdr* ip = start_of(ctx) + offset;
    if ((void*)(ip + 1) > end || ip->version != 4 || (ip->frag_off & bpf_htons(IPV4_OFFSET))) return false;
    __be16* ports = (void*)ip + ip->ihl * 4;
    if (ip->ihl < 5 || (void*)(ports + 2) > end) return false;
    f->protocol = ip->protocol;
    set_flow_v4(f, &ip->saddr, ports, true);
  } else {
    struct ipv6hdr* ip = start_of(ctx) + offset;
    __be16* ports = (void*)(ip + 1);
    if ((void*)(ports + 2) > end || ip->version != 6) return false;
    f->protocol = ip->nexthdr;
    set_flow_v6(f, &ip->saddr, ports, true);
  }
  return f->protocol == PROTO_TCP || f->protocol == PROTO_UDP;
}

/* False: the packet has no flow that could be elsewhere. */
static __always_inline bool read_flow(struct xdp_md* ctx, const struct tunnel* t, const struct inner* in,
                                      struct flow* f) {
  const bool v4 = t->inner_protocol == PROTO_IPIP;
  const __u32 l4_offset = in->l4_offset;
  const __u32 inner_offset = t->inner_offset;
  if (in->later_fragment || l4_offset > MAX_L4_OFFSET || inner_offset > MAX_INNER_OFFSET) return false;
  void* end = end_of(ctx);
  __u8* l4 = start_of(ctx) + l4_offset;
  if ((void*)(l4 + 4) > end) return false;
  f->protocol = in->protocol;
  if (in->protocol == PROTO_ICMP || in->protocol == PROTO_ICMPV6)
    return is_error(in->protocol, l4[0]) && read_quote(ctx, f, l4_offset + ICMP_HEADER, v4);
  if (in->protocol != PROTO_TCP && in->protocol != PROTO_UDP) return false;
  void* ip = start_of(ctx) + inner_offset;
  if (ip + (v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) > end) return false;
  if (v4) {
    set_flow_v4(f, &((struct iphdr*)ip)->saddr, (void*)l4, false);
  } else {
    set_flow_v6(f, &((struct ipv6hdr*)ip)->saddr, (void*)l4, false);
  }
  return true;
}

static __always_inline bool cookie_is_ours(struct xdp_md* ctx, const struct tunnel* t, const struct inner* in,
                                           struct bpf_sock* listener) {
  const __u32 l4_offset = in->l4_offset;
  const __u32 inner_offset = t->inner_offset;
  if (l4_offset > MAX_L4_OFFSET || inner_offset > MAX_INNER_OFFSET) return false;
  struct tcphdr* tcp = start_of(ctx) + l4_offset;
  void* ip = start_of(ctx) + inner_offset;
  if ((void*)(tcp + 1) > end_of(ctx) || ip + sizeof(struct ipv6hdr) > end_of(ctx)) return false;
  const __u32 size = t->inner_protocol == PROTO_IPIP ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
  return bpf_tcp_check_syncookie(listener, ip, size, tcp, sizeof *tcp) == 0;
}

static __always_inline enum search_result search_tcp(struct xdp_md* ctx, const struct tunnel* t,
                                                     const struct inner* in, struct flow* f) {
  if (!f->quoted) {
    const __u32 l4_offset = in->l4_offset;
    if (l4_offset > MAX_L4_OFFSET) return SEARCH_UNKNOWN;
    __u8* tcp = start_of(ctx) + l4_offset;
    if ((void*)(tcp + TCP_HEADER) > end_of(ctx)) return SEARCH_UNKNOWN;
    if ((tcp[TCP_FLAGS] & (TCP_SYN | TCP_ACK)) == TCP_SYN) return SEARCH_BEGINS;
  }
  struct bpf_sock* socket = bpf_skc_lookup_tcp(ctx, &f->tuple, f->tuple_size, BPF_F_CURRENT_NETNS, 0);
  if (!socket) return SEARCH_UNKNOWN;
  bool here = socket->state != BPF_TCP_LISTEN;
  if (!here && !f->quoted) here = cookie_is_ours(ctx, t, in, socket);
  bpf_sk_release(socket);
  return here ? SEARCH_KNOWN : SEARCH_UNKNOWN;
}

static __always_inline void name_udp_flow(const struct flow* f, struct decap_udp_flow* name) {
  if (f->tuple_size == sizeof f->tuple.ipv4) {
    name->remote = mapped(&f->tuple.ipv4.saddr);
    name->local = mapped(&f->tuple.ipv4.daddr);
    name->remote_port = f->tuple.ipv4.sport;
    name->local_port = f->tuple.ipv4.dport;
  } else {
    __builtin_memcpy(&name->remote, f->tuple.ipv6.saddr, 16);
    __builtin_memcpy(&name->local, f->tuple.ipv6.daddr, 16);
    name->remote_port = f->tuple.ipv6.sport;
    name->local_port = f->tuple.ipv6.dport;
  }
}

static __always_inline enum search_result search_udp(struct xdp_md* ctx, struct flow* f) {
  struct bpf_sock* socket = bpf_sk_lookup_udp(ctx, &f->tuple, f->tuple_size, BPF_F_CURRENT_NETNS, 0);
  if (socket) {
    const bool connected = socket->dst_port != 0;
    bpf_sk_release(socket);
    if (connected) return SEARCH_KNOWN;
  }
  struct decap_udp_flow name = {};
  name_udp_flow(f, &name);
  const abi_u64* seen = bpf_map_lookup_elem(&decap_udp_flows, &name);
  if (!seen) return SEARCH_UNKNOWN;
  const __u64 age = bpf_ktime_get_coarse_ns() - *seen;
  return age < PENSTOCK_DECAP_UDP_SEEN_SECONDS * NANOSECONDS ? SEARCH_KNOWN : SEARCH_UNKNOWN;
}

__noinline int search(struct xdp_md* ctx, const struct tunnel* t, const struct inner* in) {
  if (!t || !in) return SEARCH_UNKNOWN; /* never; the verifier wants it said */
  struct flow f = {};
  if (!read_flow(ctx, t, in, &f)) return SEARCH_BEGINS;
  return f.protocol == PROTO_TCP ? search_tcp(ctx, t, in, &f) : search_udp(ctx, &f);
}

__noinline int enter_udp_flow(struct xdp_md* ctx, const struct tunnel* t, const struct inner* in) {
  if (!t || !in) return 0;
  struct flow f = {};
  struct decap_udp_flow name = {};
  if (!bpf_map_lookup_elem(&decap_searched, &in->key) || !read_flow(ctx, t, in, &f)) return 0;
  name_udp_flow(&f, &name);
  const abi_u64 now = bpf_ktime_get_coarse_ns();
  abi_u64* seen = bpf_map_lookup_elem(&decap_udp_flows, &name);
  if (!seen) return (int)bpf_map_update_elem(&decap_udp_flows, &name, &now, BPF_ANY);
  if (now - *seen >= NANOSECONDS) *seen = now; /* not for every packet: CPUs share the line */
  return 0;
}

/* For a UDP packet that is delivered here. */
static __always_inline void remember_udp(struct xdp_md* ctx, const struct tunnel* t, const struct inner* in) {
  const abi_u32 index = 0;
  const struct decap_settings* settings = bpf_map_lookup_elem(&decap_settings, &index);
  if (settings && settings->search_udp) enter_udp_flow(ctx, t, in);
}

#endif
