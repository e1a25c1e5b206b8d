/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * What bpf/telemetry.bpf.c and the agent that reads it agree on.
 *
 *   telemetry_services  abi_service_key -> telemetry_service   the measured services: TCP, one address, one
 * port telemetry_shards    slot * shards + (cpu & (shards - 1)) -> telemetry_shard   written by many, so by
 * atomic additions; of each service the sum over its shards counts telemetry_scans     slot -> telemetry_scan
 * what the iterator `scan` found; cleared by the reader before telemetry_sockets   per socket,
 * telemetry_socket; written under the socket's lock, but for scanned_seq .bss telemetry_shared, written on
 * both sides
 *
 * A service has a slot and a generation; a socket that remembers another generation belongs to a service that
 * is no longer there, and is looked up again.
 *
 * A request costs two short programs, when bytes come and when the answer is written. What waits is not
 * counted by them: the reader has all sockets walked through, as often as it wants to know.
 *
 * Histograms are log-linear: 8 buckets an octave, in microseconds. Times are CLOCK_MONOTONIC. C11 and C++.
 */
#ifndef PENSTOCK_ABI_TELEMETRY_H
#define PENSTOCK_ABI_TELEMETRY_H

#include "penstock/abi/service_key.h"

#define PENSTOCK_TELEMETRY_MAX_SLOTS 1024 /* services; fewer where more than two shards share the memory */
#define PENSTOCK_TELEMETRY_MAX_SHARDS 8
#define PENSTOCK_TELEMETRY_RECORDS 2048             /* shards of all services: 8 MB */
#define PENSTOCK_TELEMETRY_OCTAVE 8                 /* buckets an octave: 1/8 of the value wide */
#define PENSTOCK_TELEMETRY_BUCKETS 200              /* up to 2^27 us, 134 s */
#define PENSTOCK_TELEMETRY_LONGEST_NS 4000000000ULL /* what waits longer waits for something else */

/* The segment size that the agent's own checks ask for. A connection with it from the service's own address
 * is left out: the time that a check takes says nothing of what clients get. */
#define PENSTOCK_CHECK_MSS 1229

struct telemetry_service {
  abi_u32 slot;
  abi_u32 generation; /* never 0 */
};

/* One of the groups of CPUs that count for a service. */
struct telemetry_shard {
  abi_u32 dirty;       /* set with every change, cleared by the reader before it reads */
  abi_u32 established; /* may be negative in one shard */
  abi_u64 new_connections;
  abi_u64 closes;
  abi_u64 resets_sent;
  abi_u64 resets_received;
  abi_u64 retransmits;
  abi_u64 abandoned; /* requests that were never answered */
  abi_u64 bytes_in;
  abi_u64 bytes_out;
  abi_u32 fill[14];
  abi_u32 response[PENSTOCK_TELEMETRY_BUCKETS];
  abi_u32 handshake[PENSTOCK_TELEMETRY_BUCKETS];
  abi_u32 srtt[PENSTOCK_TELEMETRY_BUCKETS];
  abi_u32 fill_last[8];
};

/* Of a service: its connections at the moment. */
struct telemetry_scan {
  abi_u32 waiting; /* requests without an answer */
  abi_u32 unread; /* connections with bytes that nobody has begun to read, and whose peer takes our answers */
  abi_u32 moved;  /* connections of which something was read since the scan before */
  abi_u32 reserved;
  abi_u64 oldest_unread_ns;                 /* when the first of these bytes came; meaningless without any */
  abi_u32 ages[PENSTOCK_TELEMETRY_BUCKETS]; /* of waiting requests */
  abi_u32 fill[2];
};

/* Written a thousand times a second at most, so that all CPUs may share it. */
struct telemetry_pulse {
  abi_u64 progress_ns; /* the application last read, sent or closed */
  abi_u64 work_ns;     /* the first connection that came after */
  abi_u64 tick;        /* of progress_ns */
  abi_u32 generation;
  abi_u32 reserved[9];
};

/* Of all services. */
#define PENSTOCK_TELEMETRY_PORT_BITS 4096
struct telemetry_shared {
  abi_u64 ports[PENSTOCK_TELEMETRY_PORT_BITS / 64]; /* bit `port` modulo their number: may be of a service */
  struct telemetry_pulse pulses[PENSTOCK_TELEMETRY_MAX_SLOTS];
};

/* telemetry_socket.open */
#define PENSTOCK_TELEMETRY_BEFORE 0
#define PENSTOCK_TELEMETRY_IN 1 /* counted as established */
#define PENSTOCK_TELEMETRY_AFTER 2

struct telemetry_socket {
  abi_u32 slot;
  abi_u32 generation;
  abi_u32 open;
  abi_u32 written_seq; /* the sequence number up to which bytes out were added */
  abi_u32 scanned_seq; /* up to which the application had read at the last scan; 0: not scanned */
  abi_u32 received;    /* bytes that had come by the last call, wraps */
  abi_u64 waiting_ns;  /* when the last bytes of the request came; 0: none waits */
  abi_u64 unread_ns;   /* when the first bytes came that were not read then */
  abi_u64 flushed_ns;  /* when bytes and round-trip time were last added */
  abi_u64 flushed_in;  /* bytes that were added */
};

PENSTOCK_ABI_ASSERT(sizeof(struct telemetry_service) == 8, "BPF map value");
PENSTOCK_ABI_ASSERT(sizeof(struct telemetry_pulse) == 64, "one cache line");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct telemetry_shared, pulses) % 64 == 0, "whole cache lines");
PENSTOCK_ABI_ASSERT(sizeof(struct telemetry_socket) == 56,
                    "one cache line with the kernel's pointer before it");
PENSTOCK_ABI_ASSERT(sizeof(struct telemetry_shard) == 2560, "whole cache lines");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct telemetry_shard, response) == 128,
                    "counters share two cache lines");
PENSTOCK_ABI_ASSERT(sizeof(struct telemetry_scan) == 832, "whole cache lines");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct telemetry_shared, pulses) % 64 == 0, "whole cache lines");

#endif
