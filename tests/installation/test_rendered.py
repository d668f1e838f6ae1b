"""The files as setup writes them: as they are shipped where nothing has to differ, and good for the real programs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from pipeline.installation.choices import WAYS
from tests.e2e.daemons import DAEMON_PATH, SYSLOG_NG
from tests.e2e.syslog_ng import make_environment
from tests.installation.roots import install, make_root, write

ROOT = Path(__file__).parents[2]
DAEMONS = ("rsyslog", "syslog-ng")

SNIPPETS = {
    "rsyslog": "etc/rsyslog.d/60-syslog-pipeline.conf",
    "syslog-ng": "etc/syslog-ng/conf.d/syslog-pipeline.conf",
}
INSTANCES = {
    "rsyslog": ("etc/rsyslog.d/70-syslog-pipeline.conf", "etc/rsyslog.d/60-syslog-pipeline@{}.conf"),
    "syslog-ng": ("etc/syslog-ng/conf.d/syslog-pipeline.conf", "etc/syslog-ng/conf.d/syslog-pipeline@{}.conf"),
}
ALL_WAYS = [(daemon, way) for way, files in WAYS.items() for daemon in files]


def read_shipped(name: str) -> str:
    """Return a file as it is shipped."""
    return (ROOT / name).read_text()


@pytest.mark.parametrize(("daemon", "way"), ALL_WAYS)
def test_each_way_is_as_it_is_shipped(tmp_path: Path, daemon: str, way: str) -> None:
    """On a machine as most are, without nginx."""
    root = make_root(tmp_path, daemon)
    install(root, "--way", way)
    assert (root / SNIPPETS[daemon]).read_text() == read_shipped(WAYS[way][daemon])


@pytest.mark.parametrize("daemon", DAEMONS)
def test_four_instances_are_as_they_are_shipped(tmp_path: Path, daemon: str) -> None:
    """The files for each are those that the shipped one tells to make."""
    root = make_root(tmp_path, daemon)
    install(root, "--instances", "4")
    spread, instance = INSTANCES[daemon]
    shipped = read_shipped(f"{daemon}/instance.conf")
    assert (root / spread).read_text() == read_shipped(f"{daemon}/spread.conf")
    for number in (1, 2, 3, 4):
        assert (root / instance.format(number)).read_text() == re.sub("@1", f"@{number}", shipped)
    assert not (root / instance.format(5)).exists()
    for unit in ("syslog-pipeline@.service", "syslog-pipeline@.socket"):
        assert (root / "etc/systemd/system" / unit).read_text() == read_shipped(f"systemd/{unit}")
    assert not (root / "etc/systemd/system/syslog-pipeline.service").exists()


@pytest.mark.parametrize("kind", ["basic-auth", "client-certificate"])
def test_nginx_is_as_it_is_shipped(tmp_path: Path, kind: str) -> None:
    """On Debian."""
    root = make_root(tmp_path, "rsyslog", "nginx")
    install(root, "--nginx", kind, "--instances", "2")
    assert (root / "etc/nginx/conf.d/syslog-pipeline.conf").read_text() == read_shipped(f"nginx/{kind}.conf")
    assert (root / "etc/nginx/snippets/syslog-pipeline.conf").read_text() == read_shipped("nginx/locations.conf")
    unit = "syslog-pipeline-http@.socket"
    assert (root / "etc/systemd/system" / unit).read_text() == read_shipped(f"systemd/{unit}")


def move_below(root: Path, folder: str) -> None:
    """Have the files of a folder name the paths of the machine below `root`, as programs here cannot know of it."""
    for path in (root / folder).rglob("*.conf"):
        text = re.sub(r"(?<=[\s\"])/(?=etc/|run/|var/)", f"{root}/", path.read_text())
        path.write_text(text)


def check(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    """Run a program that checks its configuration, which it must accept; return what it says."""
    done = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **(environment or {}), "PATH": DAEMON_PATH},
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize(
    "flags", [*(("--way", way) for way, files in WAYS.items() if "rsyslog" in files), ("--instances", "9")]
)
def test_rsyslogd_accepts_its_files(tmp_path: Path, flags: tuple[str, str]) -> None:
    """With nothing to say about them."""
    root = make_root(tmp_path, "rsyslog", "nginx")
    install(root, *flags)
    write(root / "etc/rsyslog.conf", f'include(file="{root}/etc/rsyslog.d/*.conf")\n')
    said = check("rsyslogd", "-N1", "-f", root / "etc/rsyslog.conf")
    assert [line for line in said.splitlines() if "version" not in line] == [
        "rsyslogd: End of config validation run. Bye."
    ]
    if flags == ("--instances", "9"):
        assert "hash64mod($hostname, 9)" in (root / INSTANCES["rsyslog"][0]).read_text()


@pytest.mark.parametrize(
    "flags", [*(("--way", way) for way, files in WAYS.items() if "syslog-ng" in files), ("--instances", "9")]
)
def test_syslog_ng_accepts_its_files(tmp_path: Path, flags: tuple[str, str]) -> None:
    """With nothing to say about them."""
    root = make_root(tmp_path, "syslog-ng")
    install(root, *flags)
    move_below(root, "etc/syslog-ng")
    said = check(
        SYSLOG_NG / "usr/sbin/syslog-ng",
        "--syntax-only",
        "--cfgfile",
        root / "etc/syslog-ng/syslog-ng.conf",
        environment=make_environment(),
    )
    # The group is made by systemd-sysusers, which the next steps name first.
    assert [line for line in said.splitlines() if "resolving group; group='syslog-pipeline'" not in line] == []
    if flags == ("--instances", "9"):
        spread = (root / INSTANCES["syslog-ng"][0]).read_text()
        assert spread.count("d_syslog_pipeline@") == 9
        assert "0 6) 9)))" in spread


@pytest.mark.parametrize("kind", ["basic-auth", "client-certificate"])
def test_nginx_accepts_its_files(tmp_path: Path, kind: str) -> None:
    """When the operator has made what setup asks for, by the command that it prints where it knows one."""
    root = make_root(tmp_path, "rsyslog", "nginx")
    told = install(root, "--nginx", kind).stdout
    commands = re.findall(r"^    (mkdir .*openssl req .*|password=.*openssl passwd .*)$", told, re.MULTILINE)
    assert len(commands) == (2 if kind == "basic-auth" else 1)
    for command in commands:
        here = command.replace("/etc/", f"{root}/etc/")
        # Two passwords that differ, for instance, make no file: setup would not ask again.
        subprocess.run(["sh", "-c", here.replace("openssl passwd -6", "false")], check=False)
        assert not (root / "etc/syslog-pipeline/passwords").exists()
        check("sh", "-c", here.replace("openssl passwd -6", "openssl passwd -6 secret"))
    tls = root / "etc/syslog-pipeline/tls"
    if kind == "client-certificate":
        assert "/etc/syslog-pipeline/tls/ca.crt is missing: " in told
        (tls / "ca.crt").write_bytes((tls / "server.crt").read_bytes())
    assert "is missing" not in install(root).stdout
    move_below(root, "etc/nginx")
    options = f"error_log stderr; pid {root}/nginx.pid;"
    nginx = (root / "etc/nginx/nginx.conf").read_text()
    (root / "etc/nginx/nginx.conf").write_text(nginx.replace("http {", f"http {{ client_body_temp_path {root}/body;"))
    said = check("nginx", "-t", "-p", root, "-c", root / "etc/nginx/nginx.conf", "-g", options)
    assert "syntax is ok" in said
    assert "test is successful" in said
