/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * What bpf/decap.bpf.c and its loader agree on: the maps' keys, values and sizes, and the outcome of a
 * packet.
 *
 *   decap_addresses  abi_address     -> abi_u8          outer destinations that are this host
 *   decap_services   abi_service_key -> decap_counters  per CPU; a packet of the service has been
 *                    decapsulated. Protocol 0: what a VIP takes without looking at a service, which is ICMP
 *                    and fragments without ports
 *   decap_vips       abi_prefix      -> decap_vip       VIPs and VIP prefixes, with the services of each that
 *                    take more than one port
 *   decap_outcomes   decap_outcome   -> abi_u64         per CPU; packets
 *   decap_hops       hop             -> decap_hop       per CPU; packets with a hop list, by how many hosts
 *                    they had passed before this one (0 = sent here by a gateway)
 *   decap_searched   abi_service_key -> abi_u8          services whose UDP flows are remembered
 *   decap_udp_flows  decap_udp_flow  -> abi_u64         LRU; when a packet of the flow was last delivered
 *                    here, CLOCK_MONOTONIC_COARSE in ns, renewed at most once a second
 *   decap_settings   0               -> decap_settings
 *   probe_keys       0, 1            -> probe_key       the newest and the one before (penstock/abi/probe.h)
 *   probe_askers     nonce >> 24     -> probe_asker     LRU; who was answered, and up to when
 *   probe_clock      0               -> abi_u64         what to add to CLOCK_MONOTONIC for the time of day
 *   probe_host_loads 0               -> probe_host_entry
 *   probe_service_loads abi_service_key -> probe_service_entry   of one address and one port
 *
 * A packet's service is that of the longest prefix with one that takes it; within a prefix one port goes
 * before a range, a range before every port, and a protocol before any. The loader sorts `rules` that way.
 *
 * Invariants: packets that the program saw = sum over decap_outcomes. `decapsulated` = sum of the packets of
 * all entries of decap_services since they were configured. `passed_on` = sum of decap_hop.passed_on.
 * C11 and C++.
 */
#ifndef PENSTOCK_ABI_DECAP_H
#define PENSTOCK_ABI_DECAP_H

#include "penstock/abi/service_key.h"

/* The kernel shows at most 15 characters of a program's or map's name; a loader recognises its own by these.
 */
#define PENSTOCK_DECAP_PROGRAM "penstock_decap"

#define PENSTOCK_DECAP_MAX_ADDRESSES 256
#define PENSTOCK_DECAP_MAX_SERVICES \
  32768 /* twice limits.h kMaxServices and more: one entry a service, one a VIP */
#define PENSTOCK_DECAP_MAX_VIPS 16384
#define PENSTOCK_DECAP_MAX_RULES 16 /* services of one VIP that take more than one port */
#define PENSTOCK_DECAP_MAX_NESTED 4 /* VIP prefixes around one address that are searched */
#define PENSTOCK_DECAP_ANY_PROTOCOL 255

#define PENSTOCK_DECAP_MAX_UDP_FLOWS 65536  /* 8 MB of kernel memory; the least recently used make room */
#define PENSTOCK_DECAP_UDP_SEEN_SECONDS 300 /* a flow silent for longer is forgotten (RFC 4787, REQ-5) */

/* X(enumerator, metric name, what happened). First what the kernel gets, then what leaves by XDP_TX, then
 * from the first `dropped_` on XDP_DROP. */
#define PENSTOCK_DECAP_OUTCOMES(X)                                                                          \
  X(PASSED_NOT_TUNNEL, "passed_not_tunnel", "neither GUE nor IP-in-IP, left to the kernel")                 \
  X(PASSED_NOT_OURS, "passed_not_ours", "tunnel packet for another host, left to the kernel")               \
  X(PASSED_CONTROL, "passed_control", "GUE control message, left to the kernel")                            \
  X(DECAPSULATED, "decapsulated", "inner packet handed to the kernel")                                      \
  X(PASSED_ON, "passed_on", "flow unknown here, sent to the next hop")                                      \
  X(ANSWERED_PROBE, "answered_probe", "probe of a gateway, sent back with the answer")                      \
  X(DROPPED_OUTER, "dropped_outer", "outer header truncated, inconsistent or with a wrong checksum")        \
  X(DROPPED_OUTER_FRAGMENT, "dropped_outer_fragment",                                                       \
    "outer packet is a fragment; raise the MTU on the way")                                                 \
  X(DROPPED_GUE, "dropped_gue", "GUE header of another version, with flags, or truncated")                  \
  X(DROPPED_HOPS, "dropped_hops", "hop list too long, or with a hop that is no host")                       \
  X(DROPPED_INNER, "dropped_inner", "inner header truncated or inconsistent")                               \
  X(DROPPED_INNER_PROTOCOL, "dropped_inner_protocol",                                                       \
    "inner protocol, extension header or ICMP type not balanced")                                           \
  X(DROPPED_NO_SERVICE, "dropped_no_service", "inner destination is no service of this host")               \
  X(DROPPED_ECN, "dropped_ecn", "congestion marked on a packet whose sender cannot learn of it (RFC 6040)") \
  X(DROPPED_ADJUST, "dropped_adjust", "driver could not move the packet's start")                           \
  X(DROPPED_HOP_LIMIT, "dropped_hop_limit", "outer TTL or hop limit used up on the way from hop to hop")    \
  X(DROPPED_PROBE, "dropped_probe", "probe that is no request of a known version, or truncated")            \
  X(DROPPED_PROBE_MAC, "dropped_probe_mac", "probe with a MAC of neither valid key")                        \
  X(DROPPED_PROBE_REPLAY, "dropped_probe_replay", "authentic probe that is old, or was answered before")

enum decap_outcome {
#define PENSTOCK_DECAP_ENUMERATOR(name, metric, what) DECAP_##name,
  PENSTOCK_DECAP_OUTCOMES(PENSTOCK_DECAP_ENUMERATOR)
#undef PENSTOCK_DECAP_ENUMERATOR
      DECAP_OUTCOME_COUNT
};

#define PENSTOCK_DECAP_FIRST_SENT DECAP_PASSED_ON
#define PENSTOCK_DECAP_FIRST_DROP DECAP_DROPPED_OUTER

struct decap_counters {
  abi_u64 packets;
  abi_u64 bytes; /* of the inner packets, IP header included */
};

/* A service of a VIP that takes a range of ports, every port, or any protocol. Host order, both ends
 * included. */
struct decap_rule {
  abi_u16 first_port;
  abi_u16 last_port;
  abi_u8 protocol; /* or PENSTOCK_DECAP_ANY_PROTOCOL */
  abi_u8 reserved; /* zero */
};

struct decap_vip {
  struct abi_address first;
  abi_u8 prefix_length; /* as in abi_service_key */
  abi_u8 rule_count;
  abi_u8 reserved[2]; /* zero */
  struct decap_rule rules[PENSTOCK_DECAP_MAX_RULES];
};

/* Packets that arrived with a hop list and were for a service of this host. */
struct decap_hop {
  abi_u64 known;     /* taken: its socket or flow is here */
  abi_u64 begun;     /* taken: it begins a connection, or has no flow that could be elsewhere */
  abi_u64 last;      /* taken unknown: no further hop */
  abi_u64 passed_on; /* sent to the next hop */
};
#define PENSTOCK_DECAP_HOPS (PENSTOCK_GUE_MAX_HOPS + 1)

/* The remote end is the client. Ports in network order. */
struct decap_udp_flow {
  struct abi_address remote;
  struct abi_address local;
  abi_u16 remote_port;
  abi_u16 local_port;
};

struct decap_settings {
  abi_u32 search_udp; /* decap_searched is not empty */
  abi_u32 reserved;   /* zero */
  /* One IPv4 and one IPv6 address out of decap_addresses, which most packets come to: found without a
   * look-up. All zero: none. */
  struct abi_address usual[2];
};

PENSTOCK_ABI_ASSERT(sizeof(struct decap_hop) == 32, "BPF map value");
PENSTOCK_ABI_ASSERT(sizeof(struct decap_udp_flow) == 36, "BPF map key without padding");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct decap_udp_flow, remote_port) == 32, "BPF map key");
PENSTOCK_ABI_ASSERT(sizeof(struct decap_settings) == 40, "BPF map value");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct decap_settings, usual) == 8, "compared by 64-bit words");
PENSTOCK_ABI_ASSERT(sizeof(struct decap_rule) == 6, "BPF map value");
PENSTOCK_ABI_ASSERT(sizeof(struct decap_vip) == 20 + 6 * PENSTOCK_DECAP_MAX_RULES, "BPF map value");
PENSTOCK_ABI_ASSERT(sizeof(struct decap_counters) == 16, "BPF map value");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct decap_counters, bytes) == 8, "BPF map value");
PENSTOCK_ABI_ASSERT(sizeof(PENSTOCK_DECAP_PROGRAM) <= 16, "the kernel would cut the name");

#endif
