/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Probes: what a gateway asks a backend host, and what bpf/decap.bpf.c answers from the driver.
 *
 *   outer IP | UDP (to or from port 6080) | gue_header (C bit, protocol PENSTOCK_GUE_CONTROL_PROBE, no
 * private data) | probe_header | probe_service ... | room, zero
 *
 * A reply is the request's own bytes with `kind` and the `listener` of each service changed and a new MAC: it
 * has the request's length, so nobody is hit with more than he sent. It goes to where the request came from.
 *
 * The MAC is SipHash-2-4 of the whole message but the MAC itself, under a key that the fleet shares
 * (derive_key(hash_key, "probe"), first 16 bytes). `nonce` makes a request unique: who asks believes a reply
 * only if he waits for its nonce from that address. The responder keeps no memory: it answers a replayed
 * request again, with what is true then, to the address that the copy names as its source. It does not look
 * at `sent_ns` either, because hosts' clocks differ.
 *
 * Later versions: `sections` of a request says what else is wanted, that of the reply what is there, in the
 * room behind the services, in the order of its bits. Version 1 knows none, and a responder leaves out what
 * it does not know. Who wants sections makes room for them.
 *
 * C11 and C++; numbers in network order, but for the MAC, the nonce and the time, which are little-endian.
 */
#ifndef PENSTOCK_ABI_PROBE_H
#define PENSTOCK_ABI_PROBE_H

#include "penstock/abi/service_key.h"
#include "penstock/abi/siphash.h"

#define PENSTOCK_GUE_CONTROL_PROBE 0xb0 /* control types from 128 on are for private use */
#define PENSTOCK_PROBE_VERSION 1
#define PENSTOCK_PROBE_REQUEST 1
#define PENSTOCK_PROBE_REPLY 2
#define PENSTOCK_PROBE_MAX_SERVICES 8
#define PENSTOCK_PROBE_MAX_ROOM 256
#define PENSTOCK_PROBE_MAX_BYTES (32 + 24 * PENSTOCK_PROBE_MAX_SERVICES + PENSTOCK_PROBE_MAX_ROOM)

/* Values of probe_service.listener. */
#define PENSTOCK_PROBE_UNKNOWN \
  0 /* always in a request; the responder cannot tell: neither TCP nor UDP, or every port */
#define PENSTOCK_PROBE_ABSENT 1
#define PENSTOCK_PROBE_PRESENT 2

struct probe_header {
  abi_u8 version;
  abi_u8 kind;
  abi_u8 service_count; /* 1-PENSTOCK_PROBE_MAX_SERVICES */
  abi_u8 sections;      /* zero */
  abi_u16 length;       /* of the message from `version` on, a multiple of 8 */
  abi_u16 reserved;     /* zero */
  abi_u64 nonce;
  abi_u64 sent_ns; /* on the asker's own clock; echoed */
  abi_u64 mac;
};

/* A service as a socket sees it; of a prefix or a range, any address and port of it. */
struct probe_service {
  struct abi_address vip;
  abi_u16 port;
  abi_u8 protocol;
  abi_u8 listener;
  abi_u32 reserved; /* zero */
};

/* Value of the map `probe_keys`, an array of two: the newest key and the one before. */
struct probe_key {
  struct siphash_key key;
  abi_u32 valid;
  abi_u32 reserved; /* zero */
};
#define PENSTOCK_PROBE_KEYS 2

PENSTOCK_ABI_ASSERT(sizeof(struct probe_header) == 32, "whole words are hashed");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_header, kind) == 1, "probe wire format");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_header, service_count) == 2, "probe wire format");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_header, sections) == 3, "probe wire format");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_header, length) == 4, "probe wire format");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_header, nonce) == 8, "probe wire format");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_header, sent_ns) == 16, "probe wire format");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_header, mac) == 24, "the MAC ends the header");
PENSTOCK_ABI_ASSERT(sizeof(struct probe_service) == 24, "whole words are hashed");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_service, port) == 16, "probe wire format");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_service, protocol) == 18, "probe wire format");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_service, listener) == 19, "probe wire format");
PENSTOCK_ABI_ASSERT(sizeof(struct probe_key) == 24, "BPF map value");
PENSTOCK_ABI_ASSERT(PENSTOCK_PROBE_MAX_BYTES % 8 == 0, "whole words are hashed");

#endif
