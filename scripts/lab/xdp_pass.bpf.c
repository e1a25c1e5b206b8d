// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
// Lets every frame through. The router's end of a backend's veth needs some program of XDP, see network.py.
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))

SEC("xdp") int xdp_pass(struct xdp_md* ctx) { return XDP_PASS; }

SEC("license") char kLicense[] = "Dual BSD/GPL";
