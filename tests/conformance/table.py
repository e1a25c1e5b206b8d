"""Collects the cases and writes the tables (table.proto)."""
import json
import re
import zlib
from dataclasses import dataclass, field

from scapy.all import raw


@dataclass
class Free:
    """Bits that the gateway chooses. `at` counts from the Ethernet header; zero in the expected frame."""
    name: str
    at: int
    mask: str
    checksums: list = field(default_factory=list)
    least: int = 0


@dataclass
class Fill:
    """A choice of the gateway, put into a frame that is sent: see table.proto."""
    flow: str
    name: str
    at: int
    checksums: list = field(default_factory=list)


@dataclass
class Sent:
    frame: bytes
    fill: list = field(default_factory=list)
    first_segment: int = 0


@dataclass
class Expected:
    any_of: list  # of frames
    flow: str = ""
    free: list = field(default_factory=list)


@dataclass
class Step:
    send: list
    expect: list
    outcomes: dict
    wait_ms: int = 0


_cases = []
_names = set()


def name_of(what: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", what).strip("_")


def number_of(what: str, least: int, most: int) -> int:
    """A number that belongs to a case: so that no two cases share a flow, in one process after the other."""
    return least + zlib.crc32(what.encode()) % (most - least + 1)


def steps_case(topic: str, what: str, gateway: str, steps: list, memory_only: bool = False) -> None:
    """A case of several steps: what is sent in one arrives before the next one is sent."""
    name = name_of(what)
    if (topic, name) in _names:
        raise ValueError(f"two cases are called {topic}/{name}")
    _names.add((topic, name))
    _cases.append({"topic": topic, "name": name, "what": what, "gateway": gateway, "memory_only": memory_only,
                   "steps": [_step(s) for s in steps]})


def case(topic: str, what: str, gateway: str, send: list, expect: list, outcome, memory_only: bool = False) -> None:
    """A case of one step. outcome: of all frames, or a dict of counts."""
    outcomes = outcome if isinstance(outcome, dict) else {outcome: len(send)}
    steps_case(topic, what, gateway, [Step(send, expect, outcomes)], memory_only)


def _step(step: Step) -> dict:
    return _lean({"wait_ms": step.wait_ms, "send": [_sent(s) for s in step.send],
                  "expect": [_expected(e) for e in step.expect], "outcomes": step.outcomes})


def _sent(one) -> dict:
    sent = one if isinstance(one, Sent) else Sent(one)
    return _lean({"frame": raw(sent.frame).hex(), "fill": [_lean(vars(f)) for f in sent.fill],
                  "first_segment": sent.first_segment})


def _expected(one) -> dict:
    expected = one if isinstance(one, Expected) else Expected([one])
    return _lean({"any_of": [raw(f).hex() for f in expected.any_of], "flow": expected.flow,
                  "free": [_lean(vars(f)) for f in expected.free]})


def _lean(fields: dict) -> dict:
    """Without what proto3 takes for granted."""
    return {key: value for key, value in fields.items() if value not in (0, "", [], False, {})}


def tables(gateways: list) -> dict:
    """File name -> text."""
    out = {"gateways.jsonl": "".join(json.dumps(g) + "\n" for g in gateways)}
    for one in _cases:
        name = one["topic"] + ".jsonl"
        out[name] = out.get(name, "") + json.dumps(_lean(one)) + "\n"
    return out


def counts() -> dict:
    out = {}
    for one in _cases:
        out[one["topic"]] = out.get(one["topic"], 0) + 1
    return out
