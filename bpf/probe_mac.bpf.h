/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Part of decap.bpf.c: MACs of probes, and whether a probe is news (include/penstock/abi/probe.h).
 */
#ifndef PENSTOCK_BPF_PROBE_MAC_H
#define PENSTOCK_BPF_PROBE_MAC_H

#include "bpf/decap_maps.bpf.h"
#include "bpf/decap_packet.bpf.h"

#define MAX_PROBE_OFFSET (MAX_UDP_OFFSET + 12) /* behind UDP and GUE */
/* A service is three words, its load six. */
#define MAX_MAC_GROUPS ((PENSTOCK_PROBE_MAX_BYTES - sizeof(struct probe_header)) / 24)
#define NO_PROBE_KEY PENSTOCK_PROBE_KEYS

static __always_inline const struct probe_key* probe_key_at(abi_u32 index) {
  const struct probe_key* key = bpf_map_lookup_elem(&probe_keys, &index);
  return key && key->valid ? key : 0;
}

/* The MAC of the first `length` bytes, header included and a multiple of 8, of the message at `offset`; 0
 * when they are cut off.
 */
__noinline abi_u64 probe_mac(struct xdp_md* ctx, __u32 offset, __u32 length, __u32 key_index) {
  const struct probe_key* key = probe_key_at(key_index);
  if (!key || offset > MAX_PROBE_OFFSET || length < sizeof(struct probe_header)) return 0;
  const abi_u64* word = start_of(ctx) + offset;
  const void* end = end_of(ctx);
  if ((const void*)(word + 4) > end) return 0;
  struct siphash_state state;
  siphash_begin(&state, &key->key);
  siphash_add(&state, word[0]);
  siphash_add(&state, word[1]);
  siphash_add(&state, word[2]);
  __u32 left = length / 8 - 4;
  word += 4;
  for (__u32 i = 0; i < MAX_MAC_GROUPS; ++i) {
    if (left < 3) break;
    barrier_var(end); /* or clang calculates with it, which the verifier forbids */
    if ((const void*)(word + 3) > end) return 0;
    siphash_add(&state, word[0]);
    siphash_add(&state, word[1]);
    siphash_add(&state, word[2]);
    word += 3;
    left -= 3;
  }
  if (left > 0) {
    if ((const void*)(word + 1) > end) return 0;
    siphash_add(&state, word[0]);
  }
  if (left > 1) {
    if ((const void*)(word + 2) > end) return 0;
    siphash_add(&state, word[1]);
  }
  return siphash_end(&state, 0, length - sizeof(abi_u64));
}

/* The key whose MAC it is, or NO_PROBE_KEY. */
static __always_inline __u32 key_of_mac(struct xdp_md* ctx, __u32 offset, __u32 length, abi_u64 mac) {
  if (mac == 0) return NO_PROBE_KEY; /* looks like a message that is cut off */
  if (mac == probe_mac(ctx, offset, length, 0)) return 0;
  return mac == probe_mac(ctx, offset, length, 1) ? 1 : NO_PROBE_KEY;
}

static __always_inline bool is_recent(abi_u64 sent_ns, abi_u64 now) {
  const abi_u32 index = 0;
  const abi_u64* to_realtime = bpf_map_lookup_elem(&probe_clock, &index);
  if (!to_realtime || *to_realtime == 0) return true; /* nobody has told us the time */
  const abi_u64 limit = PENSTOCK_PROBE_CLOCK_SECONDS * NANOSECONDS;
  return sent_ns - (now + *to_realtime) + limit <= 2 * limit;
}

/* Has this asker not been answered to this question, nor to a newer one? Remembers it. Only for what is
 * authentic: others would drive out who is. Two CPUs that get the same message at the same moment may both
 * answer it. */
static __always_inline bool is_news(abi_u64 nonce, abi_u64 sent_ns, abi_u64 now) {
  const abi_u64 name = nonce >> PENSTOCK_PROBE_NONCE_COUNT_BITS;
  struct probe_asker* known = bpf_map_lookup_elem(&probe_askers, &name);
  if (known && now - known->heard_ns < PENSTOCK_PROBE_ASKER_SECONDS * NANOSECONDS) {
    if (sent_ns <= known->sent_ns) return false;
    known->sent_ns = sent_ns;
    known->heard_ns = now;
    return true;
  }
  if (!is_recent(sent_ns, now)) return false;
  if (known && sent_ns <= known->sent_ns) return false;
  const struct probe_asker asker = {.sent_ns = sent_ns, .heard_ns = now};
  bpf_map_update_elem(&probe_askers, &name, &asker, BPF_ANY);
  return true;
}

#endif
