/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * The maps of bpf/steer.bpf.c, as the dataplane fills and reads them. C11 and C++.
 */
#ifndef PENSTOCK_ABI_STEER_H
#define PENSTOCK_ABI_STEER_H

#include "penstock/abi/service_key.h"

#define PENSTOCK_STEER_MAX_QUEUES 128
#define PENSTOCK_STEER_MAX_VIPS 16384
#define PENSTOCK_STEER_MAX_OWN 256 /* addresses of the gateway, keys of `steer_own` */
#define PENSTOCK_STEER_ADDRESS_BITS 128

/* Indices of the per-CPU counter array. Every frame that the program sees is counted once. */
#define PENSTOCK_STEER_REDIRECTED 0 /* to the dataplane */
#define PENSTOCK_STEER_PASSED 1     /* not for a VIP: the kernel's */
#define PENSTOCK_STEER_NO_SOCKET 2  /* for a VIP, but no dataplane listens on this queue: the kernel's */
#define PENSTOCK_STEER_COUNTERS 3

/* Key of the LPM trie of VIPs. IPv4 prefixes are lengthened by 96, the mapped form's fixed part. */
struct steer_vip_key {
  abi_u32 prefix_length;
  struct abi_address address;
};

#define PENSTOCK_STEER_MAX_VLAN_TAGS 2

/* The interface under the program: only frames for `mac` are steered, and of tagged ones those with at most
 * `vlan_tags` 802.1Q or 802.1ad tags. */
struct steer_interface {
  abi_u8 mac[6];
  abi_u8 vlan_tags; /* 0-PENSTOCK_STEER_MAX_VLAN_TAGS; 0: tagged frames are the kernel's */
  abi_u8 reserved;  /* zero */
};

PENSTOCK_ABI_ASSERT(sizeof(struct steer_vip_key) == 20, "LPM trie key: length, then data");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct steer_vip_key, address) == 4,
                    "LPM trie key: length, then data");
PENSTOCK_ABI_ASSERT(sizeof(struct steer_interface) == 8, "BPF map value");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct steer_interface, vlan_tags) == 6, "BPF map value");

#endif
