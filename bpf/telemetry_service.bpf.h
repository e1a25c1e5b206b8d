/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Part of telemetry.bpf.c: from a socket to its service, and what is counted there.
 */
#ifndef PENSTOCK_BPF_TELEMETRY_SERVICE_H
#define PENSTOCK_BPF_TELEMETRY_SERVICE_H

#include "bpf/telemetry_maps.bpf.h"

#define FAMILY_INET 2
#define FAMILY_INET6 10
#define PROTO_TCP 6

/* All other sockets of the machine end here: the client's side of a loopback connection has another port. */
static __always_inline bool may_be_ours(const struct sock* sk) {
  const __u32 bit = sk->__sk_common.skc_num % PENSTOCK_TELEMETRY_PORT_BITS;
  return (shared.ports[bit >> 6] >> (bit & 63)) & 1;
}

static __always_inline bool is_in_our_namespace(const struct sock* sk) {
  return sk->__sk_common.skc_net.net->ns.inum == netns;
}

static __always_inline struct telemetry_pulse* pulse_of(__u32 slot) {
  return &shared.pulses[slot & (PENSTOCK_TELEMETRY_MAX_SLOTS - 1)];
}

static __always_inline struct telemetry_shard* shard_of(__u32 slot) {
  const __u32 index = slot * (shard_mask + 1) + (bpf_get_smp_processor_id() & shard_mask);
  return bpf_map_lookup_elem(&telemetry_shards, &index);
}

/* Programs may be interrupted by others on the same CPU: only atomic additions are exact. */
#define count(field, by) ((void)__sync_fetch_and_add(&(field), (by)))

/* After the change, so that the reader, who clears it first, cannot miss one. */
static __always_inline void touched(struct telemetry_shard* shard) {
  volatile abi_u32* dirty = &shard->dirty;
  if (*dirty == 0) *dirty = 1;
}

static __always_inline __u32 log2_of(__u32 v) {
  __u32 e = 0;
  if (v >> 16) e += 16, v >>= 16;
  if (v >> 8) e += 8, v >>= 8;
  if (v >> 4) e += 4, v >>= 4;
  if (v >> 2) e += 2, v >>= 2;
  return e + (v >> 1);
}

/* bpf/agent/telemetry/histogram.h is its inverse. */
static __always_inline void note_time(abi_u32* histogram, __u64 us) {
  __u64 bucket = us;
  if (us >> 27) {
    bucket = PENSTOCK_TELEMETRY_BUCKETS - 1;
  } else if (us >= PENSTOCK_TELEMETRY_OCTAVE) {
    const __u32 e = log2_of((__u32)us);
    bucket = ((e - 2) << 3) + (((__u32)us >> (e - 3)) & 7);
  }
  asm volatile("" : "+r"(bucket)); /* or the compiler, who knows it, drops what the verifier needs */
  if (bucket < PENSTOCK_TELEMETRY_BUCKETS) count(histogram[bucket], 1);
}

/* ns / 1000 without a division, for less than 13 days. */
static __always_inline __u64 microseconds(__u64 ns) { return (ns * 8389) >> 23; }

/* The application did something: told once a tick. */
static __always_inline void note_progress(struct telemetry_pulse* pulse) {
  const __u64 tick = bpf_jiffies64();
  if (pulse->tick == tick) return;
  pulse->tick = tick;
  pulse->progress_ns = bpf_ktime_get_ns();
}

static __always_inline struct abi_address mapped(__be32 v4) {
  struct abi_address address = {};
  address.bytes[10] = address.bytes[11] = 0xff;
  __builtin_memcpy(address.bytes + 12, &v4, 4);
  return address;
}

/* The measured service that `sk`'s own address and port are; NULL: none. Valid before the port is given back,
 * which happens on the way to TCP_CLOSE. */
static __noinline struct telemetry_service* service_of(const struct sock* sk) {
  struct abi_service_key key = {.protocol = PROTO_TCP};
  if (!is_in_our_namespace(sk)) return 0;
  if (sk->__sk_common.skc_family == FAMILY_INET) {
    key.vip = mapped(sk->__sk_common.skc_rcv_saddr);
  } else if (sk->__sk_common.skc_family == FAMILY_INET6) {
    const struct in6_addr address = sk->__sk_common.skc_v6_rcv_saddr;
    __builtin_memcpy(&key.vip, &address, 16);
  } else {
    return 0;
  }
  key.port = bpf_htons(sk->__sk_common.skc_num);
  return bpf_map_lookup_elem(&telemetry_services, &key);
}

#endif
