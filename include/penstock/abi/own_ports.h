/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * The ports from which a gateway's dataplane asks backends itself, and at which it hears their answers: TCP
 * and UDP, of the gateway's own addresses (those that its outer headers have). bpf/steer.bpf.c takes what
 * comes to them from the kernel; they lie beyond the ports that Linux gives to sockets by itself
 * (net.ipv4.ip_local_port_range, 32768-60999), and no other program may use them while a dataplane runs.
 *
 * C11 and C++; host order.
 */
#ifndef PENSTOCK_ABI_OWN_PORTS_H
#define PENSTOCK_ABI_OWN_PORTS_H

#define PENSTOCK_OWN_FIRST_PORT 61000

#define PENSTOCK_OWN_PROBE_FIRST_PORT 61000 /* + the lcore that sent the probe */
#define PENSTOCK_OWN_PROBE_LAST_PORT 61127

#define PENSTOCK_OWN_CHECK_FIRST_PORT 61128 /* direct checks */
#define PENSTOCK_OWN_CHECK_LAST_PORT 62151

#define PENSTOCK_OWN_LAST_PORT 62151

#endif
