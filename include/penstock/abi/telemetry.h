/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * What bpf/telemetry.bpf.c and the agent that reads it agree on.
 *
 *   telemetry_services  abi_service_key -> telemetry_service   the measured services: TCP, one address, one
 * port telemetry_shards    slot * shards + (cpu & (shards - 1)) -> telemetry_shard   written by many, so by
 * atomic additions; of each service the sum over its shards counts telemetry_sockets   per socket,
 * telemetry_socket; written under the socket's lock telemetry_drops     per listener, abi_u32: of its dropped
 * connections those that were counted .bss                see bpf/telemetry_maps.bpf.h; written on both sides
 *
 * A service has a slot and a generation; a socket that remembers another generation belongs to a service that
 * is no longer there, and is looked up again.
 *
 * Waiting requests are counted in a ring by when they began to wait, in steps of
 * 2^PENSTOCK_TELEMETRY_STEP_SHIFT ns. The reader empties the oldest steps into `ancient` before they come
 * round again; what began before `floor_step` is taken from there. Histograms are log-linear: 8 buckets an
 * octave, in microseconds. Times are CLOCK_MONOTONIC. C11 and C++.
 */
#ifndef PENSTOCK_ABI_TELEMETRY_H
#define PENSTOCK_ABI_TELEMETRY_H

#include "penstock/abi/service_key.h"

#define PENSTOCK_TELEMETRY_MAX_SLOTS 1024 /* services; fewer where more than two shards share the memory */
#define PENSTOCK_TELEMETRY_MAX_SHARDS 8
#define PENSTOCK_TELEMETRY_RECORDS 2048  /* shards of all services: 8 MB */
#define PENSTOCK_TELEMETRY_OCTAVE 8      /* buckets an octave: 1/8 of the value wide */
#define PENSTOCK_TELEMETRY_BUCKETS 200   /* up to 2^27 us, 134 s */
#define PENSTOCK_TELEMETRY_STEP_SHIFT 24 /* 16.8 ms */
#define PENSTOCK_TELEMETRY_STEPS 256     /* 4.3 s */

/* The segment size that the agent's own checks ask for. A connection with it from the service's own address
 * is left out: the time that a check takes says nothing of what clients get. */
#define PENSTOCK_CHECK_MSS 1229

struct telemetry_service {
  abi_u32 slot;
  abi_u32 generation; /* never 0 */
};

/* One of the groups of CPUs that count for a service. Signed ones may be negative in one shard. */
struct telemetry_shard {
  abi_u32 dirty; /* set with every change, cleared by the reader before it reads */
  abi_u32 established;
  abi_u32 queued; /* connections of which nothing was read or answered yet: accepted or not */
  abi_u32 unread; /* connections with a request that nobody has begun to read */
  abi_u32 ancient;
  abi_u32 reserved;
  abi_u64 new_connections;
  abi_u64 closes;
  abi_u64 resets_sent;
  abi_u64 resets_received;
  abi_u64 retransmits;
  abi_u64 abandoned; /* requests that were never answered */
  abi_u64 bytes_in;
  abi_u64 bytes_out;
  abi_u32 fill[10];
  abi_u32 waiting[PENSTOCK_TELEMETRY_STEPS];
  abi_u32 response[PENSTOCK_TELEMETRY_BUCKETS];
  abi_u32 handshake[PENSTOCK_TELEMETRY_BUCKETS];
  abi_u32 srtt[PENSTOCK_TELEMETRY_BUCKETS];
  abi_u32 fill_last[8];
};

/* Written a thousand times a second at most, so that all CPUs may share it. */
struct telemetry_pulse {
  abi_u64 progress_ns; /* the application last read, sent or closed */
  abi_u64 work_ns;     /* the first work that came after */
  abi_u64 tick;        /* of progress_ns */
  abi_u32 generation;
  abi_u32 reserved[9];
};

/* telemetry_socket.flags, and what the hooks that are there allow to be counted (`counted` in .bss). */
#define PENSTOCK_TELEMETRY_UNREAD 1  /* counted as unread */
#define PENSTOCK_TELEMETRY_WAITING 2 /* counted as waiting since waiting_ns */

/* telemetry_socket.open and .queue. */
#define PENSTOCK_TELEMETRY_BEFORE 0
#define PENSTOCK_TELEMETRY_IN 1 /* counted as established, as queued */
#define PENSTOCK_TELEMETRY_AFTER 2

struct telemetry_socket {
  abi_u32 slot;
  abi_u32 generation;
  abi_u32 flags;
  abi_u32 open;
  abi_u32 queue;
  abi_u32 written_seq; /* the sequence number up to which bytes out were added */
  abi_u64 waiting_ns;  /* when the last bytes of the request came */
  abi_u64 flushed_ns;  /* when bytes and round-trip time were last added */
  abi_u64 received;    /* bytes that had come by the last call */
  abi_u64 flushed_in;  /* bytes that were added */
};

PENSTOCK_ABI_ASSERT(sizeof(struct telemetry_service) == 8, "BPF map value");
PENSTOCK_ABI_ASSERT(sizeof(struct telemetry_pulse) == 64, "one cache line");
PENSTOCK_ABI_ASSERT(sizeof(struct telemetry_socket) == 56, "BPF map value");
PENSTOCK_ABI_ASSERT(sizeof(struct telemetry_shard) == 3584, "whole cache lines");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct telemetry_shard, new_connections) == 24, "BPF map value");
PENSTOCK_ABI_ASSERT(__builtin_offsetof(struct telemetry_shard, waiting) == 128,
                    "counters share two cache lines");

#endif
