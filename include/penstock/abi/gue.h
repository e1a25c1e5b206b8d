/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Generic UDP Encapsulation as Penstock puts it on the wire (draft-ietf-intarea-gue-09, version 0), with
 * private data in the layout that GLB published, so that other implementations can read the hops.
 *
 *   outer IP | UDP (destination port 6080) | gue_header | gue_private | hops | inner IP packet
 *
 * The outer destination is the chosen backend. The hops are the further backends to which the receiver may
 * pass a packet that it does not know; `next_hop` indexes the first that has not been tried. A packet without
 * alternatives carries the private header with a hop count of zero. Who passes a packet on becomes its outer
 * source, counts the outer TTL down and advances `next_hop` (bpf/second_chance.bpf.h).
 *
 * C11 and C++; shared by dataplane and BPF programs.
 */
#ifndef PENSTOCK_ABI_GUE_H
#define PENSTOCK_ABI_GUE_H

#ifdef __BPF__
#include "vmlinux.h"
typedef __u8 gue_u8;
typedef __u16 gue_u16;
#else
#include <stdint.h>
typedef uint8_t gue_u8;
typedef uint16_t gue_u16;
#endif

#define PENSTOCK_GUE_PORT 6080

/* First byte: version (2 bits), C: control message (1 bit), Hlen: private data in 32-bit words (5 bits). */
#define PENSTOCK_GUE_VERSION_MASK 0xc0
#define PENSTOCK_GUE_CONTROL 0x20
#define PENSTOCK_GUE_HLEN_MASK 0x1f

#define PENSTOCK_GUE_HOPS_IPV4 0
#define PENSTOCK_GUE_HOPS_IPV6 1
#define PENSTOCK_GUE_MAX_HOPS 3

struct gue_header {
  gue_u8 version_control_hlen;
  gue_u8 protocol; /* IP protocol of the inner packet: 4 or 41; a control type when C is set */
  gue_u16 flags;   /* network order; always 0 */
};

struct gue_private {
  gue_u16 type; /* network order; PENSTOCK_GUE_HOPS_IPV4 or _IPV6 */
  gue_u8 next_hop;
  gue_u8 hop_count;
};

#ifdef __cplusplus
#define PENSTOCK_ABI_ASSERT(condition, why) static_assert(condition, why)
#else
#define PENSTOCK_ABI_ASSERT(condition, why) _Static_assert(condition, why)
#endif
PENSTOCK_ABI_ASSERT(sizeof(struct gue_header) == 4, "GUE base header is one 32-bit word");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct gue_header, protocol) == 1, "GUE draft, section 3.1");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct gue_header, flags) == 2, "GUE draft, section 3.1");
PENSTOCK_ABI_ASSERT(sizeof(struct gue_private) == 4, "GLB private data header is one 32-bit word");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct gue_private, next_hop) == 2, "GLB private data");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct gue_private, hop_count) == 3, "GLB private data");

#endif
