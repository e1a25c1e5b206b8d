"""Asks DNS servers for the TXT record of NAME, each query from a socket of its own; prints {"ADDRESS": {"TEXT": n}}.

    dns_client.py NAME QUERIES ADDRESS...       runs in the client's namespace; "lost" counts queries without an answer
"""
from __future__ import annotations

import json
import random
import socket
import struct
import sys
from collections import Counter

_TXT, _IN = 16, 1
_SECONDS = 1.0  # a lost datagram is a failure here, so nothing is asked again


def ask(name: str, server: str) -> str:
    """The record's text, or "lost"; raises ValueError on an answer that is none."""
    identity = random.getrandbits(16)
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    query = struct.pack("!6H", identity, 0x0100, 1, 0, 0, 0) + question + struct.pack("!2H", _TXT, _IN)
    with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(_SECONDS)
        s.connect((server, 53))  # an answer from another address is no answer
        s.send(query)
        try:
            answer = s.recv(512)
        except OSError:
            return "lost"
    if len(answer) < len(query) + 13 or struct.unpack("!H", answer[:2])[0] != identity or answer[3] & 15 != 0:
        raise ValueError(f"{server} answered {answer.hex()}")
    at = len(query) + 12  # behind the name's pointer, type, class, TTL and length
    return answer[at + 1:at + 1 + answer[at]].decode()


def main() -> None:
    name, queries, servers = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    print(json.dumps({s: Counter(ask(name, s) for _ in range(queries)) for s in servers}))


main()
