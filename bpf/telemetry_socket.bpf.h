/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Part of telemetry.bpf.c: what is remembered of a connection, and how it changes.
 */
#ifndef PENSTOCK_BPF_TELEMETRY_SOCKET_H
#define PENSTOCK_BPF_TELEMETRY_SOCKET_H

#include "bpf/telemetry_service.bpf.h"

#define FLUSH_NS 20000000ULL

/* Only what was adopted is known. */
static __always_inline struct telemetry_socket* known(struct sock* sk) {
  struct telemetry_socket* s = bpf_sk_storage_get(&telemetry_sockets, sk, 0, 0);
  return s && pulse_of(s->slot)->generation == s->generation ? s : 0;
}

/* The kernel counts a FIN as a byte. */
static __always_inline __u64 payload_received(const struct sock* sk, const struct tcp_sock* tp) {
  return tp->bytes_received - ((sk->__sk_common.skc_flags >> SOCK_DONE) & 1);
}

/* Bytes and round-trip time, every 20 ms and at the end: additions to shared counters cost more than the
 * rest. */
static __always_inline void flush(const struct sock* sk, struct telemetry_socket* s,
                                  const struct tcp_sock* tp, struct telemetry_shard* shard, __u64 now) {
  const __u32 written = tp->write_seq;
  const __u64 received = payload_received(sk, tp);
  const __u64 in = received - s->flushed_in;
  const __u32 out = written - s->written_seq;
  s->flushed_ns = now;
  s->flushed_in = received;
  s->written_seq = written;
  if (in) count(shard->bytes_in, in);
  if (out) count(shard->bytes_out, (__u64)out);
  if (tp->srtt_us) note_time(shard->srtt, tp->srtt_us >> 3);
}

/* Counts as established from here. */
static __always_inline void open(const struct sock* sk, struct telemetry_socket* s, const struct tcp_sock* tp,
                                 struct telemetry_shard* shard) {
  if (__sync_val_compare_and_swap(&s->open, PENSTOCK_TELEMETRY_BEFORE, PENSTOCK_TELEMETRY_IN) !=
      PENSTOCK_TELEMETRY_BEFORE)
    return;
  s->written_seq = tp->write_seq;
  s->flushed_in = payload_received(sk, tp);
  s->received = (__u32)s->flushed_in;
  count(shard->established, 1);
}

/* The application has closed, or nobody can talk any more. */
static __always_inline void close(const struct sock* sk, struct telemetry_socket* s,
                                  const struct tcp_sock* tp, struct telemetry_shard* shard) {
  if (__sync_lock_test_and_set(&s->open, PENSTOCK_TELEMETRY_AFTER) != PENSTOCK_TELEMETRY_IN) return;
  if (s->waiting_ns) count(shard->abandoned, 1);
  s->waiting_ns = 0;
  count(shard->established, -1);
  count(shard->closes, 1);
  flush(sk, s, tp, shard, 0);
  touched(shard);
}

static __always_inline bool is_from_its_own_address(const struct sock* sk) {
  const struct sock_common* c = &sk->__sk_common;
  if (c->skc_family == FAMILY_INET) return c->skc_daddr == c->skc_rcv_saddr;
  for (int i = 0; i < 4; ++i) {
    if (c->skc_v6_daddr.in6_u.u6_addr32[i] != c->skc_v6_rcv_saddr.in6_u.u6_addr32[i]) return false;
  }
  return true;
}

/* Remembers a connection that is seen for the first time. NULL: it is of no measured service, or a check's.
 * One that was there before us counts as established from now on, but not as new. */
static __noinline struct telemetry_socket* adopt(struct sock* sk) {
  struct telemetry_socket fresh = {};
  const __u8 state = sk->__sk_common.skc_state;
  const struct telemetry_service* service = sk->sk_protocol == PROTO_TCP ? service_of(sk) : 0;
  if (!service) return 0;
  const struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
  if (!tp || (tp->rx_opt.mss_clamp == PENSTOCK_CHECK_MSS && is_from_its_own_address(sk))) return 0;
  fresh.slot = service->slot;
  fresh.generation = service->generation;
  struct telemetry_socket* s =
      bpf_sk_storage_get(&telemetry_sockets, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
  if (!s) return 0;
  /* Of a service that is gone and has come back, say. What it had counted went with that. */
  if (s->generation != fresh.generation) *s = fresh;
  if (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT) return s;
  struct telemetry_shard* shard = shard_of(s->slot);
  if (!shard) return 0;
  open(sk, s, tp, shard);
  touched(shard);
  return s;
}

#endif
