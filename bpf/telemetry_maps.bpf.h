/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Part of telemetry.bpf.c: its maps and what it shares with the agent in .bss and .rodata
 * (include/penstock/abi/telemetry.h says what they hold).
 */
#ifndef PENSTOCK_BPF_TELEMETRY_MAPS_H
#define PENSTOCK_BPF_TELEMETRY_MAPS_H

const volatile abi_u32 netns = 0;      /* inode of the network namespace that counts */
const volatile abi_u32 shard_mask = 0; /* shards of a service - 1; a power of two - 1 */

/* In one record, so that what every request needs lies in one page: here misses of the TLB cost the most. */
struct telemetry_shared shared __attribute__((aligned(64)));

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, PENSTOCK_TELEMETRY_MAX_SLOTS);
  __type(key, struct abi_service_key);
  __type(value, struct telemetry_service);
} telemetry_services SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, PENSTOCK_TELEMETRY_RECORDS);
  __type(key, abi_u32);
  __type(value, struct telemetry_shard);
} telemetry_shards SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, PENSTOCK_TELEMETRY_MAX_SLOTS);
  __type(key, abi_u32);
  __type(value, struct telemetry_scan);
} telemetry_scans SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct telemetry_socket);
} telemetry_sockets SEC(".maps");

#endif
