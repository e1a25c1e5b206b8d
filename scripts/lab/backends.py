"""What a backend serves: nginx on port 80 and the echo (UDP and TCP) on port 7, on every address it has."""
from __future__ import annotations

import os
import signal

from .system import BUILD, LOGS, RUN, LabError, pid_of, run, spawn, wait_until
from .topology import BACKENDS, CLIENT, Host

PROXY_PORT = 8080
LARGE_BYTES = 65536  # of the pattern that penstock-traffic checks
# Of the pattern that penstock-flows checks (tests/traffic/pattern.h), paced so that a download takes about a minute.
DOWNLOAD_BYTES = 1 << 21
_DOWNLOAD_RATE = "32k"


def start_services(h: Host) -> None:
    start_nginx(h)
    start_echo(h)


def start_echo(h: Host) -> None:
    echo = BUILD / "tests/penstock-echo"
    if not echo.exists():
        raise LabError(f"{echo} is missing: build first (scripts/demo.sh and scripts/test.sh do)", 69)
    spawn(f"{h.name}-echo", [str(echo), h.name], ns=h.namespace)


def wait_for_services() -> None:
    for h in BACKENDS:
        wait_until(f"nginx and the echo server of {h.name}", lambda h=h: _listening(h), 10,
                   alive=[f"{h.name}-nginx", f"{h.name}-echo"])


def start_nginx(h: Host) -> None:
    folder = RUN / "nginx" / h.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "large").write_text("0123456789abcdef" * (LARGE_BYTES // 16))
    (folder / "download").write_text("".join(f"{line:015x}\n" for line in range(DOWNLOAD_BYTES // 16)))
    config = folder / "nginx.conf"
    config.write_text(f"""\
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 1000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  add_header X-Backend {h.name} always;
  server {{
    listen 80;
    listen [::]:80;
    location = / {{ return 200 "{h.name}\\n"; }}
    location = /large {{ root {folder}; }}
    location = /download {{ root {folder}; limit_rate {_DOWNLOAD_RATE}; }}
  }}
  server {{
    # For NAT services: tells which client the PROXY protocol named, and who the connection came from.
    listen {PROXY_PORT} proxy_protocol;
    listen [::]:{PROXY_PORT} proxy_protocol;
    location = / {{ return 200 "{h.name} $proxy_protocol_addr $remote_addr\n"; }}
    location = /large {{ root {folder}; }}
  }}
}}
""")
    spawn(f"{h.name}-nginx", ["nginx", "-e", str(LOGS / f"{h.name}-nginx.log"), "-c", str(config)], ns=h.namespace)


def restart_nginx(h: Host) -> None:
    """The polite way: nginx ends when its connections have, a new one starts."""
    name = f"{h.name}-nginx"
    pid = pid_of(name)
    if pid is not None:
        os.kill(pid, signal.SIGQUIT)
        wait_until(f"{name} to end", lambda: pid_of(name) is None, 10)
    start_nginx(h)
    wait_until(f"nginx of {h.name} to listen again", lambda: _listening(h), 10, alive=[name])


def open_connections(h: Host) -> int:
    """TCP connections to port 80 that are established at both ends.

    A connection that a gateway's death broke stays established at a backend that was never told; the client's
    side knows better.
    """
    at_client = set(_established(CLIENT, ["dport", "=", ":80"], column=2))
    return sum(1 for peer in _established(h, ["sport", "=", ":80"], column=3) if peer in at_client)


def _established(h: Host, ports: list[str], *, column: int) -> list[str]:
    """Local (2) or peer (3) ADDRESS:PORT of established TCP connections."""
    out = run(["ss", "-Htn", "state", "established", *ports], ns=h.namespace)
    return [line.split()[column] for line in out.splitlines()]


def _listening(h: Host) -> bool:
    tcp = run(["ss", "-Htln", "sport", "=", ":80"], ns=h.namespace).splitlines()
    echo = run(["ss", "-Huln", "sport", "=", ":7"], ns=h.namespace).splitlines()
    echo += run(["ss", "-Htln", "sport", "=", ":7"], ns=h.namespace).splitlines()
    return len(tcp) >= 2 and len(echo) >= 4
