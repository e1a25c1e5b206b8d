"""What Ethernet adds behind a short packet is not the packet's: it stays behind (RFC 894, RFC 2464)."""
from frames import by_tunnel, frame, ip, some, tcp, udp
from gateways import TUNNELS
from table import case

TOPIC = "padding"


def write():
    for name, tunnel in TUNNELS.items():
        for family in (4, 6):
            for kind, packet in (("UDP", ip(family) / udp(f"{TOPIC}{name}", tunnel.port, b"")),
                                 ("SYN", ip(family) / tcp(f"{TOPIC}{name}", tunnel.port)),
                                 ("UDP of 100 bytes", ip(family) / udp(f"{TOPIC}{name}1", tunnel.port, some(100)))):
                for pad in (60, 64, 200):
                    case(TOPIC, f"IPv{family} {kind} in {name}, frame padded to {pad}", "tunnels",
                         [frame(family, packet, pad=pad)], [by_tunnel(name, packet)], "forwarded")
