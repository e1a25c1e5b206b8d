/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * What bpf/mss.bpf.c and its loader agree on.
 *
 *   mss_vips  abi_prefix -> mss_limit   VIPs and VIP prefixes whose packets reach this host encapsulated
 *
 * C11 and C++.
 */
#ifndef PENSTOCK_ABI_MSS_H
#define PENSTOCK_ABI_MSS_H

#include "penstock/abi/service_key.h"

#define PENSTOCK_MSS_PROGRAM "penstock_mss"
#define PENSTOCK_MSS_MAX_VIPS 16384

struct mss_limit {
  abi_u32 packet; /* bytes of the largest IP packet that fits after encapsulation */
};

PENSTOCK_ABI_ASSERT(sizeof(struct mss_limit) == 4, "BPF map value");

#endif
