/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Part of decap.bpf.c: what a reply to a probe says (include/penstock/abi/probe.h). Listeners and what waits
 * in their queues are read from the sockets; the rest is what the agent wrote last, with its age, so that
 * what a dead agent knew grows old for everybody to see.
 *
 * Of several sockets that share a port (SO_REUSEPORT) the one is read that the kernel names for a client
 * without an address, which is the same every time.
 */
#ifndef PENSTOCK_BPF_PROBE_LOADS_H
#define PENSTOCK_BPF_PROBE_LOADS_H

#include "bpf/probe_mac.bpf.h"

#define MAX_SERVICE_OFFSET (MAX_PROBE_OFFSET + PENSTOCK_PROBE_MAX_BYTES)
#define MAX_VALUE (PENSTOCK_PROBE_NO_VALUE - 1)

/* What answer_service() has written, besides the listener. */
#define ANSWERED_NOTHING 0
#define ANSWERED_LOAD 1

struct accept_state {
  __u32 queue;
  __u32 limit;
  __u32 drops;
  bool known; /* it is a TCP listener */
};

static __always_inline __be16 value_of(__u64 value) {
  return bpf_htons(value < MAX_VALUE ? (__u16)value : MAX_VALUE);
}

/* In ms, rounded down; the coarse clock may lie a tick behind the sample. 2^46 / 15625 rounded up is exact
 * for every age below the limit, and no division. */
static __always_inline __be16 age_of(abi_u64 sampled_ns, abi_u64 now) {
  if (sampled_ns >= now) return 0;
  const abi_u64 age = now - sampled_ns;
  if (age >= MAX_VALUE * 1000000ull) return bpf_htons(MAX_VALUE);
  return bpf_htons((__u16)((age >> 6) * 4503599628ull >> 46));
}

/* False: not a listener. */
static __always_inline bool read_listener(struct bpf_sock* socket, struct accept_state* state) {
  if (socket->state != BPF_TCP_LISTEN) return false;
  const struct tcp_sock* tcp = bpf_skc_to_tcp_sock(socket);
  if (!tcp) return true;
  state->queue = tcp->inet_conn.icsk_inet.sk.sk_ack_backlog;
  state->limit = tcp->inet_conn.icsk_inet.sk.sk_max_ack_backlog;
  state->drops = (__u32)tcp->inet_conn.icsk_inet.sk.sk_drops.counter;
  state->known = true;
  return true;
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

/* Does anybody listen for the service? Of TCP also: what waits there. */
static __always_inline __u8 find_listener(struct xdp_md* ctx, const struct probe_service* service,
                                          struct accept_state* state) {
  struct bpf_sock_tuple tuple = {};
  struct bpf_sock* socket;
  bool present = true;
  if (service->port == 0) return PENSTOCK_PROBE_UNKNOWN;
  const __u32 size = name_listener(service, &tuple);
  if (service->protocol == PROTO_TCP) {
    socket = bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
    if (socket) present = read_listener(socket, state);
  } else if (service->protocol == PROTO_UDP) {
    socket = bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
  } else {
    return PENSTOCK_PROBE_UNKNOWN;
  }
  if (!socket) return PENSTOCK_PROBE_ABSENT;
  bpf_sk_release(socket);
  return present ? PENSTOCK_PROBE_PRESENT : PENSTOCK_PROBE_ABSENT;
}

static __always_inline void clear_load(struct probe_service_load* load) {
  __builtin_memset(load, 0, sizeof *load);
  load->age_ms = PENSTOCK_PROBE_NO_VALUE;
  load->stalled = PENSTOCK_PROBE_NO_VALUE;
  load->cpu = PENSTOCK_PROBE_NO_VALUE;
  load->throttled = PENSTOCK_PROBE_NO_VALUE;
  load->application_utilization = PENSTOCK_PROBE_NO_VALUE;
  load->handshake_p50 = PENSTOCK_PROBE_NO_VALUE;
  load->handshake_p99 = PENSTOCK_PROBE_NO_VALUE;
  load->response_p50 = PENSTOCK_PROBE_NO_VALUE;
  load->response_p99 = PENSTOCK_PROBE_NO_VALUE;
  load->syn_drops = PENSTOCK_PROBE_NO_VALUE;
}

/* Writes who listens into the service at `at` and its load to `load_at`, if that is not 0. */
__noinline int answer_service(struct xdp_md* ctx, __u32 at, __u32 load_at, abi_u64 now) {
  struct accept_state accept = {};
  if (at > MAX_SERVICE_OFFSET || load_at > MAX_SERVICE_OFFSET) return ANSWERED_NOTHING;
  void* end = end_of(ctx);
  struct probe_service* service = start_of(ctx) + at;
  struct probe_service_load* load = start_of(ctx) + load_at;
  if ((void*)(service + 1) > end) return ANSWERED_NOTHING;
  service->listener = find_listener(ctx, service, &accept);
  if (load_at == 0 || (void*)(load + 1) > end) return ANSWERED_NOTHING;
  struct abi_service_key key BY_WORDS;
  const __u32* vip = (const __u32*)service->vip.bytes;
  set_halves(&key.vip, word_pair(vip[0], vip[1]), word_pair(vip[2], vip[3]));
  set_port(&key, service->port, service->protocol);
  const struct probe_service_entry* entry = bpf_map_lookup_elem(&probe_service_loads, &key);
  const abi_u64 sampled_ns = entry ? entry->sampled_ns : 0;
  if (sampled_ns != 0) {
    *load = entry->load;
    load->age_ms = age_of(sampled_ns, now);
  } else {
    clear_load(load);
  }
  load->accept_queue = PENSTOCK_PROBE_NO_VALUE;
  load->accept_limit = PENSTOCK_PROBE_NO_VALUE;
  if (accept.known) {
    load->accept_queue = value_of(accept.queue);
    load->accept_limit = value_of(accept.limit);
    if (load->syn_drops == PENSTOCK_PROBE_NO_VALUE) load->syn_drops = bpf_htons((__u16)accept.drops);
  }
  return sampled_ns != 0 || accept.known ? ANSWERED_LOAD : ANSWERED_NOTHING;
}

/* Writes the host's load to `at`; false: nobody knows it, nothing is written. */
static __always_inline bool answer_host(struct xdp_md* ctx, __u32 at, abi_u64 now) {
  const abi_u32 index = 0;
  const struct probe_host_entry* entry = bpf_map_lookup_elem(&probe_host_loads, &index);
  if (!entry || entry->sampled_ns == 0 || at > MAX_SERVICE_OFFSET) return false;
  struct probe_host_load* load = start_of(ctx) + at;
  if ((void*)(load + 1) > end_of(ctx)) return false;
  *load = entry->load;
  load->age_ms = age_of(entry->sampled_ns, now);
  return true;
}

#endif
