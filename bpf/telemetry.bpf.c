/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * What the kernel does with the connections of this host's services, counted per service
 * (include/penstock/abi/telemetry.h). Each program stands alone: where one cannot be attached, what it counts
 * is missing and nothing else. Tracepoints are taken where there is one, because not every kernel lets
 * programs be called from functions (fentry).
 *
 * A request costs two programs on the server's side: bytes came (data_ready), an answer is written (send).
 * They run under the socket's lock, so a socket's record needs no atomics. What waits is found by `scan`.
 */
#include "penstock/abi/telemetry.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/telemetry_socket.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Called with a FIN as well. TCP has read the clock with this segment. */
SEC("tp_btf/sk_data_ready")
int BPF_PROG(data_ready, struct sock* sk) {
  if (!may_be_ours(sk) || sk->__sk_common.skc_state == TCP_LISTEN) return 0;
  struct telemetry_socket* s = known(sk);
  bool adopted = false;
  if (!s) {
    s = adopt(sk);
    adopted = true;
  }
  const struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
  if (!s || !tp || s->open != PENSTOCK_TELEMETRY_IN) return 0;
  const __u32 received = (__u32)payload_received(sk, tp);
  const __u32 bytes = received - s->received;
  /* Of a connection that these very bytes made known nobody can tell how many they are. */
  if (bytes == 0 && !(adopted && sk->__sk_common.skc_state == TCP_ESTABLISHED)) return 0;
  s->received = received;
  s->waiting_ns = tp->tcp_clock_cache;
  if (adopted || tp->rcv_nxt - tp->copied_seq <= bytes) s->unread_ns = s->waiting_ns;
  return 0;
}

/* Before Linux 6.3. Called with every segment of an established connection, before it is looked at; a copy of
 * an old one is taken for news. */
SEC("tp_btf/tcp_probe")
int BPF_PROG(segment, struct sock* sk, struct sk_buff* skb) {
  struct tcphdr tcp;
  if (!may_be_ours(sk) || skb->len <= sizeof tcp) return 0;
  const unsigned char* header = skb->data;
  if (bpf_probe_read_kernel(&tcp, sizeof tcp, header) != 0 || skb->len <= tcp.doff * 4u) return 0;
  struct telemetry_socket* s = known(sk);
  if (!s) s = adopt(sk);
  const struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
  if (!s || !tp || s->open != PENSTOCK_TELEMETRY_IN) return 0;
  s->waiting_ns = bpf_ktime_get_ns();
  if (tp->rcv_nxt == tp->copied_seq) s->unread_ns = s->waiting_ns;
  return 0;
}

static __always_inline void answered(struct sock* sk) {
  if (!may_be_ours(sk)) return;
  struct telemetry_socket* s = known(sk);
  if (!s) s = adopt(sk);
  if (!s) return;
  note_progress(pulse_of(s->slot));
  const __u64 since = s->waiting_ns;
  struct telemetry_shard* shard = since ? shard_of(s->slot) : 0;
  if (!shard) return;
  const __u64 now = bpf_ktime_get_ns();
  s->waiting_ns = 0;
  note_time(shard->response, microseconds(now - since));
  if (now - s->flushed_ns > FLUSH_NS) {
    const struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
    if (tp) flush(sk, s, tp, shard, now);
  }
  touched(shard);
}

SEC("tp_btf/tcp_sendmsg_locked")
int BPF_PROG(send, struct sock* sk) {
  answered(sk);
  return 0;
}

/* Where there is no such tracepoint. */
SEC("fentry/tcp_sendmsg_locked")
int BPF_PROG(send_function, struct sock* sk) {
  answered(sk);
  return 0;
}

/* A handshake is over: until now only its one round trip has been measured. */
static __noinline void established(struct sock* sk) {
  struct telemetry_socket* s = adopt(sk);
  const struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
  if (!s || !tp) return;
  struct telemetry_shard* shard = shard_of(s->slot);
  if (!shard) return;
  open(sk, s, tp, shard);
  count(shard->new_connections, 1);
  if (tp->srtt_us) note_time(shard->handshake, tp->srtt_us >> 3);
  struct telemetry_pulse* pulse = pulse_of(s->slot);
  if (pulse->work_ns <= pulse->progress_ns) pulse->work_ns = bpf_ktime_get_ns();
  touched(shard);
}

static __noinline void closed(struct sock* sk) {
  struct telemetry_socket* s = known(sk);
  const struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
  if (!s || !tp) return;
  struct telemetry_shard* shard = shard_of(s->slot);
  if (shard) close(sk, s, tp, shard);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state, struct sock* sk, int before, int after) {
  if (after == TCP_ESTABLISHED) {
    if (before == TCP_SYN_RECV && may_be_ours(sk)) established(sk);
    return 0;
  }
  if (before != TCP_ESTABLISHED && before != TCP_CLOSE_WAIT && after != TCP_CLOSE) return 0;
  if (after != TCP_FIN_WAIT1 && after != TCP_LAST_ACK && after != TCP_CLOSE) return 0;
  struct telemetry_socket* s = known(sk);
  if (!s) return 0;
  if (after != TCP_CLOSE) note_progress(pulse_of(s->slot));
  closed(sk);
  return 0;
}

/* A program that is interrupted by itself does not run a second time; a close that was missed for that would
 * never be made good. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(destroy, struct sock* sk) {
  closed(sk);
  return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(retransmit, struct sock* sk) {
  struct telemetry_socket* s = known(sk);
  struct telemetry_shard* shard = s ? shard_of(s->slot) : 0;
  if (!shard) return 0;
  count(shard->retransmits, 1);
  touched(shard);
  return 0;
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(send_reset, struct sock* sk) {
  if (!sk) return 0;
  struct telemetry_socket* s = known(sk);
  struct telemetry_shard* shard = s ? shard_of(s->slot) : 0;
  if (!shard) return 0;
  count(shard->resets_sent, 1);
  touched(shard);
  return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(receive_reset, struct sock* sk) {
  struct telemetry_socket* s = known(sk);
  struct telemetry_shard* shard = s ? shard_of(s->slot) : 0;
  if (!shard) return 0;
  count(shard->resets_received, 1);
  touched(shard);
  return 0;
}

/* Walks through all sockets that have a record, on the reader's request. It holds no lock of theirs: what it
 * sees is a moment's. */
SEC("iter/bpf_sk_storage_map")
int scan(struct bpf_iter__bpf_sk_storage_map* ctx) {
  struct telemetry_socket* s = ctx->value;
  struct sock* sk = ctx->sk;
  if (!sk || !s || s->open != PENSTOCK_TELEMETRY_IN || pulse_of(s->slot)->generation != s->generation)
    return 0;
  const struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
  const __u32 slot = s->slot;
  struct telemetry_scan* found = bpf_map_lookup_elem(&telemetry_scans, &slot);
  if (!tp || !found) return 0;
  const __u32 read = tp->copied_seq;
  if (s->scanned_seq != read) {
    if (s->scanned_seq) ++found->moved;
    s->scanned_seq = read;
  }
  const __u64 since = s->waiting_ns;
  if (!since) return 0;
  ++found->waiting;
  const __u64 now = bpf_ktime_get_ns();
  const __u64 waited = now > since ? now - since : 0;
  if (waited < PENSTOCK_TELEMETRY_LONGEST_NS) note_time(found->ages, microseconds(waited));
  /* While the peer does not take our answers, it is not the application's fault that it reads no more. A FIN
   * is not read. */
  const __u32 unread = tp->rcv_nxt - read - ((sk->__sk_common.skc_flags >> SOCK_DONE) & 1);
  if (unread == 0 || tp->snd_una != tp->write_seq) return 0;
  if (found->unread == 0 || s->unread_ns < found->oldest_unread_ns) found->oldest_unread_ns = s->unread_ns;
  ++found->unread;
  return 0;
}
