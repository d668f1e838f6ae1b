"""What is wrong in a configuration is told in one sentence, whatever form it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.metlog.client import MetlogClient
from pipeline.metlog.config import client_from_dict_config, client_from_text_config, client_from_toml
from pipeline.metlog.exceptions import ConfigError
from pipeline.metlog.senders import DebugCaptureSender
from tests.metlog.generator_holder import holder

__all__ = ["holder"]

OWN = "tests.metlog.generator_plugins"

WRONG: list[tuple[dict[str, object], str]] = [
    ({"sender": {"host": "x"}}, "The settings of a sender need its `class`, or are an `address` alone."),
    ({"sender": 5}, "`sender` is a table of settings, not 5."),
    ({"sender_class": "nowhere.Sender"}, "There is no 'nowhere.Sender': No module named 'nowhere'."),
    ({"sender_class": f"{OWN}.Missing"}, f"There is no '{OWN}.Missing': module '{OWN}' has no attribute 'Missing'."),
    ({"sender_class": f"{OWN}.NOT_CALLABLE"}, f"'{OWN}.NOT_CALLABLE' cannot be called, so it makes nothing."),
    (
        {"sender_class": f"{OWN}.no_filter"},
        f"'{OWN}.no_filter' makes no sender: what it makes has no method send_message.",
    ),
    (
        {"sender_class": "stdout", "sender_speed": 5},
        "'stdout' does not take its settings: StdOutSender.__init__() got an unexpected keyword argument 'speed'.",
    ),
    ({"filters": [(f"{OWN}.no_filter", {})]}, f"'{OWN}.no_filter' makes no filter: what it makes cannot be called."),
    ({"filters": [5]}, "A filter or plugin is a provider and its settings, not 5."),
    (
        {"filters": [("severity_max", {"severity": "high"})]},
        "'severity_max' does not take its settings: invalid literal for int() with base 10: 'high'.",
    ),
    (
        {"plugins": {"x": (f"{OWN}.no_filter", {})}},
        f"'{OWN}.no_filter' does not take its settings: no_filter() takes 0 positional arguments but 1 was given.",
    ),
    (
        {"plugins": {"x": (f"{OWN}.no_plugin", {})}},
        f"'{OWN}.no_plugin' makes no plugin: what it makes cannot be called.",
    ),
    ({"severity": "high"}, "`severity` is a number, not 'high'."),
    ({"severity": "nan"}, "`severity` is a number, not 'nan'."),
    ({"severity": True}, "`severity` is a number, not True."),
    ({"severity": 8}, "`severity` is a whole number from 0 to 7, not 8."),
    ({"severity": 6.5}, "`severity` is a whole number from 0 to 7, not 6.5."),
    ({"timer_digits": 4}, "`timer_digits` is a whole number from 0 to 3, not 4."),
    ({"report_seconds": float("inf")}, "`report_seconds` is a number, not inf."),
    ({"report_seconds": 10**400}, "`report_seconds` is a number, not 1000"),
    ({"disabled_timers": 5}, "`disabled_timers` is a list of names, not 5."),
    ({"global_disabled_decorators": 5}, "`disabled_decorators` is a list of names, not 5."),
    ({"sender_class": "..x"}, "There is no '..x': "),
    (5, "A configuration is a table of settings, not 5."),  # type: ignore[list-item]
    ({"sender_address": "nonsense://x"}, "'nonsense://x' is of no known kind: "),
]


@pytest.mark.parametrize(("config", "message"), WRONG, ids=range(len(WRONG)))
def test_wrong_configuration_is_told_in_one_sentence(config: dict[str, object], message: str) -> None:
    """And leaves the client as it was."""
    client = MetlogClient(DebugCaptureSender(), "old")
    with pytest.raises(ConfigError) as error:
        client_from_dict_config(config, client)
    assert str(error.value).startswith(message)
    assert str(error.value).count(". ") <= 1
    assert (client.logger, client.is_active) == ("old", True)


@pytest.mark.parametrize("name", ["ZmqPubSender", "ZmqHandshakePubSender"])
def test_senders_over_zeromq_say_what_to_use(name: str) -> None:
    """The configuration is read, and is to be changed."""
    with pytest.raises(ConfigError, match="use UnixDatagramSender"):
        client_from_dict_config({"sender": {"class": f"metlog.senders.zmq.{name}", "bindstrs": "tcp://localhost:1"}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[other]", "There is no section [metlog]."),
        ("logger = x", "The configuration cannot be read: File contains no section headers."),
        ("[metlog]\n[metlog_filter_x]\nseverity = 4", "The section [metlog_filter_x] names no provider."),
    ],
)
def test_wrong_ini_is_told(text: str, message: str) -> None:
    """With its section."""
    with pytest.raises(ConfigError) as error:
        client_from_text_config(text, "metlog")
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metlog = 5", "There is no table [metlog]."),
        ("[metlog", "The configuration is not TOML: "),
        ("[metlog]\nsendr = 5", "`sendr` is no setting of a client. Did you mean `sender`?"),
        ("[metlog]\nxyz = 5", "`xyz` is no setting of a client."),
    ],
)
def test_wrong_toml_is_told(text: str, message: str) -> None:
    """A key that there is not is a mistake here; in the old forms it may be somebody else's."""
    with pytest.raises(ConfigError) as error:
        client_from_toml(text)
    assert str(error.value).startswith(message)
    client_from_dict_config({"xyz": 5})


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """As what is wrong in it."""
    with pytest.raises(ConfigError) as error:
        client_from_toml(tmp_path / "missing")
    assert str(error.value) == f"{tmp_path}/missing cannot be read: No such file or directory."
