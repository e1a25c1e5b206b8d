/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Steering on the gateway: hands packets whose destination is a VIP to the AF_XDP socket of their RX queue and
 * leaves everything else (ARP, ND, BGP, BFD, SSH) to the kernel. penstock-dataplane embeds
 * this object, lets DPDK's AF_XDP driver load and attach it, and fills the maps.
 *
 * A packet is redirected when its frame is addressed to the interface itself, it is IPv4 or IPv6, and the longest
 * prefix of `steer_vips` covers its destination, or it goes by TCP or UDP to one of the ports at which the dataplane
 * hears answers (abi/own_ports.h), of an address in `steer_own`. Frames with VLAN tags are the kernel's unless the dataplane
 * asks for them (steer_interface.vlan_tags). Anything that cannot be read as such is passed: the kernel knows
 * better what to do with it. When no socket is bound to the queue, VIP packets are passed too, so that a
 * program left behind by a killed dataplane costs nothing but the lookup.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "penstock/abi/own_ports.h"
#include "penstock/abi/steer.h"

#define ETHER_TYPE_IPV4 0x0800
#define ETHER_TYPE_IPV6 0x86dd
#define ETHER_TYPE_VLAN 0x8100
#define ETHER_TYPE_QINQ 0x88a8
#define PROTO_TCP 6
#define PROTO_UDP 17
#define IPV4_FRAGMENT 0x3fff /* more fragments, or an offset */

char LICENSE[] SEC("license") = "GPL";

/* The name is the driver's choice: it looks for `xsks_map` and puts its sockets there, keyed by RX queue. */
struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, PENSTOCK_STEER_MAX_QUEUES);
  __type(key, __u32);
  __type(value, __u32);
} xsks_map SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, PENSTOCK_STEER_MAX_VIPS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct steer_vip_key);
  __type(value, __u32);
} steer_vips SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, PENSTOCK_STEER_MAX_OWN);
  __type(key, struct abi_address);
  __type(value, __u32);
} steer_own SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct steer_interface);
} steer_interface SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, PENSTOCK_STEER_COUNTERS);
  __type(key, __u32);
  __type(value, __u64);
} steer_counters SEC(".maps");

static __always_inline void count(__u32 counter) {
  __u64 *value = bpf_map_lookup_elem(&steer_counters, &counter);
  if (value) *value += 1;
}

/* A switch that does not know a MAC yet floods the frame to every gateway; only its addressee may forward it. */
static __always_inline bool addressed_to(const struct steer_interface *own, const struct ethhdr *eth) {
  const __u16 *to = (const void *)eth->h_dest;
  const __u16 *mac = (const void *)own->mac;
  return ((to[0] ^ mac[0]) | (to[1] ^ mac[1]) | (to[2] ^ mac[2])) == 0;
}

/* Fills `key` with the destination address; false when the packet is not readable IPv4 or IPv6. */
static __always_inline bool destination(const void *network, __be16 ether_type, const void *end,
                                        struct steer_vip_key *key) {
  key->prefix_length = PENSTOCK_STEER_ADDRESS_BITS;
  if (ether_type == bpf_htons(ETHER_TYPE_IPV4)) {
    const struct iphdr *ip = network;
    if ((const void *)(ip + 1) > end) return false;
    __builtin_memset(key->address.bytes, 0, 10);
    key->address.bytes[10] = 0xff;
    key->address.bytes[11] = 0xff;
    __builtin_memcpy(key->address.bytes + 12, &ip->daddr, 4);
    return true;
  }
  if (ether_type == bpf_htons(ETHER_TYPE_IPV6)) {
    const struct ipv6hdr *ip6 = network;
    if ((const void *)(ip6 + 1) > end) return false;
    const __u32 *words = ip6->daddr.in6_u.u6_addr32;
    __builtin_memcpy(key->address.bytes, words, 16);
    /* The mapped form stands for IPv4 in the trie; on the wire it is no destination (RFC 6890). */
    return words[0] != 0 || words[1] != 0 || words[2] != bpf_htonl(0xffff);
  }
  return false;
}

/* An unfragmented packet's transport header; null: there is none, or headers are in between. */
static __always_inline const void *ports_of(const void *network, __be16 ether_type, const void *end) {
  const struct iphdr *ip = network;
  const struct ipv6hdr *ip6 = network;
  const bool v4 = ether_type == bpf_htons(ETHER_TYPE_IPV4);
  const void *transport = v4 ? (const void *)(ip + 1) : (const void *)(ip6 + 1);
  if (transport + 4 > end) return 0;
  const __u8 protocol = v4 ? ip->protocol : ip6->nexthdr;
  if (v4 && (ip->ihl != 5 || (ip->frag_off & bpf_htons(IPV4_FRAGMENT)))) return 0;
  return protocol == PROTO_TCP || protocol == PROTO_UDP ? transport : 0;
}

/* Whether it answers the dataplane itself. */
static __always_inline bool is_own(const void *network, __be16 ether_type, const void *end,
                                   const struct abi_address *to) {
  const __be16 *ports = ports_of(network, ether_type, end);
  if (!ports) return false;
  const __u16 port = bpf_ntohs(ports[1]);
  return port >= PENSTOCK_OWN_FIRST_PORT && port <= PENSTOCK_OWN_LAST_PORT && bpf_map_lookup_elem(&steer_own, to);
}

/* Whether the frame is for us, and for a VIP or the dataplane itself. */
static __always_inline bool is_wanted(const struct ethhdr *eth, const void *end) {
  const __u32 zero = 0;
  const struct steer_interface *own = bpf_map_lookup_elem(&steer_interface, &zero);
  struct steer_vip_key key;
  if ((const void *)(eth + 1) > end || !own || !addressed_to(own, eth)) return false;
  __be16 type = eth->h_proto;
  const void *network = eth + 1;
#pragma unroll
  for (int i = 0; i < PENSTOCK_STEER_MAX_VLAN_TAGS; ++i) {
    if (type != bpf_htons(ETHER_TYPE_VLAN) && type != bpf_htons(ETHER_TYPE_QINQ)) break;
    const struct vlan_hdr *tag = network;
    if (i >= own->vlan_tags || (const void *)(tag + 1) > end) return false;
    type = tag->h_vlan_encapsulated_proto;
    network = tag + 1;
  }
  if (!destination(network, type, end, &key)) return false;
  return bpf_map_lookup_elem(&steer_vips, &key) || is_own(network, type, end, &key.address);
}

SEC("xdp")
int penstock_steer(struct xdp_md *ctx) {
  const void *data = (const void *)(long)ctx->data;
  const void *end = (const void *)(long)ctx->data_end;

  if (!is_wanted(data, end)) {
    count(PENSTOCK_STEER_PASSED);
    return XDP_PASS;
  }
  long action = bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
  count(action == XDP_REDIRECT ? PENSTOCK_STEER_REDIRECTED : PENSTOCK_STEER_NO_SOCKET);
  return (int)action;
}
