/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * tc egress program of a backend: lowers the maximum segment size that SYNs and SYN-ACKs from a VIP tell the
 * client (RFC 9293, 3.7.1), so that the client's segments still fit after a gateway has encapsulated them. The
 * client learns it with the handshake, before the first packet that would be too big, and even where ICMP is
 * filtered.
 *
 * A larger value is lowered, a smaller one left alone; an option that is missing (536 or 1220 bytes are then
 * assumed) is not added. Everything else passes untouched, and every packet goes on to the next filter.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "penstock/abi/mss.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define NEXT_FILTER (-1) /* TC_ACT_UNSPEC */
#define TCP_HEADER 20
#define TCP_CHECKSUM_AT 16
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_MSS 2
#define MSS_OPTION_LENGTH 4
/* Options before the MSS. Linux and all others put it first; the limit is for the verifier. */
#define MAX_OPTIONS 20

char licence_of_program[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, PENSTOCK_MSS_MAX_VIPS);
  __type(key, struct abi_prefix);
  __type(value, struct mss_limit);
} mss_vips SEC(".maps");

/* Finds the TCP header of an IPv4 packet without fragments, or of an IPv6 one without extension headers; fills
 * in the source. 0: not such a packet. */
static __always_inline __u32 find_tcp(struct __sk_buff* skb, struct abi_prefix* source, __u32* headers) {
  source->length = 128;
  if (skb->protocol == bpf_htons(ETHERTYPE_IPV4)) {
    struct iphdr ip;
    if (bpf_skb_load_bytes(skb, sizeof(struct ethhdr), &ip, sizeof ip) != 0) return 0;
    if (ip.version != 4 || ip.ihl < 5 || ip.protocol != IPPROTO_TCP || (ip.frag_off & bpf_htons(0x3fff)) != 0) return 0;
    __builtin_memset(source->address.bytes, 0, 10);
    source->address.bytes[10] = 0xff;
    source->address.bytes[11] = 0xff;
    __builtin_memcpy(source->address.bytes + 12, &ip.saddr, 4);
    *headers = sizeof ip + TCP_HEADER;
    return sizeof(struct ethhdr) + ip.ihl * 4;
  }
  if (skb->protocol == bpf_htons(ETHERTYPE_IPV6)) {
    struct ipv6hdr ip;
    if (bpf_skb_load_bytes(skb, sizeof(struct ethhdr), &ip, sizeof ip) != 0) return 0;
    if (ip.version != 6 || ip.nexthdr != IPPROTO_TCP) return 0;
    __builtin_memcpy(source->address.bytes, &ip.saddr, 16);
    *headers = sizeof ip + TCP_HEADER;
    return sizeof(struct ethhdr) + sizeof ip;
  }
  return 0;
}

static __always_inline void lower(struct __sk_buff* skb, __u32 tcp_at, __u32 value_at, __u16 most) {
  __be16 before;
  const __be16 after = bpf_htons(most);
  if (bpf_skb_load_bytes(skb, value_at, &before, sizeof before) != 0 || bpf_ntohs(before) <= most) return;
  if (bpf_skb_store_bytes(skb, value_at, &after, sizeof after, 0) != 0) return;
  bpf_l4_csum_replace(skb, tcp_at + TCP_CHECKSUM_AT, before, after, sizeof after);
}

SEC("tc")
int penstock_mss(struct __sk_buff* skb) {
  struct abi_prefix source;
  struct tcphdr tcp;
  __u32 headers = 0;
  const __u32 tcp_at = find_tcp(skb, &source, &headers);
  if (tcp_at == 0 || bpf_skb_load_bytes(skb, tcp_at, &tcp, sizeof tcp) != 0 || !tcp.syn) return NEXT_FILTER;
  const struct mss_limit* limit = bpf_map_lookup_elem(&mss_vips, &source);
  if (!limit || limit->packet <= headers || limit->packet > 65535) return NEXT_FILTER;
  const __u16 most = limit->packet - headers;
  const __u32 end = tcp_at + tcp.doff * 4;
  __u32 at = tcp_at + TCP_HEADER;
  for (int i = 0; i < MAX_OPTIONS; ++i) {
    __u8 option[2]; /* kind and length */
    if (at + MSS_OPTION_LENGTH > end || bpf_skb_load_bytes(skb, at, option, sizeof option) != 0) break;
    if (option[0] == OPTION_END) break;
    if (option[0] == OPTION_NOP) {
      ++at;
      continue;
    }
    if (option[1] < 2) break;
    if (option[0] == OPTION_MSS) {
      /* An odd offset would need the checksum's bytes swapped; nobody sends one. */
      if (option[1] == MSS_OPTION_LENGTH && ((at - tcp_at) & 1) == 0) lower(skb, tcp_at, at + 2, most);
      break;
    }
    at += option[1];
  }
  return NEXT_FILTER;
}
