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
 * dropped. A service of one address and one port is found by one look-up in a hash table; prefixes, ranges
 * and wildcards by a search behind it.
 *
 * A packet that carries hops and belongs to no flow of this host goes on to the next hop instead
 * (second_chance.bpf.h). A GUE control message may be a probe, which is answered (probe_responder.bpf.h).
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
#include "penstock/abi/probe.h"

/* The parts. */
#include "bpf/decap_inner.bpf.h"
#include "bpf/decap_outer.bpf.h"
#include "bpf/second_chance.bpf.h"

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
  struct inner in = {};
  struct decap_counters* counters = 0;
  enum decap_outcome outcome = read_outer(ctx, &t);
  if (outcome != DECAP_DECAPSULATED) return outcome;
  if (t.inner_protocol == PROTO_IPIP) {
    outcome = read_inner_ipv4(ctx, &t, &in, &counters);
  } else if (t.inner_protocol == PROTO_IPV6) {
    outcome = read_inner_ipv6(ctx, &t, &in, &counters);
  } else {
    outcome = DECAP_DROPPED_INNER_PROTOCOL;
  }
  if (outcome == DECAP_DECAPSULATED && t.hop_count != 0) outcome = second_chance(ctx, &t, &in);
  if (outcome == DECAP_DECAPSULATED) outcome = merge_ecn(ctx, &t);
  if (outcome == DECAP_DECAPSULATED && in.protocol == PROTO_UDP) remember_udp(ctx, &t, &in);
  if (outcome == DECAP_DECAPSULATED) outcome = strip(ctx, &t);
  if (outcome == DECAP_DECAPSULATED && counters) {
    counters->packets += 1;
    counters->bytes += t.inner_length;
  }
  return outcome;
}

static __always_inline int action_of(enum decap_outcome outcome) {
  if (outcome >= PENSTOCK_DECAP_FIRST_DROP) return XDP_DROP;
  return outcome >= PENSTOCK_DECAP_FIRST_SENT ? XDP_TX : XDP_PASS;
}

SEC("xdp.frags")
int penstock_decap(struct xdp_md* ctx) {
  const enum decap_outcome outcome = decapsulate(ctx);
  const abi_u32 index = outcome;
  abi_u64* packets = bpf_map_lookup_elem(&decap_outcomes, &index);
  if (packets) *packets += 1;
  return action_of(outcome);
}

char licence_of_program[] SEC("license") = "GPL";
