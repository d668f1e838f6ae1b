"""The file of settings: what is wrong with it is said with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config_file import read_config
from pipeline.errors import SettingError
from pipeline.flag_types import ACCOUNT, BINDINGS, BOOLEAN, DURATION, HEADERS, INTEGER, LABELS, LIFETIMES, MODE, SOURCES

TYPES = {
    "emit_prog_label": BOOLEAN,
    "poll_interval": DURATION,
    "max_line_bytes": INTEGER,
    "unix_socket_mode": MODE,
    "logs": SOURCES,
    "unix_socket_group": ACCOUNT,
    "bind": BINDINGS,
}


def test_values_are_converted(tmp_path: Path) -> None:
    """TOML has types of its own for some of them."""
    path = tmp_path / "c.toml"
    path.write_text(
        'emit-prog-label = false\npoll_interval = "1m"\nmax_line_bytes = 0x10\nunix_socket_mode = "0600"\n'
        'logs = ["a", "b"]\nunix_socket_group = "adm"\n'
    )
    assert read_config(path, TYPES) == {
        "emit_prog_label": False,
        "poll_interval": 60.0,
        "max_line_bytes": 16,
        "unix_socket_mode": 0o600,
        "logs": (("a", "b"),),
        "unix_socket_group": "adm",
    }


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ('[bind]\n"a.mtail" = ["x", "y,z"]\nb = "w"', [("a.mtail", "x"), ("a.mtail", "y,z"), ("b", "w")]),
        ('[bind]\na.b.mtail = "x"', [("a.b.mtail", "x")]),
        ('bind = ["a=x,y", "b=c=d"]', [("a", "x,y"), ("b", "c=d")]),
        ('bind = "a=x,b=y"', [("a", "x"), ("b", "y")]),
    ],
)
def test_bindings_are_a_table_or_as_on_a_command_line(text: str, pairs: list[object], tmp_path: Path) -> None:
    """In a table and in an array a comma is a comma; a program's name needs no quotes."""
    path = tmp_path / "c.toml"
    path.write_text(text)
    assert read_config(path, TYPES) == {"bind": (tuple(pairs),)}


def test_group_may_be_a_number(tmp_path: Path) -> None:
    """click converts what the file gives, and then it is as on the command line."""
    path = tmp_path / "c.toml"
    path.write_text("unix_socket_group = 4\n")
    assert ACCOUNT.convert(read_config(path, TYPES)["unix_socket_group"], None, None) == "4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_line_bites = 1", "{path}: the setting max_line_bites is unknown. Did you mean max_line_bytes?"),
        ("[server]", "{path}: the setting server is unknown."),
        (
            "max_line_bytes = 1\nmax-line-bytes = 1",
            "{path}: the setting max_line_bytes is given twice, once with a dash.",
        ),
        ('max_line_bytes = "1"', '{path}: the setting max_line_bytes must be a whole number, not "1".'),
        ("max_line_bytes = true", "{path}: the setting max_line_bytes must be a whole number, not true."),
        (
            'emit_prog_label = "x"',
            '{path}: the setting emit_prog_label must be a Boolean: write true or false, not "x".',
        ),
        (
            "poll_interval = 5",
            "{path}: the setting poll_interval must be a duration: write for example 250ms, 10s or 1h30m, not 5.",
        ),
        (
            'poll_interval = "5"',
            '{path}: the setting poll_interval must be a duration: write for example 250ms, 10s or 1h30m, not "5".',
        ),
        ('logs = [""]', "{path}: the setting logs must be a source, not ['']."),
        (
            'bind = ["a=x", "b"]',
            "{path}: the setting bind must be a program and a source: write PROGRAM=SOURCE, not ['a=x', 'b'].",
        ),
        ("[bind]\na = 1", "{path}: the setting bind.a must be a source or an array of them, not 1."),
        ("[bind]\na.mtail = []", "{path}: the setting bind.a.mtail must be a source or an array of them, not []."),
        ('[bind]\n"" = "x"', "{path}: a name in the table bind is empty."),
        ('[bind]\na = ["x", ""]', "{path}: the setting bind.a must be a source or an array of them, not ['x', '']."),
        ("logs = [1]", "{path}: the setting logs must be a source, not [1]."),
        (
            "[unix_socket_group]\nx = 1",
            "{path}: the setting unix_socket_group must be a name or a number, not a table.",
        ),
        (
            "x = ",
            "The file of settings {path} is not valid TOML: Invalid value (at end of document).",
        ),
    ],
)
def test_mistake_is_told_with_file_and_key(text: str, message: str, tmp_path: Path) -> None:
    """One sentence says what would be right."""
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(SettingError) as caught:
        read_config(path, TYPES)
    assert str(caught.value) == message.format(path=path)


@pytest.mark.parametrize("text", [b"x = " + b"1" * 5000, b"x = " + b"[" * 50_000, b'x = "\xff"'], ids=range(3))
def test_file_that_nobody_means_is_refused(text: bytes, tmp_path: Path) -> None:
    """Numbers with more digits than Python reads, depths that nobody writes, bytes that are no UTF-8."""
    path = tmp_path / "c.toml"
    path.write_bytes(text)
    with pytest.raises(SettingError, match=rf"\AThe file of settings {path} is not valid TOML: "):
        read_config(path, TYPES)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """It was named, so it must be there."""
    with pytest.raises(SettingError) as caught:
        read_config(tmp_path / "c.toml", TYPES)
    assert str(caught.value) == f"The file of settings {tmp_path}/c.toml cannot be read: no such file or directory."


@pytest.mark.parametrize("text", ["'session_*=24h,a=1m30s'", "['session_*=24h', 'a=1m30s']"])
def test_lifetimes_are_an_array_or_as_on_a_command_line(text: str, tmp_path: Path) -> None:
    """Each is a name or a pattern, and a duration."""
    path = tmp_path / "c.toml"
    path.write_text(f"expire = {text}")
    assert read_config(path, {"expire": LIFETIMES}) == {"expire": ((("session_*", 86400.0), ("a", 90.0)),)}


@pytest.mark.parametrize("item", ["session", "session=", "=24h", "session=24", "session=long", "session=24h=1"])
def test_lifetime_without_a_name_or_a_duration_is_refused(item: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f'expire = ["{item}"]')
    with pytest.raises(SettingError) as caught:
        read_config(path, {"expire": LIFETIMES})
    expected = "a metric and a duration: write for example session_*=24h"
    assert str(caught.value) == f"{path}: the setting expire must be {expected}, not {[item]}."


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ('constant_labels = "site=north,rack=7"', [("site", "north"), ("rack", "7")]),
        ('constant_labels = ["site=a=b, c"]', [("site", "a=b, c")]),
    ],
)
def test_labels_are_an_array_or_as_on_a_command_line(text: str, pairs: list[object], tmp_path: Path) -> None:
    """In an array a comma is a comma."""
    path = tmp_path / "c.toml"
    path.write_text(text)
    assert read_config(path, {"constant_labels": LABELS}) == {"constant_labels": (tuple(pairs),)}
    path.write_text('constant_labels = "site"')
    with pytest.raises(SettingError, match="must be a label: write NAME=VALUE"):
        read_config(path, {"constant_labels": LABELS})


@pytest.mark.parametrize("text", ['headers = [["x-key", "s3cret"]]', 'headers = { x-key = "s3cret" }', "headers = 53"])
def test_secret_is_not_shown(text: str, tmp_path: Path) -> None:
    """Only where it stands, and how it is written."""
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(SettingError) as caught:
        read_config(path, {"headers": HEADERS})
    assert str(caught.value) == f"{path}: the setting headers must be a header: write NAME=VALUE."
