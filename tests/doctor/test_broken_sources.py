"""Deliberately broken between our settings and our metrics: the doctor names that one cause, and what mends it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline import __version__
from tests.doctor.chain import IMPATIENCE, Chain, copy_programs, find_holding, list_commands
from tests.e2e.daemons import wait_until


def test_settings_with_an_unknown_name(chain: Chain, tmp_path: Path) -> None:
    """The file of settings is read as the daemon reads it, and nothing else is blamed."""
    config = tmp_path / "settings.toml"
    config.write_text('program = "x"\n')
    told = chain.ask(config=config)
    told.assert_only("settings", f"{config}: the setting program is unknown.", f"editor {config}")


def test_settings_that_are_missing(chain: Chain, tmp_path: Path) -> None:
    """Without them it is not known what to look at."""
    told = chain.ask(config=tmp_path / "settings.toml")
    told.assert_only("settings", "The file of settings", "syslog-pipeline setup --install")


def test_program_that_cannot_be_compiled(chain: Chain, tmp_path: Path) -> None:
    """The place of its first mistake is named; the way of a line is not."""
    progs = copy_programs(tmp_path / "programs", "doctor")
    (progs / "bad.mtail").write_text("counter a\n/x/ {\n  a++\n  b++\n}\n")
    told = chain.ask(progs=progs)
    told.assert_only("programs", f"{progs}/bad.mtail:4:3: error:", f"syslog-pipeline check {progs}/bad.mtail")


def test_folder_without_programs(chain: Chain, tmp_path: Path) -> None:
    """Lines would be read, and nothing counted."""
    told = chain.ask(progs=tmp_path)
    assert told.failing == {"programs"}
    found = told.find("programs")
    assert found["what"] == f"There is no program (*.mtail) in {tmp_path}."
    (command,) = list_commands(found)
    subprocess.run(["sh", "-c", command], check=True)
    assert "programs" in chain.ask(progs=tmp_path).list_checks("ok")


def write_settings(chain: Chain, folder: Path) -> Path:
    """Write settings for a daemon of another folder, which does not run; return the file."""
    text = (chain.folder / "settings.toml").read_text()
    for name in ("log.fifo", "metrics.sock"):
        text = text.replace(f"{chain.folder}/{name}", f"{folder}/{name}")
    (folder / "settings.toml").write_text(text)
    return folder / "settings.toml"


def test_daemon_that_does_not_run(chain: Chain, tmp_path: Path) -> None:
    """The pipe that it would make, what it would count and what nginx would get are not blamed."""
    config = write_settings(chain, tmp_path)
    with chain.naming(tmp_path / "log.fifo"):
        told = chain.ask(config=config, nginx_config="/nowhere")
    told.assert_only("daemon", "The daemon does not run: there is no ", "systemctl start syslog-pipeline")


def test_http_socket_that_an_earlier_run_left(chain: Chain, tmp_path: Path) -> None:
    """A socket without a listener is no daemon."""
    config = write_settings(chain, tmp_path)
    path = tmp_path / "metrics.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with chain.naming(tmp_path / "log.fifo"):
        told = chain.ask(config=config, nginx_config="/nowhere")
    told.assert_only("daemon", f"The daemon does not run: {path} is left from an", "systemctl start syslog-pipeline")


def test_daemon_that_serves_elsewhere(chain: Chain, tmp_path: Path) -> None:
    """It runs with the settings, but not with this socket."""
    told = chain.ask(unix_socket=tmp_path / "metrics.sock", nginx_config="/nowhere")
    what = f"There is no {tmp_path}/metrics.sock, though syslog-pipeline (process {chain.daemon_pid}) runs."
    told.assert_only("daemon", what, "systemctl restart syslog-pipeline")


def test_daemon_that_was_stopped_before_a_full_pipe(chain: Chain) -> None:
    """A process that does nothing is told from one that is not there; the command goes to this process."""
    os.kill(chain.daemon_pid, signal.SIGSTOP)
    try:
        writer = os.open(chain.fifo, os.O_WRONLY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4095 + b"\n")
        os.close(writer)
        told = chain.ask(timeout=IMPATIENCE)
    finally:
        os.kill(chain.daemon_pid, signal.SIGCONT)
    pid = chain.daemon_pid
    told.assert_only("daemon", f"syslog-pipeline (process {pid}) has been stopped by a signal.", f"kill -CONT {pid}")


def test_daemon_of_another_version(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an upgrade the earlier one runs on until it is restarted."""
    monkeypatch.setattr("pipeline.doctor.checks.daemon.__version__", "99.0")
    told = chain.ask("--no-send")
    found = told.find("daemon", "warning")
    who = f"syslog-pipeline (process {chain.daemon_pid})"
    assert found["what"] == f"{who} runs in version {__version__}, and version 99.0 is installed."
    assert (told.failing, list_commands(found)) == (set(), ["systemctl restart syslog-pipeline"])


def test_pipe_that_is_missing(chain: Chain, tmp_path: Path) -> None:
    """The daemon runs, and the pipe of the settings is not there."""
    with chain.naming(tmp_path / "log.fifo") as fifo:
        told = chain.ask(logs=fifo)
    told.assert_only("sources", f"There is no {tmp_path}/log.fifo", "systemctl restart syslog-pipeline")


def test_plain_file_in_the_place_of_the_pipe(chain: Chain, tmp_path: Path) -> None:
    """As rsyslog makes it when it was there first."""
    path = tmp_path / "log.fifo"
    path.write_text("Nov 21 01:13:00 host sshd[1]: x\n")
    with chain.naming(path):
        told = chain.ask(logs=path)
    told.assert_only("sources", f"{path} is a plain file", f"rm {path}")


def test_pipe_that_nobody_reads(chain: Chain, tmp_path: Path) -> None:
    """The daemon that answers reads another one."""
    os.mkfifo(tmp_path / "log.fifo")
    with chain.naming(tmp_path / "log.fifo") as fifo:
        told = chain.ask(logs=fifo)
    told.assert_only("reader", f"Nobody reads {tmp_path}/log.fifo.", "systemctl restart syslog-pipeline")


def test_second_reader_of_the_pipe(chain: Chain) -> None:
    """It gets a part of the lines; its process and its command are named."""
    with subprocess.Popen(["cat", str(chain.fifo)], stdout=subprocess.DEVNULL) as thief:
        try:
            wait_until(lambda: thief.pid in find_holding(chain.fifo), "cat has opened it")
            told = chain.ask()
        finally:
            thief.kill()
    told.assert_only("reader", f"cat (process {thief.pid}) reads {chain.fifo} too: cat ", f"kill {thief.pid}")


def test_socket_for_lines_that_is_stale(chain: Chain, tmp_path: Path) -> None:
    """The daemon runs, and nobody listens on a socket of the settings."""
    path = tmp_path / "log.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        left.bind(str(path))
    told = chain.ask(logs=f"{chain.fifo},unixgram://{path}")
    told.assert_only("sources", f"Nobody listens on {path}.", "systemctl restart syslog-pipeline")


def test_program_that_fails_on_lines(chain: Chain, tmp_path: Path) -> None:
    """It is named, and is no failure of the way."""
    added = chain.progs / "failing.mtail"
    added.write_text('counter x\n/(?P<a>syslog-pipeline-doctor)/ {\n  strptime($a, "2006")\n  x++\n}\n')
    try:
        os.kill(chain.daemon_pid, signal.SIGHUP)
        told = chain.ask()
        wait_until(lambda: "failing.mtail" in str(chain.ask().findings), "the program is loaded and fails")
        told = chain.ask()
    finally:
        added.unlink()
        os.kill(chain.daemon_pid, signal.SIGHUP)
    assert (told.failing, told.status) == (set(), 0)
    assert str(told.find("work", "warning")["what"]).startswith("failing.mtail failed on ")


def test_units_that_are_missing_or_disabled(chain: Chain, tmp_path: Path) -> None:
    """Nothing would start the daemon when the machine starts."""
    root = tmp_path / "root"
    root.mkdir()
    chain.ask(root=root).assert_only(
        "units", "There is no unit syslog-pipeline.service.", f"syslog-pipeline setup --install --root {root}"
    )
    shutil.copytree(chain.folder / "root", root, symlinks=True, dirs_exist_ok=True)
    assert chain.ask(root=root).failing == set()
    subprocess.run(["systemctl", f"--root={root}", "-q", "disable", "syslog-pipeline-http.socket"], check=True)
    enable = f"systemctl --root {root} enable"
    chain.ask(root=root).assert_only(
        "units", "syslog-pipeline-http.socket is disabled.", f"{enable} syslog-pipeline-http.socket"
    )
    subprocess.run(["systemctl", f"--root={root}", "-q", "enable", "syslog-pipeline-http.socket"], check=True)
