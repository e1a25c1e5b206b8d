/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Probes: what a gateway asks a backend host, and what bpf/decap.bpf.c answers from the driver.
 *
 *   outer IP | UDP (to port 6080) | gue_header (C bit, protocol PENSTOCK_GUE_CONTROL_PROBE, no private data)
 *   | probe_header | probe_service ... | room: zero in a request; what `sections` of the reply says
 *
 * A reply is the request's own bytes with `kind`, `sections`, the `listener` of each service and the room
 * changed and a new MAC: it has the request's length, so nobody is hit with more than he sent. It goes to
 * where the request came from.
 *
 * The MAC is SipHash-2-4 under a key that the fleet shares (derive_key(hash_key, "probe"), first 16 bytes):
 * of a request over header and services, because its room says nothing; of a reply over the whole message.
 * Never over the MAC itself.
 *
 * Replays. The upper 40 bits of `nonce` name the asking process (random, new in every process), the lower 24
 * count. `sent_ns` is wall-clock time, strictly growing in what one process asks of anybody. A responder
 * remembers the last `sent_ns` of every asker that it answered and refuses what is not newer. Of an asker
 * that it does not know, or has not heard for PENSTOCK_PROBE_ASKER_SECONDS, it takes only what is at most
 * PENSTOCK_PROBE_CLOCK_SECONDS off its own clock (if it knows its own). An asker that is known needs no right
 * clock. Who asks believes a reply only if he waits for its nonce from that address, once.
 *
 * Sections lie in the room in the order of their bits; a responder leaves out what it does not know or have,
 * and clears the bit. Who wants sections makes room for them; what is left of the room says nothing.
 * Version 1 knew neither sections nor replays, and its MAC is over the whole message in both directions: a
 * request of version 1 is answered as ever, with listeners only.
 *
 * C11 and C++; numbers in network order, but for the MAC, the nonce and the time, which are little-endian.
 */
#ifndef PENSTOCK_ABI_PROBE_H
#define PENSTOCK_ABI_PROBE_H

#include "penstock/abi/service_key.h"
#include "penstock/abi/siphash.h"

#define PENSTOCK_GUE_CONTROL_PROBE 0xb0 /* control types from 128 on are for private use */
#define PENSTOCK_PROBE_VERSION 2
#define PENSTOCK_PROBE_OLDEST_VERSION 1
#define PENSTOCK_PROBE_REQUEST 1
#define PENSTOCK_PROBE_REPLY 2
#define PENSTOCK_PROBE_MAX_SERVICES 8
#define PENSTOCK_PROBE_MAX_ROOM (48 * PENSTOCK_PROBE_MAX_SERVICES + 40)
#define PENSTOCK_PROBE_MAX_BYTES (32 + 24 * PENSTOCK_PROBE_MAX_SERVICES + PENSTOCK_PROBE_MAX_ROOM)

#define PENSTOCK_PROBE_NONCE_COUNT_BITS 24
#define PENSTOCK_PROBE_CLOCK_SECONDS 30
#define PENSTOCK_PROBE_ASKER_SECONDS 60
#define PENSTOCK_PROBE_MAX_ASKERS 4096

/* probe_header.sections */
#define PENSTOCK_PROBE_SERVICE_LOADS 1 /* a probe_service_load for each service, in their order */
#define PENSTOCK_PROBE_HOST_LOAD 2     /* a probe_host_load */

/* Values of probe_service.listener. */
#define PENSTOCK_PROBE_UNKNOWN \
  0 /* always in a request; the responder cannot tell: neither TCP nor UDP, or every port */
#define PENSTOCK_PROBE_ABSENT 1
#define PENSTOCK_PROBE_PRESENT 2

/* Values of probe_service_load.check. */
#define PENSTOCK_PROBE_UNCHECKED 0 /* no local check is configured, or none has ended yet */
#define PENSTOCK_PROBE_PASSING 1
#define PENSTOCK_PROBE_FAILING 2

#define PENSTOCK_PROBE_NO_VALUE 0xffff /* of every 16-bit number in the loads: there is no such value */

struct probe_header {
  abi_u8 version;
  abi_u8 kind;
  abi_u8 service_count; /* 1-PENSTOCK_PROBE_MAX_SERVICES */
  abi_u8 sections;      /* wanted in a request, present in a reply */
  abi_u16 length;       /* of the message from `version` on, a multiple of 8 */
  abi_u16 reserved;     /* zero */
  abi_u64 nonce;
  abi_u64 sent_ns; /* since 1970 on the asker's clock; echoed */
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

/* What the agent and the kernel know of one service on the host. Shares are in 1/10000 (may pass 10000),
 * times as PENSTOCK_PROBE_TIME below, counters wrap. What nobody measured is PENSTOCK_PROBE_NO_VALUE;
 * counters that nobody counts stay zero. */
struct probe_service_load {
  abi_u16 age_ms;       /* of what the agent wrote: all but accept_queue, accept_limit; NO_VALUE: nothing */
  abi_u8 check;         /* PENSTOCK_PROBE_UNCHECKED ... */
  abi_u8 reserved;      /* zero */
  abi_u16 accept_queue; /* connections that wait for accept(), read from the socket by the responder */
  abi_u16 accept_limit;
  abi_u32 established; /* connections now */
  abi_u16 stalled; /* PENSTOCK_PROBE_TIME; for how long work has been waiting without any progress; 0: none */
  abi_u16 cpu;     /* share of the CPU time that the service's cgroup may use */
  abi_u16 throttled;               /* share of time that the cgroup was not allowed to run */
  abi_u16 application_utilization; /* ORCA */
  abi_u16 handshake_p50;           /* SYN-ACK sent -> ACK received, PENSTOCK_PROBE_TIME */
  abi_u16 handshake_p99;
  abi_u16 response_p50; /* request's bytes received -> first byte of the response, PENSTOCK_PROBE_TIME */
  abi_u16 response_p99;
  abi_u32 new_connections;
  abi_u32 responses;
  abi_u32 resets; /* sent and received, of connections of the service */
  abi_u32 retransmits;
  abi_u16 syn_drops;    /* connection requests that the listener dropped, for whatever reason. NO_VALUE in the
                           map: nobody counts, the responder takes the socket's own number */
  abi_u16 accept_drops; /* of them, because the accept queue was full */
};

/* The host as a whole. Values older than two seconds are left out by the agent. Shares in 1/10000. */
struct probe_host_load {
  abi_u16 age_ms; /* of the youngest value */
  abi_u16 cpu_utilization;
  abi_u16 mem_utilization;
  abi_u16 cpu_pressure; /* PSI "some": share of the time since the sample before */
  abi_u16 memory_pressure;
  abi_u16 io_pressure;
  abi_u16 run_queue;          /* runnable tasks per CPU, in 1/100 */
  abi_u16 disk_utilization;   /* of the busiest disk */
  abi_u16 nic_rx_utilization; /* of the busiest interface, against its speed */
  abi_u16 nic_tx_utilization;
  abi_u16 gpu_utilization; /* of the busiest GPU */
  abi_u16 gpu_mem_utilization;
  abi_u16 application_utilization;
  abi_u16 power_watts; /* in 1/10 */
  abi_u32 disk_iops;
  abi_u32 reserved[2]; /* zero */
};

/* A time in microseconds in 16 bits: 11 bits of mantissa, 5 of exponent, mantissa << exponent; at most 0.1 %
 * too small. Host order. The way back: penstock/net/probe_time.h. */
#define PENSTOCK_PROBE_TIME_US(time) ((abi_u64)((time)&0x7ff) << ((time) >> 11))

/* Values of the maps `probe_host_loads` (array of one) and `probe_service_loads` (hash by abi_service_key of
 * one address and one port). sampled_ns: CLOCK_MONOTONIC; the responder makes the age of it. `load` is in
 * network order, as it is sent. */
struct probe_host_entry {
  abi_u64 sampled_ns; /* 0: nothing */
  struct probe_host_load load;
};
struct probe_service_entry {
  abi_u64 sampled_ns;
  struct probe_service_load load;
};
/* Value of the LRU map `probe_askers`, by the upper 40 bits of the nonce. */
struct probe_asker {
  abi_u64 sent_ns;  /* the newest answered */
  abi_u64 heard_ns; /* CLOCK_MONOTONIC_COARSE */
};
/* Value of the map `probe_clock`, an array of one: nanoseconds to add to CLOCK_MONOTONIC for the time since
 * 1970; 0: nobody has said. */

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
PENSTOCK_ABI_ASSERT(sizeof(struct probe_service_load) == 48, "probe wire format");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_service_load, established) == 8, "probe wire format");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_service_load, handshake_p50) == 20, "probe wire format");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_service_load, new_connections) == 28,
                    "probe wire format");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_service_load, syn_drops) == 44, "probe wire format");
PENSTOCK_ABI_ASSERT(sizeof(struct probe_host_load) == 40, "probe wire format");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_host_load, run_queue) == 12, "probe wire format");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct probe_host_load, disk_iops) == 28, "probe wire format");
PENSTOCK_ABI_ASSERT(sizeof(struct probe_host_entry) == 48, "BPF map value");
PENSTOCK_ABI_ASSERT(sizeof(struct probe_service_entry) == 56, "BPF map value");
PENSTOCK_ABI_ASSERT(sizeof(struct probe_asker) == 16, "BPF map value");
PENSTOCK_ABI_ASSERT(sizeof(struct probe_key) == 24, "BPF map value");
PENSTOCK_ABI_ASSERT(PENSTOCK_PROBE_MAX_BYTES % 8 == 0, "whole words are hashed");

#endif
