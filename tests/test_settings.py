"""Settings: what they refuse, and in which words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import metrics, settings
from pipeline.endpoint_settings import FileEndpointSettings
from pipeline.errors import SettingError
from pipeline.metlog_settings import MetlogSettings
from pipeline.settings import find_zone, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("1h30m", 5400.0),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        (".5m", 30.0),
        ("1.h", 3600.0),
        ("2us", 2e-6),
        ("2µs", 2e-6),
        ("2μs", 2e-6),
        ("3ns", 3e-9),
        ("-1m", -60.0),
        ("+1m", 60.0),
        ("-0", 0.0),
    ],
)
def test_duration_is_read_as_go_reads_it(text: str, seconds: float) -> None:
    """The values are what time.ParseDuration gives."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "1", "h", "1d", "1h 30m", "--1h", "+-1h", "1h-1m", "1,5s", "-", ".s", "9999999h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A number needs a unit, and no unit is longer than an hour."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_duration(text)


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(["h", "m", "s", "ms"])), min_size=1, max_size=5))
def test_duration_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    """Parts may come in any order, and repeatedly."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert parse_duration(text) == pytest.approx(sum(number * units[unit] for number, unit in parts))


@pytest.mark.parametrize("name", ["", "UTC"])
def test_zone_is_utc_unless_named(name: str) -> None:
    """mtail's default."""
    assert find_zone(name) is UTC


def test_zone_has_an_iana_name() -> None:
    """Its rules are those of the zone database."""
    summer = datetime(2026, 7, 1, tzinfo=find_zone("Europe/Berlin"))
    assert summer.utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize("name", ["Mars/Phobos", "Europe", "../etc/passwd", "/etc/localtime"])
def test_unknown_zone_is_refused(name: str) -> None:
    """The sentence says what would be right."""
    with pytest.raises(SettingError) as caught:
        settings.LanguageSettings(override_timezone=name)
    assert (
        str(caught.value) == f"--override_timezone {name!r} is unknown: use a name such as Europe/Berlin, UTC or Local."
    )


def test_language_settings_give_their_zone() -> None:
    """The compiler wants the zone, not its name."""
    assert settings.LanguageSettings().zone is UTC


@pytest.mark.parametrize(("value", "hours"), [("Asia/Tokyo", 9), (":Asia/Tokyo", 9), ("", 0), ("nonsense", 0)])
def test_local_zone_is_that_of_the_variable_tz(value: str, hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go takes what it does not know for UTC."""
    monkeypatch.setenv("TZ", value)
    assert datetime(2026, 7, 1, tzinfo=find_zone("Local")).utcoffset() == timedelta(hours=hours)


def test_local_zone_is_that_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """TZ may be a path, as /etc/localtime is one."""
    monkeypatch.setenv("TZ", "/usr/share/zoneinfo/Asia/Tokyo")
    assert datetime(2026, 7, 1, tzinfo=find_zone("Local")).utcoffset() == timedelta(hours=9)


def test_local_zone_is_that_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without TZ it is in /etc/localtime; without that file it is UTC."""
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(settings, "LOCAL_ZONE_FILE", tmp_path / "missing")
    assert find_zone("Local") is UTC


def test_values_out_of_range_are_refused() -> None:
    """Each sentence names the flag and the value."""
    messages = []
    for make in (
        lambda: settings.LanguageSettings(max_regexp_length=-1),
        lambda: settings.LanguageSettings(max_recursion_depth=0),
        lambda: settings.SourceSettings(logs=("-",), max_line_bytes=0),
        lambda: settings.SourceSettings(logs=("-",), poll_interval_seconds=-1.0),
        lambda: settings.StoreSettings(max_series_per_metric=-5),
        lambda: settings.StoreSettings(max_label_value_bytes=-1),
        lambda: settings.ServerSettings(unix_socket_mode=0o1777),
        lambda: settings.SourceSettings(logs=("/log",), ignore_filename_regex_pattern="["),
    ):
        with pytest.raises(SettingError) as caught:
            make()
        messages.append(str(caught.value))
    assert messages == [
        "--max_regexp_length must be at least 1, not -1.",
        "--max_recursion_depth must be at least 1, not 0.",
        "--max_line_bytes must be at least 1, not 0.",
        "--poll_interval must not be negative.",
        "--max_series_per_metric must be at least 0, not -5.",
        "--max_label_value_bytes must be at least 0, not -1.",
        "--unix_socket_mode must be an octal number up to 0777, not 1777.",
        "--ignore_filename_regex_pattern '[' is no regular expression: unterminated character set at position 0.",
    ]


def test_state_file_may_not_be_the_file_of_an_endpoint() -> None:
    """It would take the place of what messages were written to."""
    with pytest.raises(SettingError) as caught:
        settings.DaemonSettings(
            programs=settings.ProgramSettings(progs=Path("p"), language=settings.LanguageSettings()),
            sources=settings.SourceSettings(logs=("log",)),
            store=settings.StoreSettings(),
            formats=settings.FormatSettings(),
            server=settings.ServerSettings(),
            state=settings.StateSettings(state_file=Path("/x/state")),
            metlog=MetlogSettings(endpoints={"a": FileEndpointSettings(path=Path("/x/state"))}),
        )
    assert str(caught.value) == "--state_file and metlog.endpoint.a.path are the same path."


def test_default_limits_are_the_stores() -> None:
    """Two modules give it, because the store knows no settings."""
    assert settings.StoreSettings().max_series_per_metric == metrics.DEFAULT_MAX_SERIES
    assert settings.StoreSettings().max_label_value_bytes == metrics.DEFAULT_MAX_LABEL_VALUE_BYTES


def test_positions_need_a_state_file() -> None:
    """They are kept nowhere else."""
    with pytest.raises(SettingError) as caught:
        settings.DaemonSettings(
            programs=settings.ProgramSettings(progs=Path("p"), language=settings.LanguageSettings()),
            sources=settings.SourceSettings(logs=("/log",), read_positions=True),
            store=settings.StoreSettings(),
            formats=settings.FormatSettings(),
            server=settings.ServerSettings(),
        )
    assert str(caught.value) == "--read_positions needs --state_file, which the positions are kept in."


@pytest.mark.parametrize(
    ("logs", "socket", "message"),
    [
        (("log", "/x/state"), None, "--state_file and /x/state of --logs are the same path."),
        (("unix:///x/state",), None, "--state_file and unix:///x/state of --logs are the same path."),
        (("/x/../x/state",), None, "--state_file and /x/../x/state of --logs are the same path."),
        (("log",), Path("/x/state"), "--state_file and --unix_socket are the same path."),
    ],
)
def test_state_file_may_be_nothing_else(logs: tuple[str, ...], socket: Path | None, message: str) -> None:
    """It would take the place of a log or of a socket."""
    with pytest.raises(SettingError) as caught:
        settings.DaemonSettings(
            programs=settings.ProgramSettings(progs=Path("p"), language=settings.LanguageSettings()),
            sources=settings.SourceSettings(logs=logs),
            store=settings.StoreSettings(),
            formats=settings.FormatSettings(),
            server=settings.ServerSettings(unix_socket=socket),
            state=settings.StateSettings(state_file=Path("/x/state")),
        )
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("expire", "interval", "message"),
    [
        ((("a", 5.0), ("b_*", 0.0)), 60.0, "--expire: the duration for b_* must be at least 1ns."),
        ((("a", -5.0),), 60.0, "--expire: the duration for a must be at least 1ns."),
        ((("a", 1e-10),), 60.0, "--expire: the duration for a must be at least 1ns."),
        (
            (("a", 5.0),),
            0.0,
            "--expire does nothing with --expired_metrics_gc_interval=0, which is never to sweep.",
        ),
    ],
)
def test_lifetimes_that_cannot_be_are_refused(
    expire: tuple[tuple[str, float], ...], interval: float, message: str
) -> None:
    with pytest.raises(SettingError) as raised:
        settings.StoreSettings(expire=expire, expired_metrics_gc_interval_seconds=interval)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((("9a", "x"),), "'9a' is no name of a label: it may have letters, digits and _, "),
        ((("__a", "x"),), "'__a' is no name of a label: it may have letters, digits and _, "),
        ((("a-b", "x"),), "'a-b' is no name of a label: it may have letters, digits and _, "),
        ((("prog", "x"),), "the label prog has a meaning of its own."),
        ((("le", "1"),), "the label le has a meaning of its own."),
        ((("a", "x"), ("a", "x")), "the label a is given twice."),
        ((("a", "x\n"),), "the value 'x\\n' of a cannot be printed."),
        ((("a", "\udcff"),), "the value '\\udcff' of a cannot be printed."),
    ],
)
def test_constant_labels_that_the_format_cannot_hold_are_refused(
    labels: tuple[tuple[str, str], ...], message: str
) -> None:
    """At the start, and not on the page."""
    with pytest.raises(SettingError) as raised:
        settings.FormatSettings(constant_labels=labels)
    assert str(raised.value).startswith(f"--constant_labels: {message}")
