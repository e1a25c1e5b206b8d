/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * Part of decap.bpf.c: its maps (include/penstock/abi/decap.h says what they hold).
 */
#ifndef PENSTOCK_BPF_DECAP_MAPS_H
#define PENSTOCK_BPF_DECAP_MAPS_H

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, PENSTOCK_DECAP_MAX_ADDRESSES);
  __type(key, struct abi_address);
  __type(value, abi_u8);
} decap_addresses SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC); /* few hosts serve 16384 services; memory only for those present */
  __uint(max_entries, PENSTOCK_DECAP_MAX_SERVICES);
  __type(key, struct abi_service_key);
  __type(value, struct decap_counters);
} decap_services SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, PENSTOCK_DECAP_MAX_VIPS);
  __type(key, struct abi_prefix);
  __type(value, struct decap_vip);
} decap_vips SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, DECAP_OUTCOME_COUNT);
  __type(key, abi_u32);
  __type(value, abi_u64);
} decap_outcomes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, PENSTOCK_DECAP_HOPS);
  __type(key, abi_u32);
  __type(value, struct decap_hop);
} decap_hops SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, PENSTOCK_DECAP_MAX_SERVICES);
  __type(key, struct abi_service_key);
  __type(value, abi_u8);
} decap_searched SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, PENSTOCK_DECAP_MAX_UDP_FLOWS);
  __type(key, struct decap_udp_flow);
  __type(value, abi_u64);
} decap_udp_flows SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, abi_u32);
  __type(value, struct decap_settings);
} decap_settings SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, PENSTOCK_PROBE_KEYS);
  __type(key, abi_u32);
  __type(value, struct probe_key);
} probe_keys SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, PENSTOCK_PROBE_MAX_ASKERS);
  __type(key, abi_u64);
  __type(value, struct probe_asker);
} probe_askers SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, abi_u32);
  __type(value, abi_u64);
} probe_clock SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, abi_u32);
  __type(value, struct probe_host_entry);
} probe_host_loads SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC); /* as decap_services */
  __uint(max_entries, PENSTOCK_DECAP_MAX_SERVICES);
  __type(key, struct abi_service_key);
  __type(value, struct probe_service_entry);
} probe_service_loads SEC(".maps");

#endif
