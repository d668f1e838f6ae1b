"""Signals at the start of the daemon; in the process of this test."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline import __main__ as entry
from pipeline.cli import main
from pipeline.held_signals import HELD, hold_signals, release_signals


@pytest.fixture(autouse=True)
def mask() -> Iterator[None]:
    """Put the mask back."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def list_held() -> set[int]:
    """Return the signals that are held back now, of those that may be."""
    return {number for number in signal.pthread_sigmask(signal.SIG_BLOCK, ()) if number in HELD}


def test_signals_wait_until_they_are_released() -> None:
    """None is lost."""
    arrived: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: arrived.append(number))
    hold_signals()
    signal.raise_signal(signal.SIGUSR1)  # to this thread: a daemon that starts has no other
    assert arrived == []
    release_signals()
    signal.signal(signal.SIGUSR1, before)
    assert arrived == [signal.SIGUSR1]


@pytest.mark.parametrize(("arguments", "held"), [(["run"], set(HELD)), (["version"], set()), ([], set())])
def test_signals_are_held_before_a_daemon_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], held: set[int]
) -> None:
    """Other commands may be ended at any time. Here the daemon does not start, for want of programs."""
    monkeypatch.setattr(sys, "argv", ["syslog-pipeline", *arguments])
    with pytest.raises(SystemExit):
        entry.main()
    assert list_held() == held
    assert "syslog-pipeline" in "".join(capsys.readouterr())


@pytest.mark.parametrize("mode", ["--one_shot", "--compile_only"])
def test_signals_are_released_where_no_daemon_starts(tmp_path: Path, mode: str) -> None:
    """Whoever reads a large log may end that."""
    (tmp_path / "p.mtail").write_text("counter c\nc++\n")
    (tmp_path / "log").write_text("line\n")
    hold_signals()
    arguments = ["run", "--progs", f"{tmp_path}/p.mtail", "--logs", f"{tmp_path}/log", mode]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert list_held() == set()
