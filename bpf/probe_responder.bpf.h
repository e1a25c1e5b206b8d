/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Part of decap.bpf.c: answers the gateways' probes (include/penstock/abi/probe.h) from the driver, so that a
 * host whose processes are all busy or dead still says which of its services have a listener.
 *
 * The request becomes the reply in place, and goes back the way it came. Without a key (a control plane that
 * gave none) control messages are the kernel's, as are those of other types. With one, a message that is not
 * authentic is dropped: the kernel would answer with an ICMP error that is longer than what it got.
 */
#ifndef PENSTOCK_BPF_PROBE_RESPONDER_H
#define PENSTOCK_BPF_PROBE_RESPONDER_H

#include "bpf/decap_maps.bpf.h"
#include "bpf/decap_packet.bpf.h"

#define MAX_PROBE_OFFSET (MAX_UDP_OFFSET + 12) /* behind UDP and GUE */
#define REPLY_HOP_LIMIT 64

static __always_inline const struct probe_key* key_at(abi_u32 index) {
  const struct probe_key* key = bpf_map_lookup_elem(&probe_keys, &index);
  return key && key->valid ? key : 0;
}

/* The MAC of the message at `offset`, 0 when it is cut off. Its length is a multiple of 8. */
__noinline abi_u64 probe_mac(struct xdp_md* ctx, __u32 offset, __u32 length, __u32 key_index) {
  const struct probe_key* key = key_at(key_index);
  if (!key || offset > MAX_PROBE_OFFSET) return 0;
  const abi_u64* word = start_of(ctx) + offset;
  const void* end = end_of(ctx);
  if ((const void*)(word + 4) > end) return 0;
  struct siphash_state state;
  siphash_begin(&state, &key->key);
  siphash_add(&state, word[0]);
  siphash_add(&state, word[1]);
  siphash_add(&state, word[2]);
  for (__u32 i = sizeof(struct probe_header) / 8; i < PENSTOCK_PROBE_MAX_BYTES / 8; ++i) {
    if (i * 8 >= length) break;
    if ((const void*)(word + i + 1) > end) return 0;
    siphash_add(&state, word[i]);
  }
  return siphash_end(&state, 0, length - sizeof(abi_u64));
}

static __always_inline bool is_mapped(const struct abi_address* a) {
  const __u32* words = (const __u32*)a->bytes;
  return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff);
}

static __always_inline __u32 name_listener(const struct probe_service* s, struct bpf_sock_tuple* tuple) {
  if (is_mapped(&s->vip)) {
    __builtin_memcpy(&tuple->ipv4.daddr, s->vip.bytes + 12, 4);
    tuple->ipv4.dport = s->port;
    return sizeof tuple->ipv4;
  }
  __builtin_memcpy(tuple->ipv6.daddr, s->vip.bytes, 16);
  tuple->ipv6.dport = s->port;
  return sizeof tuple->ipv6;
}

/* Does anybody listen for the service at `offset`? */
__noinline int listener_of(struct xdp_md* ctx, __u32 offset) {
  struct bpf_sock_tuple tuple = {};
  if (offset > MAX_PROBE_OFFSET + PENSTOCK_PROBE_MAX_BYTES) return PENSTOCK_PROBE_UNKNOWN;
  const struct probe_service* service = start_of(ctx) + offset;
  if ((const void*)(service + 1) > end_of(ctx)) return PENSTOCK_PROBE_UNKNOWN;
  const __u8 protocol = service->protocol;
  if (service->port == 0) return PENSTOCK_PROBE_UNKNOWN;
  const __u32 size = name_listener(service, &tuple);
  struct bpf_sock* socket;
  bool present = true;
  if (protocol == PROTO_TCP) {
    socket = bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
    if (socket) present = socket->state == BPF_TCP_LISTEN;
  } else if (protocol == PROTO_UDP) {
    socket = bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
  } else {
    return PENSTOCK_PROBE_UNKNOWN;
  }
  if (!socket) return PENSTOCK_PROBE_ABSENT;
  bpf_sk_release(socket);
  return present ? PENSTOCK_PROBE_PRESENT : PENSTOCK_PROBE_ABSENT;
}

/* `room`: bytes that UDP says the message has. */
static __always_inline bool is_request(const struct probe_header* h, __u32 room) {
  const __u32 length = bpf_ntohs(h->length);
  return h->version == PENSTOCK_PROBE_VERSION && h->kind == PENSTOCK_PROBE_REQUEST && h->service_count != 0 &&
         h->service_count <= PENSTOCK_PROBE_MAX_SERVICES && length == room && length % 8 == 0 &&
         length >= sizeof *h + h->service_count * sizeof(struct probe_service) &&
         length <= PENSTOCK_PROBE_MAX_BYTES;
}

static __always_inline void turn_round_ipv4(struct iphdr* ip) {
  const __be32 us = ip->daddr;
  const __be16 before = word_of(ip->ttl, ip->protocol);
  ip->daddr = ip->saddr;
  ip->saddr = us;
  ip->ttl = REPLY_HOP_LIMIT;
  ip->check = changed_checksum(ip->check, (__u64)(__u16)~before + word_of(ip->ttl, ip->protocol));
}

static __always_inline void turn_round_ipv6(struct ipv6hdr* ip) {
  const struct in6_addr us = ip->daddr;
  ip->daddr = ip->saddr;
  ip->saddr = us;
  ip->hop_limit = REPLY_HOP_LIMIT;
}

/* No UDP checksum: the MAC protects the message, and the asker's socket takes it (RFC 6935). */
static __always_inline bool turn_round(struct xdp_md* ctx, const struct tunnel* t) {
  const __u32 l3_offset = t->l3_offset;
  const __u32 udp_offset = t->udp_offset;
  void* end = end_of(ctx);
  if (l3_offset > MAX_L3_OFFSET || udp_offset > MAX_UDP_OFFSET) return false;
  struct ethhdr* eth = start_of(ctx);
  void* ip = start_of(ctx) + l3_offset;
  struct udphdr* udp = start_of(ctx) + udp_offset;
  if ((void*)(eth + 1) > end || ip + sizeof(struct ipv6hdr) > end || (void*)(udp + 1) > end) return false;
  send_back(eth);
  if (t->outer_ethertype == ETHERTYPE_IPV4) {
    turn_round_ipv4(ip);
  } else {
    turn_round_ipv6(ip);
  }
  const __be16 port = udp->source;
  udp->source = udp->dest;
  udp->dest = port;
  udp->check = 0;
  return true;
}

/* For a control message without private data, t->inner_offset bytes from the frame's start and t->inner_room
 * bytes long. */
__noinline int answer_probe(struct xdp_md* ctx, const struct tunnel* t) {
  if (!t || !key_at(0)) return DECAP_PASSED_CONTROL;
  const __u32 offset = t->inner_offset;
  if (offset > MAX_PROBE_OFFSET) return DECAP_DROPPED_PROBE;
  struct probe_header* header = start_of(ctx) + offset;
  if ((void*)(header + 1) > end_of(ctx) || !is_request(header, t->inner_room)) return DECAP_DROPPED_PROBE;
  const __u32 length = t->inner_room;
  const __u32 services = header->service_count;
  const abi_u64 mac = header->mac;
  __u32 key = 0;
  if (mac != probe_mac(ctx, offset, length, key) || mac == 0) {
    key = 1;
    if (mac == 0 || mac != probe_mac(ctx, offset, length, key)) return DECAP_DROPPED_PROBE_MAC;
  }
  for (__u32 i = 0; i < PENSTOCK_PROBE_MAX_SERVICES; ++i) {
    const __u32 at = offset + sizeof(struct probe_header) + i * sizeof(struct probe_service);
    if (i >= services) break;
    const int listener = listener_of(ctx, at);
    struct probe_service* service = start_of(ctx) + at;
    if ((void*)(service + 1) > end_of(ctx)) return DECAP_DROPPED_PROBE;
    service->listener = (__u8)listener;
  }
  header = start_of(ctx) + offset;
  if ((void*)(header + 1) > end_of(ctx)) return DECAP_DROPPED_PROBE;
  header->kind = PENSTOCK_PROBE_REPLY;
  header->mac = probe_mac(ctx, offset, length, key);
  return turn_round(ctx, t) ? DECAP_ANSWERED_PROBE : DECAP_DROPPED_PROBE;
}

#endif
