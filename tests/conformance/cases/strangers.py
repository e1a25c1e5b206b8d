"""What is not addressed to a VIP is the kernel's, whatever is wrong with it."""
from frames import frame, ip, tcp, udp
from scapy.all import ARP, ICMP, IP, Ether, ICMPv6EchoRequest, ICMPv6ND_NS, IPv6, IPv6ExtHdrFragment, raw
from table import case

TOPIC = "strangers"
NOT_VIPS = {
    4: {"the next address": "203.0.113.11", "the address before": "203.0.113.9", "the reversed address": "10.113.0.203",
        "the gateway itself": "192.0.2.1", "a backend": "10.0.1.1", "broadcast": "255.255.255.255",
        "multicast": "224.0.0.5", "0.0.0.0": "0.0.0.0"},
    6: {"the next address": "2001:db8:beef::11", "an address of another high half": "2001:db8:bee0::10",
        "an address of another low half": "2001:db8:beef:0:1::10", "the gateway itself": "2001:db8:ff::1",
        "a backend": "2001:db8:1::1", "all nodes": "ff02::1", "the unspecified address": "::",
        "the VIP of IPv4, mapped": "::ffff:203.0.113.10"},
}


def other_addresses():
    for family, addresses in NOT_VIPS.items():
        for name, address in addresses.items():
            for kind, layer in (("TCP", tcp), ("UDP", udp)):
                case(TOPIC, f"IPv{family} {kind} to {name}", "tunnels",
                     [frame(family, ip(family, dst=address) / layer(TOPIC, 80))], [], "not_vip")


def odd_packets_to_others():
    to4, to6 = NOT_VIPS[4]["the next address"], NOT_VIPS[6]["the next address"]
    odd = {
        "IPv4 fragment": (4, IP(dst=to4, flags="MF") / tcp(TOPIC, 80)),
        "IPv4 later fragment": (4, IP(dst=to4, frag=10) / bytes(64)),
        "IPv4 with TTL 0": (4, IP(dst=to4, ttl=0) / tcp(TOPIC, 80)),
        "IPv4 with total length 0": (4, raw(IP(dst=to4, len=0) / tcp(TOPIC, 80))),
        "IPv4 with IHL 4": (4, raw(IP(dst=to4, ihl=4) / tcp(TOPIC, 80))),
        "ICMP echo": (4, IP(dst=to4) / ICMP()),
        "OSPF": (4, IP(dst="224.0.0.5", proto=89) / bytes(24)),
        "IPv6 fragment": (6, IPv6(dst=to6) / IPv6ExtHdrFragment(m=1) / tcp(TOPIC, 80)),
        "IPv6 with hop limit 0": (6, IPv6(dst=to6, hlim=0) / tcp(TOPIC, 80)),
        "IPv6 with payload length 0": (6, raw(IPv6(dst=to6, plen=0) / tcp(TOPIC, 80))),
        "ICMPv6 echo": (6, IPv6(dst=to6) / ICMPv6EchoRequest()),
        "neighbour solicitation for a VIP": (6, IPv6(src="fe80::1", dst="ff02::1:ff00:10") /
                                             ICMPv6ND_NS(tgt="2001:db8:beef::10")),
    }
    for name, (family, packet) in odd.items():
        case(TOPIC, f"{name} to a stranger", "tunnels", [frame(family, packet)], [], "not_vip")
    request = raw(Ether(dst="ff:ff:ff:ff:ff:ff", src="02:00:00:00:00:22") / ARP(pdst="203.0.113.10"))
    case(TOPIC, "ARP request for a VIP", "tunnels", [request], [], "not_vip")


def write():
    other_addresses()
    odd_packets_to_others()
