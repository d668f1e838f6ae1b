"""Which program sees which source."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.bindings import Bindings

PROGRAMS = ("sshd.mtail", "cron.mtail")
SOURCES = ("/run/log.fifo", "unix:///run/x.sock", "/var/log/auth*.log")


def admits(text: str, program: str, origin: str) -> bool:
    """Return whether one binding, written as on a command line, lets a program see an origin."""
    name, _, source = text.partition("=")
    return Bindings([(name, source)]).admit(program, origin.encode())


@pytest.mark.parametrize(
    ("binding", "origin"),
    [
        ("sshd.mtail=/run/log.fifo", "/run/log.fifo"),
        ("sshd=/run/log.fifo", "/run/log.fifo"),
        ("ssh*=/run/log.fifo", "/run/log.fifo"),
        ("s?hd.mtail=/run/*", "/run/deep/log.fifo"),
        ("[st]shd=unix://*", "unix:///run/x.sock"),
        ("sshd=/run/../run/./log.fifo", "/run/log.fifo"),
        ("sshd=file:///run/log.fifo", "/run/log.fifo"),
        ("sshd=unix:///run//x.sock", "unix:///run/x.sock"),
        ("sshd=unix://@name", "unix://@name"),
        ("sshd=-", "/dev/stdin"),
        ("sshd=/dev/stdin", "-"),
        ("sshd=tcp://127.0.0.1:514", "tcp://127.0.0.1:514"),
        ("sshd=journal://?_SYSTEMD_UNIT=ssh.service", "journal://?_SYSTEMD_UNIT=ssh.service"),
    ],
)
def test_bound_program_sees_what_the_binding_names(binding: str, origin: str) -> None:
    """Names and patterns, with or without the ending, however a path is written."""
    assert admits(binding, "sshd.mtail", origin)


@pytest.mark.parametrize(
    ("binding", "origin"),
    [
        ("sshd=/run/log.fifo", "/run/log.fifo2"),
        ("sshd=unix://*", "unixgram:///run/x.sock"),
        ("sshd=/var/log/*", "unix:///var/log/x"),
        ("sshd=log.fifo", "/run/log.fifo"),
        ("SSHD*=/run/log.fifo,sshd=-", "/run/log.fifo"),
    ],
)
def test_bound_program_sees_nothing_else(binding: str, origin: str) -> None:
    """A name is a whole name."""
    pairs = [tuple(pair.split("=", 1)) for pair in binding.split(",")]
    assert not Bindings([(name, source) for name, source in pairs]).admit("sshd.mtail", origin.encode())


def test_program_without_a_binding_sees_everything() -> None:
    """However the others are bound."""
    assert admits("sshd=/run/log.fifo", "cron.mtail", "-")


def test_several_bindings_add_up() -> None:
    """A program sees whatever one of them names."""
    bindings = Bindings([("sshd", "/a"), ("*", "/b")])
    assert [bindings.admit("sshd.mtail", origin) for origin in (b"/a", b"/b", b"/c")] == [True, True, False]
    assert [bindings.admit("cron.mtail", origin) for origin in (b"/a", b"/b", b"/c")] == [False, True, False]
    assert bindings.find_sources("sshd.mtail") == ("/a", "/b")


def test_relative_path_is_that_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in --logs."""
    monkeypatch.chdir(tmp_path)
    assert admits("sshd=logs/*.log", "sshd.mtail", f"{tmp_path}/logs/a.log")
    assert admits("sshd=unix://x.sock", "sshd.mtail", f"unix://{tmp_path}/x.sock")


def test_item_of_logs_stands_for_all_that_comes_from_it() -> None:
    """Also where its name says nothing about them."""
    origins = {"fd://log": [b"/run/log.fifo", b"/run/log2.fifo"]}
    bindings = Bindings([("sshd", "fd://log")], lambda item: origins.get(item, []))
    assert [bindings.admit("sshd.mtail", origin) for origin in (b"/run/log2.fifo", b"/run/log3.fifo")] == [True, False]


def test_origin_that_is_not_utf8_can_be_matched() -> None:
    """A file's name may hold any bytes."""
    assert Bindings([("sshd", "/log/*")]).admit("sshd.mtail", b"/log/\xff")


@pytest.mark.parametrize(
    ("program", "source"),
    [
        ("sshd.mtail", "/run/log.fifo"),
        ("sshd", "unix://*"),
        ("c*", "/run/./log.fifo"),
        ("cron", "/var/log/auth*.log"),
        ("cron", "/var/log/auth-1.log"),
        ("cron", "/var/*"),
        ("cron", "/var/log/auth?1*"),
    ],
)
def test_binding_that_may_serve_is_not_reported(program: str, source: str) -> None:
    """Of two patterns it is only known how they begin."""
    assert Bindings([(program, source)]).describe_unmatched(PROGRAMS, SOURCES) == []


def test_pattern_in_logs_is_read_as_there() -> None:
    """With a backslash in it, only its beginning is compared."""
    bindings = Bindings([("sshd", "/log/b1"), ("sshd", "/log/a1")])
    assert len(bindings.describe_unmatched(PROGRAMS, ["/log/[^a]?"])) == 1
    assert bindings.describe_unmatched(PROGRAMS, ["/log/\\[?"]) == []


@pytest.mark.parametrize(
    ("program", "source", "problem"),
    [
        (
            "ssdh.mtail",
            "/run/log.fifo",
            "The binding of ssdh.mtail to /run/log.fifo does nothing: no program is called ssdh.mtail. "
            "Did you mean sshd.mtail? Programs are looked for again at a reload.",
        ),
        (
            "ssdh",
            "/run/log.fifo",
            "The binding of ssdh to /run/log.fifo does nothing: no program is called ssdh. "
            "Did you mean sshd? Programs are looked for again at a reload.",
        ),
        (
            "sshd",
            "unix:///run/y.sock",
            "The binding of sshd to unix:///run/y.sock lets no line through: nothing that --logs names is called "
            "unix:///run/y.sock. Did you mean unix:///run/x.sock? It stays so until the next start.",
        ),
        (
            "sshd",
            "/tmp/q",
            "The binding of sshd to /tmp/q lets no line through: nothing that --logs names is called /tmp/q. "
            "It stays so until the next start.",
        ),
        (
            "sshd",
            "/tmp/*",
            "The binding of sshd to /tmp/* lets no line through: nothing that --logs names is called /tmp/*. "
            "It stays so until the next start.",
        ),
    ],
)
def test_name_that_is_nowhere_is_reported(program: str, source: str, problem: str) -> None:
    """With the nearest name that there is."""
    assert Bindings([(program, source)]).describe_unmatched(PROGRAMS, SOURCES) == [problem]
