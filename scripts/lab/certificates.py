"""One CA and a certificate each for the control plane, gateways and nodes, made with openssl at lab up."""
from __future__ import annotations

from pathlib import Path

from .system import RUN, run
from .topology import BACKENDS, GATEWAYS, JOINING, JOINING_BACKENDS

FOLDER = RUN / "tls"
SERVER_NAME = "penstock-controlplane"  # what every client checks, whatever address it dialled


def create() -> None:
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    key, ca = FOLDER / "ca.key", FOLDER / "ca.crt"
    _new_key(key)
    run(["openssl", "req", "-x509", "-new", "-key", str(key), "-out", str(ca), "-days", "7", "-sha256",
         "-subj", "/CN=penstock-lab-ca", "-addext", "basicConstraints=critical,CA:TRUE",
         "-addext", "keyUsage=critical,keyCertSign,cRLSign"])
    _issue("controlplane", SERVER_NAME)
    for kind, hosts in (("gateway", [*GATEWAYS, JOINING]), ("node", [*BACKENDS, *JOINING_BACKENDS])):
        for host in hosts:
            _issue(host.name, f"{host.name}.{kind}.penstock")  # what the control plane expects of each


def flags(name: str) -> list[str]:
    return ["--tls-cert", str(FOLDER / f"{name}.crt"), "--tls-key", str(FOLDER / f"{name}.key"),
            "--tls-ca", str(FOLDER / "ca.crt")]


def _new_key(path: Path) -> None:
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(path)])
    path.chmod(0o600)


def _issue(name: str, subject: str) -> None:
    key, request, cert = (FOLDER / f"{name}.{suffix}" for suffix in ("key", "csr", "crt"))
    extensions = FOLDER / f"{name}.ext"
    _new_key(key)
    run(["openssl", "req", "-new", "-key", str(key), "-out", str(request), "-subj", f"/CN={subject}"])
    extensions.write_text(f"subjectAltName=DNS:{subject}\nextendedKeyUsage=serverAuth,clientAuth\n"
                          "keyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\n")
    run(["openssl", "x509", "-req", "-in", str(request), "-CA", str(FOLDER / "ca.crt"), "-CAkey",
         str(FOLDER / "ca.key"), "-CAcreateserial", "-out", str(cert), "-days", "7", "-sha256",
         "-extfile", str(extensions)])
