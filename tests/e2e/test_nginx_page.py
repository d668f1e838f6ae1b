"""What docs/nginx.md tells is done, with the paths of a machine in a folder: then nginx answers as the page shows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.shipped import substitute
from tests.e2e.counting import run_counting
from tests.e2e.daemons import ROOT
from tests.e2e.pages import Command, Shell, Step, follow, open_shell, read_steps
from tests.e2e.web import Authority, Certificate, Web, serving, write_nginx_conf
from tests.ports import find_port

PAGE = ROOT / "docs" / "nginx.md"

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """What stands for the root of a machine, with the project's nginx/ in the folder where the reader is."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        folder = Path(name)
        for path in ("etc/nginx/conf.d", "run/syslog-pipeline", "home"):
            (folder / path).mkdir(parents=True)
        (folder / "home" / "nginx").symlink_to(ROOT / "nginx")
        write_nginx_conf(folder, f"{folder}/etc/nginx/conf.d/*.conf", user="www-data" if os.geteuid() == 0 else None)
        yield folder


def read_section(heading: str, folder: Path, file: str) -> list[Step]:
    """Return what a section tells to do in the folder; the steps for root too, for the configuration `file`."""
    changes = (
        ("/etc/nginx/nginx.conf", f"{folder}/nginx.conf"),
        ("/etc/", f"{folder}/etc/"),
        ("basic-auth.conf", file),
    )

    def adapt(text: str) -> str:
        for old, new in changes:
            text = text.replace(old, new)
        return text

    steps = [step for step in read_steps(PAGE, heading) if isinstance(step, Command)]
    return [replace(step, text=adapt(step.text), shown=adapt(step.shown), for_root=False) for step in steps]


def adapt_configuration(folder: Path, port: int) -> None:
    """Have what has been copied name the folder, and a port that is free."""
    places = {"/etc/": f"{folder}/etc/", "listen 9443": f"listen 127.0.0.1:{port}", "[::]:9443": f"[::1]:{port}"}
    server = folder / "etc/nginx/conf.d/syslog-pipeline.conf"
    locations = folder / "etc/nginx/snippets/syslog-pipeline.conf"
    run = {"/run/": f"{folder}/run/"}
    server.write_text(substitute(server.read_text(), places | run, server.name))
    locations.write_text(substitute(locations.read_text(), run, locations.name))


def prepare_shell(shell: Shell, folder: Path, port: int) -> None:
    """Have the programs that the page names work in the folder, and who is not root keep his group."""
    follow(
        [
            Command(f'nginx() {{ command nginx -p {folder}/ -e nginx.err -c nginx.conf "$@"; }}\n', ""),
            Command(
                "curl() { command curl --silent --show-error "
                f'--connect-to loghost.example.com:9443:127.0.0.1:{port} "$@"; }}\n',
                "",
            ),
            Command('chgrp() { test $UID != 0 || command chgrp "$@"; }\n', ""),
        ],
        shell,
    )


@pytest.mark.parametrize(
    ("file", "heading"), [("basic-auth.conf", "A password"), ("client-certificate.conf", "Certificates for clients")]
)
def test_page_leads_to_an_answer(folder: Path, file: str, heading: str) -> None:
    """Files copied, certificates signed, a password made; nginx runs as on Debian, and the socket has its group."""
    port, run = find_port(), folder / "run/syslog-pipeline"
    folder.chmod(0o755)
    rights = ("--unix_socket_group", "www-data") if os.geteuid() == 0 else ()
    *copy, check = read_section("Which file", folder, file)
    *make, ask = read_section(heading, folder, file)
    tls = folder / "home"
    web = Web(folder, port, Authority(Certificate(tls / "ca.crt", tls / "ca.key")))
    with open_shell(folder / "home") as shell:
        prepare_shell(shell, folder, port)
        follow(copy, shell)
        adapt_configuration(folder, port)
        follow([*read_section("A certificate for the server", folder, file), *make], shell)
        with run_counting(run, "--logs", f"{run}/log.fifo", *rights), serving(web):
            follow([check, ask], shell)
            with pytest.raises(AssertionError, match=r"<title>40[01] "):
                follow([strip_credentials(ask)], shell)
    assert [path.stat().st_mode & 0o077 for path in folder.rglob("*.key")] == [0] * len(list(folder.rglob("*.key")))


def strip_credentials(ask: Step) -> Command:
    """Return the request of one who has neither password nor certificate."""
    assert isinstance(ask, Command)
    words = ask.text.split()
    kept = [*words[:3], words[-1]]
    assert kept[:2] == ["curl", "--cacert"]
    return replace(ask, text=f"{' '.join(kept)}\n")
