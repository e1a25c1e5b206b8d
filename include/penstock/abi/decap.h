/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * What bpf/decap.bpf.c and its loader agree on: the maps' keys, values and sizes, and the outcome of a
 * packet.
 *
 *   decap_addresses  abi_address     -> abi_u8             outer destinations that are this host
 *   decap_services   abi_service_key -> decap_counters     per CPU; a packet of the service has been
 * decapsulated decap_vips       abi_address     -> decap_counters     per CPU; a fragment without ports, or
 * ICMP, for the VIP decap_outcomes   decap_outcome   -> abi_u64            per CPU; packets
 *
 * Invariant: packets that the program saw = sum over decap_outcomes. `decapsulated` = sum of the packets of
 * all services and VIPs since they were configured. C11 and C++.
 */
#ifndef PENSTOCK_ABI_DECAP_H
#define PENSTOCK_ABI_DECAP_H

#include "penstock/abi/service_key.h"

/* The kernel shows at most 15 characters of a program's or map's name; a loader recognises its own by these.
 */
#define PENSTOCK_DECAP_PROGRAM "penstock_decap"

#define PENSTOCK_DECAP_MAX_ADDRESSES 256
#define PENSTOCK_DECAP_MAX_SERVICES 16384 /* above limits.h kMaxServices, so that a whole site fits */
#define PENSTOCK_DECAP_MAX_VIPS 16384

/* X(enumerator, metric name, what happened). Everything from the first `dropped_` on is XDP_DROP. */
#define PENSTOCK_DECAP_OUTCOMES(X)                                                                          \
  X(PASSED_NOT_TUNNEL, "passed_not_tunnel", "neither GUE nor IP-in-IP, left to the kernel")                 \
  X(PASSED_NOT_OURS, "passed_not_ours", "tunnel packet for another host, left to the kernel")               \
  X(PASSED_CONTROL, "passed_control", "GUE control message, left to the kernel")                            \
  X(DECAPSULATED, "decapsulated", "inner packet handed to the kernel")                                      \
  X(DROPPED_OUTER, "dropped_outer", "outer header truncated, inconsistent or with a wrong checksum")        \
  X(DROPPED_OUTER_FRAGMENT, "dropped_outer_fragment",                                                       \
    "outer packet is a fragment; raise the MTU on the way")                                                 \
  X(DROPPED_GUE, "dropped_gue", "GUE header of another version, with flags, or truncated")                  \
  X(DROPPED_HOPS, "dropped_hops", "hop list longer than its private data, or more than three hops")         \
  X(DROPPED_INNER, "dropped_inner", "inner header truncated or inconsistent")                               \
  X(DROPPED_INNER_PROTOCOL, "dropped_inner_protocol",                                                       \
    "inner protocol, extension header or ICMP type not balanced")                                           \
  X(DROPPED_NO_SERVICE, "dropped_no_service", "inner destination is no service of this host")               \
  X(DROPPED_ECN, "dropped_ecn", "congestion marked on a packet whose sender cannot learn of it (RFC 6040)") \
  X(DROPPED_ADJUST, "dropped_adjust", "driver could not move the packet's start")

enum decap_outcome {
#define PENSTOCK_DECAP_ENUMERATOR(name, metric, what) DECAP_##name,
  PENSTOCK_DECAP_OUTCOMES(PENSTOCK_DECAP_ENUMERATOR)
#undef PENSTOCK_DECAP_ENUMERATOR
      DECAP_OUTCOME_COUNT
};

#define PENSTOCK_DECAP_FIRST_DROP DECAP_DROPPED_OUTER

struct decap_counters {
  abi_u64 packets;
  abi_u64 bytes; /* of the inner packets, IP header included */
};

PENSTOCK_ABI_ASSERT(sizeof(struct decap_counters) == 16, "BPF map value");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct decap_counters, bytes) == 8, "BPF map value");
PENSTOCK_ABI_ASSERT(sizeof(PENSTOCK_DECAP_PROGRAM) <= 16, "the kernel would cut the name");

#endif
