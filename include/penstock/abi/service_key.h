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

/* Key of an LPM trie of prefixes. IPv4 ones are lengthened by 96, the mapped form's fixed part. */
struct abi_prefix {
  abi_u32 length; /* bits, 0-128 */
  struct abi_address address;
};

/* Ports and protocol of several packets have no such key: see penstock/abi/decap.h for how one is found. */
struct abi_service_key {
  struct abi_address vip; /* of a prefix: its first address */
  abi_u16 port;           /* network order; 0 = every port */
  abi_u16 last_port;      /* network order; of the range that begins with `port`; 0 = `port` alone */
  abi_u8 protocol;        /* IANA's number, or 255 for any */
  abi_u8 prefix_length;   /* bits as it is written; 0 = the one address `vip` */
  abi_u8 reserved[2];     /* zero */
};

PENSTOCK_ABI_ASSERT(sizeof(struct abi_address) == 16, "BPF map key");
PENSTOCK_ABI_ASSERT(sizeof(struct abi_prefix) == 20, "LPM trie key: length, then data");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct abi_prefix, address) == 4, "LPM trie key: length, then data");
PENSTOCK_ABI_ASSERT(sizeof(struct abi_service_key) == 24, "BPF map key without padding");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct abi_service_key, port) == 16, "BPF map key");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct abi_service_key, last_port) == 18, "BPF map key");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct abi_service_key, protocol) == 20, "BPF map key");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct abi_service_key, prefix_length) == 21, "BPF map key");

#endif
