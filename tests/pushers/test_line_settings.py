"""Settings of statsd, collectd and Graphite that cannot be meant: one sentence each."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.push_settings import CollectdSettings, GraphiteSettings, PushSettings, StatsdSettings
from pipeline.pushers import make_pushers
from pipeline.pushers.connection import spell_place
from pipeline.setting_checks import split_place
from tests.pushers.line_peers import CONTEXT

LONG = "/" + "x" * 107


@pytest.mark.parametrize(
    ("text", "place", "spelled"),
    [
        ("host:1", ("host", 1), "host:1"),
        (":1", ("localhost", 1), "localhost:1"),
        ("[::1]:8125", ("::1", 8125), "[::1]:8125"),
        ("unix:///run/x y.sock", Path("/run/x y.sock"), "/run/x y.sock"),
        (f"unix://{LONG[:-1]}", Path(LONG[:-1]), LONG[:-1]),
    ],
)
def test_place(text: str, place: Path | tuple[str, int], spelled: str) -> None:
    """Host and port, or the path of a socket."""
    assert split_place("flag", text) == place
    assert spell_place("flag", text) == spelled


@pytest.mark.parametrize(
    "text", ["unix://run/x.sock", "unix://", "unix:run", "host", "unixgram:///run/x", "unix:///x\0"]
)
def test_wrong_place(text: str) -> None:
    """For both that may have either."""
    with pytest.raises(SettingError, match=r"^--graphite_host_port .*\.$"):
        GraphiteSettings(graphite_host_port=text)
    with pytest.raises(SettingError, match=r"^--statsd_hostport .*\.$"):
        StatsdSettings(statsd_hostport=text)


def test_path_that_is_too_long_for_a_socket() -> None:
    """Linux has room for 107 bytes."""
    told = "^--{} must name a socket whose path has at most 107 bytes.$"
    with pytest.raises(SettingError, match=told.format("statsd_hostport")):
        StatsdSettings(statsd_hostport=f"unix://{LONG}")
    with pytest.raises(SettingError, match=told.format("collectd_socketpath")):
        CollectdSettings(collectd_socketpath=Path(LONG))


def test_path_that_is_not_whole() -> None:
    """It would depend on the folder that the daemon runs in."""
    with pytest.raises(SettingError, match=r"^--collectd_socketpath must name a socket by its whole path"):
        CollectdSettings(collectd_socketpath=Path("run/collectd.sock"))


def test_wrong_prefix_for_graphite() -> None:
    """A blank would end the path."""
    with pytest.raises(SettingError, match=r"^--graphite_prefix must have neither blanks nor control characters\.$"):
        GraphiteSettings(graphite_prefix="a b.")


def test_wrong_schedule() -> None:
    """Of all destinations. What is zero or below turns pushing off, as in mtail."""
    with pytest.raises(SettingError, match=r"^--metric_push_interval must be at least 100ms, or 0 to push nothing\.$"):
        PushSettings(metric_push_interval_seconds=0.01)
    with pytest.raises(SettingError, match=r"^--metric_push_write_deadline must be more than 0\.$"):
        PushSettings(metric_push_write_deadline_seconds=0)
    statsd = StatsdSettings(statsd_hostport="h:1")
    for seconds in (0, -1):
        assert make_pushers(PushSettings(metric_push_interval_seconds=seconds, statsd=statsd), CONTEXT) == []


@pytest.mark.parametrize("prefix", ["a b.", "a:", "a|", "a@", "a#", "a;", "a\n"])
def test_wrong_prefix_for_statsd(prefix: str) -> None:
    """It would end the name, or begin a rate or a tag."""
    with pytest.raises(SettingError, match=r"^--statsd_prefix must have n"):
        StatsdSettings(statsd_prefix=prefix)


@pytest.mark.parametrize("prefix", ["a b", "a/", "\t"])
def test_wrong_prefix_for_collectd(prefix: str) -> None:
    """It would end the name of the plugin."""
    with pytest.raises(SettingError, match=r"^--collectd_prefix must have n"):
        CollectdSettings(collectd_prefix=prefix)
