"""The real nginx before our daemon, with the configuration that users copy, and what it needs of certificates."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx

from pipeline.shipped import render_shipped
from tests.e2e.daemons import DEADLINE_SECONDS, is_open, running
from tests.ports import find_port

BASIC_AUTH = "nginx/basic-auth.conf"
CLIENT_CERTIFICATE = "nginx/client-certificate.conf"
LOCATIONS = "nginx/locations.conf"

USER, PASSWORD = "prometheus", "correct horse"
"""Who is let in by the password file."""

AUTHORIZATION = f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
"""The header that says so."""

FAST = "1000r/s"
"""Tests ask oftener than the shipped limit allows: they wait for something."""

CONNECTIONS = 64
"""How many nginx has at a time, to clients and to our daemon together."""

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

NGINX_CONF = """
{user}
pid nginx.pid;
worker_processes 1;
events {{ worker_connections {connections}; }}
http {{
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include {include};
}}
"""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate, and its private key."""

    file: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority of certificates in a folder of its own."""

    root: Certificate

    def sign(self, name: str, usage: str, *extensions: str, days: int = 2) -> Certificate:
        """Make the certificate `name`, good for `usage`: `serverAuth` or `clientAuth`. One of -1 days has expired."""
        folder = self.root.file.parent
        made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
        request, options = folder / f"{name}.csr", folder / f"{name}.extensions"
        lines = ("basicConstraints=critical,CA:FALSE", f"extendedKeyUsage={usage}", *extensions)
        options.write_text("".join(f"{line}\n" for line in lines))
        run_openssl("req", "-new", *NEW_KEY, "-subj", f"/CN={name}", "-keyout", made.key, "-out", request)
        signer = ("-CA", self.root.file, "-CAkey", self.root.key)
        run_openssl("x509", "-req", "-in", request, *signer, "-days", str(days), "-extfile", options, "-out", made.file)
        return made


def make_authority(folder: Path, name: str = "ca") -> Authority:
    """Make an authority, whose files are in `folder`, as are those of the certificates that it signs."""
    folder.mkdir(exist_ok=True)
    root = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    run_openssl(
        "req", "-x509", *NEW_KEY, "-days", "2", "-subj", f"/CN={name}", *usage, "-keyout", root.key, "-out", root.file
    )
    return Authority(root)


def run_openssl(*arguments: str | Path) -> None:
    """Run openssl, which tells only what goes wrong."""
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@dataclass(frozen=True)
class Web:
    """nginx at work: where it listens, and what a client needs to be let in."""

    folder: Path
    """Where its files are; below it stands what is below /etc/syslog-pipeline of a machine."""
    port: int
    authority: Authority
    """Which signed the server's certificate, and the client's."""

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def ca_file(self) -> Path:
        """What a client trusts."""
        return self.authority.root.file

    @cached_property
    def client_certificate(self) -> Certificate:
        """One that is let in, made when it is asked for first."""
        return self.authority.sign("client", "clientAuth")

    @contextmanager
    def connect(
        self,
        *,
        auth: tuple[str, str] | None = (USER, PASSWORD),
        certificate: Certificate | None = None,
        ca_file: Path | None = None,
    ) -> Iterator[httpx.Client]:
        """Give a client that trusts our authority, and has the right password, unless it is said otherwise."""
        context = self.make_context(certificate, ca_file)
        with httpx.Client(
            base_url=self.url, verify=context, auth=auth, timeout=DEADLINE_SECONDS, trust_env=False
        ) as client:
            yield client

    def make_context(self, certificate: Certificate | None = None, ca_file: Path | None = None) -> ssl.SSLContext:
        """Return how a client does TLS."""
        context = ssl.create_default_context(cafile=str(ca_file or self.ca_file))
        if certificate is not None:
            context.load_cert_chain(certificate.file, certificate.key)
        return context


@contextmanager
def run_nginx(folder: Path, guard: str = BASIC_AUTH, *, rate: str = FAST, user: str | None = None) -> Iterator[Web]:
    """Run nginx before the sockets in `folder`, with new certificates and passwords.

    Each guard has a folder of its own there, so that both can run beside each other.
    """
    web = prepare_nginx(folder / Path(guard).stem)
    render_nginx(web, folder, guard, rate=rate, user=user)
    with serving(web):
        yield web


def prepare_nginx(folder: Path) -> Web:
    """Make the certificates and the password file where the configuration has them."""
    folder.mkdir()
    web = Web(folder, find_port(), make_authority(folder / "tls"))
    web.authority.sign("server", "serverAuth", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1")
    (folder / "passwords").write_text(f"{USER}:{hash_password(PASSWORD)}\n")
    return web


def hash_password(password: str) -> str:
    """Return what stands for a password in a password file."""
    command = ["openssl", "passwd", "-6", "-stdin"]
    return subprocess.run(command, input=password, text=True, check=True, capture_output=True).stdout.strip()


def render_nginx(web: Web, sockets: Path, guard: str, *, rate: str = FAST, user: str | None = None) -> None:
    """Write the configuration into the folder of `web`: that of `guard`, before what listens in `sockets`."""
    folder, locations = web.folder, web.folder / "locations.conf"
    run = {"/run/syslog-pipeline/": f"{sockets}/"}
    changes = {
        "/etc/nginx/snippets/syslog-pipeline.conf;": f"{locations};",
        "/etc/syslog-pipeline/": f"{folder}/",
        "listen 9443 ssl;": f"listen 127.0.0.1:{web.port} ssl;",
        "listen [::]:9443 ssl;": f"listen [::1]:{web.port} ssl;",
        "rate=20r/s": f"rate={rate}",
    }
    (folder / "syslog-pipeline.conf").write_text(render_shipped(guard, run | changes))
    locations.write_text(render_shipped(LOCATIONS, run))
    write_nginx_conf(folder, "syslog-pipeline.conf", user=user)


def write_nginx_conf(folder: Path, include: str, *, user: str | None = None) -> None:
    """Write what nginx needs around the file `include`, or several.

    As root, nginx would give up its rights, and with them the way into the folder of most tests.
    """
    user_line = f"user {user or 'root'};" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX_CONF.format(user=user_line, connections=CONNECTIONS, include=include))


def make_nginx_command(folder: Path, *options: str) -> list[str]:
    """Return the command that runs nginx with what was written into `folder`."""
    return ["nginx", "-p", f"{folder}/", "-e", "nginx.err", "-c", "nginx.conf", *options]


@contextmanager
def serving(web: Web) -> Iterator[None]:
    """Run nginx with what `render_nginx` wrote. When it has written its number, all is open, and signals are obeyed."""
    command = make_nginx_command(web.folder, "-g", "daemon off;")
    pid_file = web.folder / "nginx.pid"

    def is_ready() -> bool:
        return is_open(web.port) and pid_file.exists()

    with running(command, web.folder / "nginx.out", ready=is_ready, stop=signal.SIGQUIT):
        yield
