#!/usr/bin/python3
"""A client behind a load balancer: real sockets, whose packets to the VIP come out of a TUN device and are
encapsulated by scapy, as a gateway would. The answers come straight back.

    client.py INTERFACE BACKEND_MAC FORM OUTER_SOURCE OUTER_DESTINATION VIP [MSS]     FORM: gue, ipip
Does one GET, one POST of 50,000 bytes and three UDP echoes. Exits 0 when all answers are right, and the server's
SYN-ACK, as the kernel understood it, said MSS.
"""
import fcntl
import http.client
import os
import socket
import struct
import subprocess
import sys
import threading

from scapy.all import IP, UDP, Ether, IPv6, Raw, raw

INTERFACE, MAC, FORM, SOURCE, DESTINATION, VIP = sys.argv[1:7]
MSS = int(sys.argv[7]) if len(sys.argv) > 7 else None
TIMESTAMPS = 12  # bytes of options in every segment, which the kernel subtracts
CLIENT = "2001:db8:c::7" if ":" in VIP else "198.51.100.7"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x0001, 0x1000


def encapsulate(inner, ether):
    protocol = 4 if inner[0] >> 4 == 4 else 41
    outer = IPv6(src=SOURCE, dst=DESTINATION) if ":" in SOURCE else IP(src=SOURCE, dst=DESTINATION, flags="DF")
    if FORM == "gue":
        header = struct.pack("!BBHHBB", 1, protocol, 0, 0, 0, 0)
        return raw(ether / outer / UDP(sport=50000, dport=6080, chksum=0) / Raw(header + inner))
    if ":" in SOURCE:
        outer.nh = protocol
    else:
        outer.proto = protocol
    return raw(ether / outer / Raw(inner))


def pump(tun):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((INTERFACE, 0))
    ether = Ether(src=wire.getsockname()[4], dst=MAC)
    vip = socket.inet_pton(socket.AF_INET6 if ":" in VIP else socket.AF_INET, VIP)
    at = 24 if ":" in VIP else 16
    while True:
        packet = os.read(tun, 65536)
        if packet[at:at + len(vip)] == vip:  # the kernel also looks for IPv6 routers here
            wire.send(encapsulate(packet, ether))


def main():
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", b"tunnel", IFF_TUN | IFF_NO_PI))
    for command in (f"address add {CLIENT} dev tunnel" + (" nodad" if ":" in CLIENT else ""), "link set tunnel up",
                    f"route add {VIP} dev tunnel src {CLIENT}"):
        subprocess.run(["ip", *command.split()], check=True)
    threading.Thread(target=pump, args=(tun,), daemon=True).start()

    connection = http.client.HTTPConnection(VIP, 80, timeout=5)
    connection.connect()
    if MSS is not None:
        segment = connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        assert segment == MSS - TIMESTAMPS, f"MSS {segment + TIMESTAMPS}, not {MSS}"
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"x" * 100_000
    connection.request("POST", "/", b"y" * 50_000)
    assert connection.getresponse().read() == b"50000"
    connection.close()
    echo = socket.socket(socket.AF_INET6 if ":" in VIP else socket.AF_INET, socket.SOCK_DGRAM)
    echo.settimeout(5)
    for size in (0, 1, 1400):
        echo.sendto(b"z" * size, (VIP, 7))
        data, sender = echo.recvfrom(2000)
        assert data == b"z" * size and sender[:2] == (VIP, 7)


main()
