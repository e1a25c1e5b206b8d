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

#include "bpf/probe_loads.bpf.h"
#include "bpf/probe_mac.bpf.h"

#define REPLY_HOP_LIMIT 64

/* `room`: bytes that UDP says the message has. */
static __always_inline bool is_request(const struct probe_header* h, __u32 room) {
  const __u32 length = bpf_ntohs(h->length);
  return h->version >= PENSTOCK_PROBE_OLDEST_VERSION && h->version <= PENSTOCK_PROBE_VERSION &&
         h->kind == PENSTOCK_PROBE_REQUEST && h->service_count != 0 &&
         h->service_count <= PENSTOCK_PROBE_MAX_SERVICES && length == room && length % 8 == 0 &&
         length >= sizeof *h + h->service_count * sizeof(struct probe_service) &&
         length <= PENSTOCK_PROBE_MAX_BYTES;
}

/* Writes listeners and those of the `wanted` sections that are known and find room. Returns these. */
static __always_inline __u8 answer_sections(struct xdp_md* ctx, __u32 offset, __u32 length, __u32 services,
                                            __u8 wanted, abi_u64 now) {
  const __u32 first = offset + sizeof(struct probe_header);
  const __u32 loads = services * sizeof(struct probe_service_load);
  const __u32 end = offset + length;
  __u32 at = first + services * sizeof(struct probe_service);
  const bool with_loads = wanted & PENSTOCK_PROBE_SERVICE_LOADS && at + loads <= end;
  int known = ANSWERED_NOTHING;
  __u8 sections = 0;
  for (__u32 i = 0; i < PENSTOCK_PROBE_MAX_SERVICES; ++i) {
    if (i >= services) break;
    const __u32 load_at = with_loads ? at + i * sizeof(struct probe_service_load) : 0;
    known |= answer_service(ctx, first + i * sizeof(struct probe_service), load_at, now);
  }
  if (known & ANSWERED_LOAD) {
    sections |= PENSTOCK_PROBE_SERVICE_LOADS;
    at += loads;
  }
  if (wanted & PENSTOCK_PROBE_HOST_LOAD && at + sizeof(struct probe_host_load) <= end &&
      answer_host(ctx, at, now))
    sections |= PENSTOCK_PROBE_HOST_LOAD;
  return sections;
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
  if (!t || !probe_key_at(0)) return DECAP_PASSED_CONTROL;
  const __u32 offset = t->inner_offset;
  const __u32 length = t->inner_room;
  if (offset > MAX_PROBE_OFFSET) return DECAP_DROPPED_PROBE;
  struct probe_header* header = start_of(ctx) + offset;
  if ((void*)(header + 1) > end_of(ctx) || !is_request(header, length)) return DECAP_DROPPED_PROBE;
  const bool first_version = header->version == PENSTOCK_PROBE_OLDEST_VERSION;
  const __u32 services = header->service_count;
  const __u8 wanted = first_version ? 0 : header->sections;
  const abi_u64 nonce = header->nonce;
  const abi_u64 sent_ns = header->sent_ns;
  const __u32 covered = sizeof *header + services * sizeof(struct probe_service);
  const __u32 key = key_of_mac(ctx, offset, first_version ? length : covered, header->mac);
  if (key == NO_PROBE_KEY) return DECAP_DROPPED_PROBE_MAC;
  const abi_u64 now = bpf_ktime_get_coarse_ns();
  if (!first_version && !is_news(nonce, sent_ns, now)) return DECAP_DROPPED_PROBE_REPLAY;
  const __u8 sections = answer_sections(ctx, offset, length, services, wanted, now);
  header = start_of(ctx) + offset;
  if ((void*)(header + 1) > end_of(ctx)) return DECAP_DROPPED_PROBE;
  header->kind = PENSTOCK_PROBE_REPLY;
  if (!first_version) header->sections = sections;
  const abi_u64 mac = probe_mac(ctx, offset, length, key);
  header = start_of(ctx) + offset;
  if (mac == 0 || (void*)(header + 1) > end_of(ctx)) return DECAP_DROPPED_PROBE; /* room in a fragment */
  header->mac = mac;
  return turn_round(ctx, t) ? DECAP_ANSWERED_PROBE : DECAP_DROPPED_PROBE;
}

#endif
