/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * How BPF maps name a VIP or a service. Shared by the steering program on the gateway, the decapsulation
 * program on the backend, and the user-space code that fills their maps. C11 and C++.
 */
#ifndef PENSTOCK_ABI_SERVICE_KEY_H
#define PENSTOCK_ABI_SERVICE_KEY_H

#ifdef __BPF__
#include "vmlinux.h"
typedef __u8 abi_u8;
typedef __u16 abi_u16;
typedef __u32 abi_u32;
typedef __u64 abi_u64;
#else
#include <stdint.h>
typedef uint8_t abi_u8;
typedef uint16_t abi_u16;
typedef uint32_t abi_u32;
typedef uint64_t abi_u64;
#endif

#include "penstock/abi/gue.h"

/* An address as 16 bytes: IPv6 as it is, IPv4 as the mapped form ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). */
struct abi_address {
  abi_u8 bytes[16];
};

struct abi_service_key {
  struct abi_address vip;
  abi_u16 port;    /* network order */
  abi_u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
  abi_u8 reserved; /* zero */
};

PENSTOCK_ABI_ASSERT(sizeof(struct abi_address) == 16, "BPF map key");
PENSTOCK_ABI_ASSERT(sizeof(struct abi_service_key) == 20, "BPF map key without padding");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct abi_service_key, port) == 16, "BPF map key");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct abi_service_key, protocol) == 18, "BPF map key");

#endif
