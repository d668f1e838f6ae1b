"""What setup finds on a machine, and what it makes of a machine that is not as most."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.installation.choices import make_choices
from pipeline.installation.machine import Program, find_systemd, look_at_machine
from pipeline.installation.plan import plan_files
from pipeline.settings import SetupSettings
from tests.installation.roots import install, make_root, read_tree, setup, write

UNITS = "etc/systemd/system"


def read_changed_lines(path: Path, shipped: str) -> set[str]:
    """Return the lines of a file that the shipped one lacks."""
    text = (Path(__file__).parents[2] / shipped).read_text()
    return set(path.read_text().splitlines()) - set(text.splitlines())


def test_versions_are_asked_on_the_machine_itself() -> None:
    """Those of the real programs of this one."""
    machine = look_at_machine(Path("/"))
    for program in (machine.rsyslog, machine.nginx, machine.systemd):
        assert program is not None
        assert program.version[:1].isdecimal()


def test_nothing_of_an_image_is_run(tmp_path: Path) -> None:
    """It may be another machine's, or a stranger's."""
    root = make_root(tmp_path, "rsyslog", "nginx")
    for name in ("rsyslogd", "nginx"):
        write(root / "usr/sbin" / name, f"#!/bin/sh\necho 1.0\ntouch {root}/was-run\n")
        (root / "usr/sbin" / name).chmod(0o755)
    assert setup(root).exit_code == 0
    assert not (root / "was-run").exists()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/rsyslog.conf", "$PrivDropToUser syslog\n$PrivDropToGroup syslog\n$IncludeConfig /etc/rsyslog.d/*.conf\n"),
        ("etc/rsyslog.d/01-user.conf", 'global(privdrop.user.name="syslog")\n'),
        ("usr/lib/systemd/system/rsyslog.service", "[Service]\nUser=syslog\n"),
        ("etc/systemd/system/rsyslog.service.d/user.conf", "[Service]\nUser=syslog\n"),
    ],
)
def test_user_of_rsyslog_joins_the_group_of_the_pipe(tmp_path: Path, path: str, text: str) -> None:
    """However it is told to run as one."""
    root = make_root(tmp_path, "rsyslog")
    write(root / path, text)
    told = install(root).stdout
    assert "rsyslog (user syslog)" in told
    users = (root / "etc/sysusers.d/syslog-pipeline.conf").read_text()
    assert users.endswith('\nu syslog-pipeline - "syslog-pipeline"\nm syslog syslog-pipeline\n')


@pytest.mark.parametrize(
    ("line", "group"),
    [("user nginx;", "nginx"), ("user nginx metrics;", "metrics"), ("# user www-data;", "nogroup")],
)
def test_group_of_nginx_may_scrape(tmp_path: Path, line: str, group: str) -> None:
    """By the name that it has on this machine."""
    root = make_root(tmp_path, "rsyslog", "nginx")
    write(root / "etc/nginx/nginx.conf", f"{line}\nhttp {{ include /etc/nginx/conf.d/*.conf; }}\n")
    install(root)
    changed = read_changed_lines(root / UNITS / "syslog-pipeline-http.socket", "systemd/syslog-pipeline-http.socket")
    assert changed == {f"SocketGroup={group}"}


def test_without_nginx_our_own_group_may_scrape(tmp_path: Path) -> None:
    """systemd would not make a socket for a group that there is not."""
    root = make_root(tmp_path, "rsyslog")
    install(root)
    changed = read_changed_lines(root / UNITS / "syslog-pipeline-http.socket", "systemd/syslog-pipeline-http.socket")
    assert changed == {"SocketGroup=syslog-pipeline"}


def test_command_may_be_elsewhere(tmp_path: Path) -> None:
    """In a virtual environment, say. What is to be typed is its path."""
    root = make_root(tmp_path, "rsyslog")
    (root / "usr/bin/syslog-pipeline").unlink()
    write(root / "opt/syslog-pipeline/bin/syslog-pipeline", "")
    told = install(root).stdout
    changed = read_changed_lines(root / UNITS / "syslog-pipeline.service", "systemd/syslog-pipeline.service")
    assert len(changed) == 1
    assert changed.pop().startswith("ExecStart=/opt/syslog-pipeline/bin/syslog-pipeline run ")
    assert told.endswith("    /opt/syslog-pipeline/bin/syslog-pipeline doctor\n")


def test_missing_command_is_a_warning(tmp_path: Path) -> None:
    """It may be installed later."""
    root = make_root(tmp_path, "rsyslog")
    (root / "usr/bin/syslog-pipeline").unlink()
    told = install(root).stdout
    assert f"Warning: There is no /usr/bin/syslog-pipeline below {root} yet: install syslog-pipeline there.\n" in told


def test_command_that_the_service_cannot_see_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The units hide the homes."""
    root = make_root(tmp_path, "rsyslog")
    write(root / "home/me/.venv/bin/syslog-pipeline", "")
    monkeypatch.setattr("sys.argv", [str(root / "home/me/.venv/bin/syslog-pipeline")])
    told = install(root).stdout
    assert (
        "Warning: The units keep /home/me/.venv/bin/syslog-pipeline out of the service's sight: install "
        "syslog-pipeline and its Python elsewhere, for example in /opt/syslog-pipeline.\n"
    ) in told


@pytest.mark.parametrize("folder", ["opt/my tools", "opt/100%", "opt/$HOME"])
def test_command_that_a_unit_cannot_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """It would start something else, or nothing."""
    root = make_root(tmp_path / "root", "rsyslog")
    write(root / folder / "syslog-pipeline", "")
    monkeypatch.setattr("sys.argv", [str(root / folder / "syslog-pipeline")])
    result = setup(root)
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: Install syslog-pipeline at a path without blanks and special signs, not {root}/{folder}/"
        "syslog-pipeline.\n",
    )


def test_python_of_the_machine_itself_must_be_seen_too() -> None:
    """A link in /usr/bin may lead to a virtual environment, and that to a Python, which may be in somebody's home."""
    machine = look_at_machine(Path("/"))
    assert machine.needed[-1] == str(Path(sys.executable).resolve())
    assert Path(machine.needed[0]).name == "syslog-pipeline"


def test_nginx_listens_on_no_address_that_the_kernel_does_not_have(tmp_path: Path) -> None:
    """It would not start."""
    machine = replace(look_at_machine(make_root(tmp_path, "rsyslog", "nginx")), has_ipv6=False)
    choices = make_choices(SetupSettings(), None, machine, ["doctor"])
    texts = {file.path: file.text for file in plan_files(choices, machine)}
    lines = [line.strip() for line in texts["/etc/nginx/conf.d/syslog-pipeline.conf"].splitlines()]
    assert [line for line in lines if line.startswith("listen ")] == ["listen 9443 ssl;"]


def test_machine_without_systemd_is_a_warning(tmp_path: Path) -> None:
    """The units are written all the same."""
    root = make_root(tmp_path, "rsyslog")
    (root / "usr/lib/systemd/systemd").unlink()
    assert find_systemd(root) is None
    assert f"Warning: There is no systemd below {root}, which the units are for.\n" in install(root).stdout


def test_folders_are_those_that_the_programs_include(tmp_path: Path) -> None:
    """Not where Debian has them."""
    root = make_root(tmp_path, "syslog-ng", "nginx")
    write(
        root / "etc/syslog-ng/syslog-ng.conf", '@version: 4.1\nsource s_sys { system(); };\n@include "/etc/s/*.conf"\n'
    )
    write(root / "etc/nginx/nginx.conf", "user nginx;\nhttp {\n  include /etc/nginx/http.d/*.conf;\n}\n")
    for folder in ("etc/s", "etc/nginx/http.d"):
        (root / folder).mkdir(parents=True)
    install(root)
    assert "source(s_sys)" in (root / "etc/s/syslog-pipeline.conf").read_text()
    assert (root / "etc/nginx/http.d/syslog-pipeline.conf").exists()


def test_rsyslog_may_include_in_either_syntax(tmp_path: Path) -> None:
    """In that of before, and in RainerScript."""
    root = make_root(tmp_path, "rsyslog")
    write(root / "etc/rsyslog.conf", 'include(file="/etc/more/*.conf" mode="optional")\n')
    (root / "etc/more").mkdir()
    install(root)
    assert (root / "etc/more/60-syslog-pipeline.conf").exists()


def test_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """The daemon would not read what setup writes there."""
    root = make_root(tmp_path, "rsyslog")
    for path in (root / "etc/rsyslog.d/.keep", root / "etc/rsyslog.d"):
        path.unlink() if path.is_file() else path.rmdir()
    before = read_tree(root)
    result = setup(root, "--install")
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: rsyslog is installed, but its folder /etc/rsyslog.d is missing below {root}: make it, and see that "
        "rsyslog includes it.\n",
    )
    assert read_tree(root) == before


def test_program_is_told_in_a_phrase() -> None:
    """Its version if it is known, and its user if it is not root."""
    assert Program(path="/p", version="1.2", user="u").describe("p") == "p 1.2 (user u)"
    assert Program(path="/p").describe("p") == "p"
