"""Clients by configuration: a dict, INI files of metlog-py, TOML."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.metlog.client import MetlogClient
from pipeline.metlog.config import (
    client_from_dict_config,
    client_from_stream_config,
    client_from_text_config,
    client_from_toml,
    dict_from_stream_config,
)
from pipeline.metlog.config_files import convert
from pipeline.metlog.exceptions import ConfigError, EnvironmentNotFoundError
from pipeline.metlog.holder import CLIENT_HOLDER
from pipeline.metlog.path import DottedNameResolver, resolve_name
from pipeline.metlog.senders import (
    DebugCaptureSender,
    FileSender,
    NoSendSender,
    QueuedSender,
    StdLibLoggingSender,
    StdOutSender,
    StreamSender,
    UdpSender,
    UnixDatagramSender,
)
from tests.metlog.generator_clients import read_messages
from tests.metlog.generator_holder import holder
from tests.metlog.generator_plugins import OwnSender, own_filter

__all__ = ["holder"]

OWN = "tests.metlog.generator_plugins"

INI = f"""
    [metlog]
    logger = myapp
    severity = 4
    disabled_timers = foo
                      bar
    sender_class = {OWN}.OwnSender
    sender_host = one
                  two
    sender_port = 5565
    sender_secret = ${{METLOG_TEST_SECRET}}
    sender_eager = yes          ; a comment
    sender_lazy = off
    global_disabled_decorators = incr_count

    [metlog_filter_sev_max]
    provider = metlog.filters.severity_max_provider
    severity = 4

    [metlog_filter_own]
    provider = {OWN}:own_filter
    word = x

    [metlog_plugin_dummysection]
    provider = {OWN}:own_plugin
    port = 8080

    [metlog_plugin_more]
    provider = {OWN}.own_incr
    override = true
    prefix = n.
"""

TOML = f"""
[metlog]
logger = "myapp"
severity = 4
disabled_timers = ["foo", "bar"]

[metlog.sender]
class = "{OWN}.OwnSender"
host = ["one", "two"]
port = 5565
secret = "${{METLOG_TEST_SECRET}}"
eager = true
lazy = false

[[metlog.filters]]
provider = "severity_max"
severity = 4

[[metlog.filters]]
provider = "{OWN}.own_filter"
word = "x"

[metlog.plugins.dummysection]
provider = "{OWN}.own_plugin"
port = 8080

[metlog.plugins.more]
provider = "{OWN}.own_incr"
override = true
prefix = "n."

[metlog.global]
disabled_decorators = ["incr_count"]
"""

DICT: dict[str, object] = {
    "logger": "myapp",
    "severity": 4,
    "disabled_timers": ["foo", "bar"],
    "sender": {
        "class": f"{OWN}.OwnSender",
        "host": ["one", "two"],
        "port": 5565,
        "secret": "hidden",
        "eager": True,
        "lazy": False,
    },
    "filters": [("metlog.filters.severity_max", {"severity": 4}), (f"{OWN}.own_filter", {"word": "x"})],
    "plugins": {
        "dummysection": (f"{OWN}.own_plugin", {"port": 8080}),
        "more": (f"{OWN}.own_incr", {"override": True, "prefix": "n."}),
    },
    "global": {"disabled_decorators": "incr_count"},
}


@pytest.fixture(autouse=True)
def variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the environment."""
    monkeypatch.setenv("METLOG_TEST_SECRET", "hidden")


def make_by(way: str, client: MetlogClient | None = None) -> MetlogClient:
    """Return a client of the configuration above, in one of its forms."""
    match way:
        case "text":
            return client_from_text_config(INI, "metlog", client)
        case "stream":
            return client_from_stream_config(io.StringIO(INI.replace("\n    ", "\n")), "metlog", client)
        case "toml":
            return client_from_toml(TOML, client=client)
    return client_from_dict_config(DICT, client)


@pytest.mark.parametrize("way", ["text", "stream", "toml", "dict"])
def test_client_is_as_it_is_configured(way: str) -> None:
    """All forms say the same."""
    client = make_by(way)
    assert (client.logger, client.severity, client._disabled_timers) == ("myapp", 4, frozenset({"foo", "bar"}))
    sender = client.sender
    assert isinstance(sender, OwnSender)
    assert sender.options == {"host": ["one", "two"], "port": 5565, "secret": "hidden", "eager": True, "lazy": False}
    assert client.dummy(1) == ("myapp", {"port": 8080}, (1,))  # type: ignore[attr-defined]
    assert client.incr("logins") == "n.logins"  # type: ignore[func-returns-value]
    client.metlog("audit", payload="fox")
    client.metlog("audit", payload="fox", severity=5)
    client.metlog("audit", payload="dog")
    assert [message["payload"] for message in read_messages(client)] == ["fox"]
    assert CLIENT_HOLDER.global_config["disabled_decorators"] in ("incr_count", ["incr_count"])


@pytest.mark.parametrize("way", ["text", "toml", "dict"])
def test_client_that_is_there_is_configured(way: str) -> None:
    """Whoever has it already goes on with it."""
    client = MetlogClient(None, "old", 7)
    assert make_by(way, client) is client
    assert (client.logger, client.severity, client.is_active) == ("myapp", 4, True)


def test_configuration_takes_the_place_of_the_last_one() -> None:
    """Its plugins go with it, and what they had hidden is back."""
    client = make_by("dict")
    assert make_by("dict", client) is client
    client.add_method(own_filter, override="kept")
    client_from_dict_config({"sender_class": "capture"}, client)
    assert not hasattr(client, "dummy")
    assert hasattr(client, "kept")
    client.incr("logins")
    assert [message["type"] for message in read_messages(client)] == ["counter"]


def test_configuration_is_kept_as_text() -> None:
    """For whoever wonders why a client behaves as it does. The one that was given stays as it is."""
    before = json.dumps(DICT)
    client = make_by("dict")
    kept = json.loads(client._config)
    assert (kept["sender"]["class"], kept["filters"][0][1]) == (f"{OWN}.OwnSender", {"severity": 4})
    assert json.dumps(DICT) == before
    assert make_by("dict").dummy()[1] == {"port": 8080}  # type: ignore[attr-defined]


def test_prefixes_are_tables() -> None:
    """They win over the tables themselves, as in metlog-py."""
    config = {"sender": {"class": "capture", "a": 1}, "sender_a": 2, "global": {"x": 1}, "global_y": 2}
    client = client_from_dict_config(config)
    assert client.sender.a == 2  # type: ignore[attr-defined]
    assert CLIENT_HOLDER.global_config == {"x": 1, "y": 2}


def test_global_settings_are_kept_or_cleared() -> None:
    """They are those of the whole process."""
    client_from_dict_config({"global_a": 1})
    client_from_dict_config({"global_b": 2})
    assert CLIENT_HOLDER.global_config == {"a": 1, "b": 2}
    client_from_dict_config({"global_c": 3}, clear_global=True)
    assert CLIENT_HOLDER.global_config == {"c": 3}


def test_ini_becomes_a_dict() -> None:
    """It is the one that `client_from_dict_config` takes."""
    config = dict_from_stream_config(io.StringIO(INI.replace("\n    ", "\n")), "metlog")
    assert config["sender"] == {**DICT["sender"], "class": f"{OWN}.OwnSender"}  # type: ignore[dict-item]
    assert config["plugins"] == {
        "dummysection": (f"{OWN}:own_plugin", {"port": 8080}),
        "more": (f"{OWN}.own_incr", {"override": True, "prefix": "n."}),
    }
    assert config["disabled_timers"] == ["foo", "bar"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("17", 17),
        ("-3", -3),
        ("1.5", "1.5"),
        ("2x", "2x"),
        ("T", True),
        ("on", True),
        ("Yes", True),
        ("F", False),
        ("off", False),
        ("NO", False),
        ("a ${METLOG_TEST_SECRET} b", "a hidden b"),
        ("${METLOG_TEST_SECRET}", "hidden"),
        ("${}", "${}"),
        ("\n1\n\ntwo\nyes", [1, "two", True]),
        ("", ""),
    ],
)
def test_values_of_ini_files(text: str, value: object) -> None:
    """Numbers, truths, lists and variables."""
    assert convert(text) == value


@pytest.mark.parametrize("way", ["ini", "toml"])
def test_variable_that_is_not_set_is_an_error(way: str) -> None:
    """It names the variable."""
    makers: dict[str, Callable[[str, str], MetlogClient]] = {"ini": client_from_text_config, "toml": client_from_toml}
    with pytest.raises(EnvironmentNotFoundError, match="METLOG_TEST_NONE") as error:
        makers[way]('[metlog]\nlogger = "${METLOG_TEST_NONE}"', "metlog")
    assert error.value.varname == "METLOG_TEST_NONE"


def test_toml_comes_from_a_file(tmp_path: Path) -> None:
    """By its path, or opened; the table may have another name."""
    path = tmp_path / "app.toml"
    path.write_text('[telemetry]\nlogger = "ä"\nsender_class = "capture"')
    assert client_from_toml(path, "telemetry").logger == "ä"
    with path.open("rb") as stream:
        assert client_from_toml(stream, "telemetry").is_active


@pytest.mark.parametrize(
    ("name", "sender"),
    [
        ("metlog.senders.NoSendSender", NoSendSender),
        ("metlog.senders.dev.DebugCaptureSender", DebugCaptureSender),
        ("metlog.senders.dev.StdOutSender", StdOutSender),
        ("metlog.senders.StdOutSender", StdOutSender),
        ("metlog.senders.logging.StdLibLoggingSender", StdLibLoggingSender),
        ("pipeline.metlog.senders.StdOutSender", StdOutSender),
        ("StdOutSender", StdOutSender),
        ("stdout", StdOutSender),
        ("capture", DebugCaptureSender),
    ],
)
def test_senders_by_their_names(name: str, sender: type[object]) -> None:
    """Those of metlog-py, ours, and short ones."""
    assert type(client_from_dict_config({"sender_class": name}).sender) is sender


@pytest.mark.parametrize("name", ["metlog.senders.UdpSender", "metlog.senders.udp.UdpSender", "udp"])
def test_configuration_of_the_udp_sender(name: str) -> None:
    """As it stands on metlog-py's own page, with several hosts and a port as text."""
    config = {"logger": "addons", "sender": {"class": name, "host": ["127.0.0.1", "127.0.0.2"], "port": "5566"}}
    client = client_from_dict_config(config)
    assert isinstance(client.sender, UdpSender)
    client.close()


def test_sender_of_a_file(tmp_path: Path) -> None:
    """By place, as metlog-py has it, and by address."""
    path = tmp_path / "log"
    for config in (
        {"sender": {"class": "metlog.senders.dev.FileSender", "args": [str(path)]}},
        {"sender": {"address": f"file://{path}"}},
    ):
        client = client_from_dict_config(config)
        assert isinstance(client.sender, FileSender)
        client.incr("x")
        client.close()
    assert [json.loads(line)["type"] for line in path.read_text().splitlines()] == ["counter", "counter"]


def test_sender_by_address() -> None:
    """Spelled as the daemon's sources are."""
    client = client_from_dict_config({"sender_address": "unixgram:///run/x.sock"})
    assert isinstance(client.sender, UnixDatagramSender)


def test_one_name_need_not_be_a_list() -> None:
    """A file with one timer has one line."""
    client = client_from_dict_config({"disabled_timers": "foo", "report_seconds": -1, "timer_digits": "2"})
    assert client._disabled_timers == {"foo"}
    assert client._reporter.interval_seconds is None
    assert client.timer_digits == 2
    assert not client.is_active


def test_configuration_may_hold_what_cannot_be_copied() -> None:
    """A stream, and a sender for a queue."""
    stream = io.TextIOWrapper(io.BytesIO())
    sender = client_from_dict_config(
        {"sender": {"class": "pipeline.metlog.senders.StreamSender", "args": [stream]}}
    ).sender
    assert isinstance(sender, StreamSender)
    assert sender.stream is stream
    queue = {"class": "pipeline.metlog.senders.QueuedSender", "sender": sender}
    queued = client_from_dict_config({"sender": queue}).sender
    assert isinstance(queued, QueuedSender)
    assert queued.sender is sender


def test_plugins_that_clash_leave_the_client_as_it_was() -> None:
    """With those that it had, and none of the new ones."""
    client = make_by("dict")
    client.add_method(own_filter, override="kept")
    provider = f"{OWN}.named_plugin"
    plugins = {"a": (provider, {"name": "fresh"}), "b": (provider, {"name": "kept"})}
    with pytest.raises(SyntaxError):
        client_from_dict_config({"logger": "new", "plugins": plugins}, client)
    assert (client.logger, hasattr(client, "fresh"), client.kept.__func__) == ("myapp", False, own_filter)  # type: ignore[attr-defined]
    assert client.dummy()[1] == {"port": 8080}  # type: ignore[attr-defined]


def test_names_are_resolved() -> None:
    """With a dot or a colon."""
    assert resolve_name(f"{OWN}:own_filter") is own_filter
    assert DottedNameResolver().resolve(f"{OWN}.own_filter") is own_filter
    assert resolve_name("metlog.client.MetlogClient") is MetlogClient
    for name in ("", "metlog.nowhere.Thing", "Thing"):
        with pytest.raises(ConfigError):
            resolve_name(name)
