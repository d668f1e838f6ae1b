"""Filters say what is sent, in their order, and may change it."""

from __future__ import annotations

import pytest

from pipeline.metlog import filters
from pipeline.metlog.filters import Filter, severity_max, type_blacklist, type_severity_max, type_whitelist
from tests.metlog.generator_clients import Message, make_client, read_messages

MESSAGES = [(kind, severity) for kind in ("timer", "oldstyle", "audit") for severity in (0, 4, 7)]


def list_kept(keep: Filter) -> list[tuple[str, int]]:
    """Return which of all messages a filter lets pass."""
    client = make_client(filters=[keep])
    for kind, severity in MESSAGES:
        client.metlog(kind, severity=severity)
    sent = [(str(message["type"]), int(str(message["severity"]))) for message in read_messages(client)]
    assert client.counts.filtered == len(MESSAGES) - len(sent)
    return sent


def test_severity_up_to_a_limit() -> None:
    """The limit itself passes."""
    assert list_kept(severity_max(4)) == [pair for pair in MESSAGES if pair[1] <= 4]


@pytest.mark.parametrize("types", ["timer", ["timer"], {"timer", "x"}])
def test_types_by_list(types: object) -> None:
    """One alone may be text, and is a name, not letters."""
    assert list_kept(type_blacklist(types)) == [pair for pair in MESSAGES if pair[0] != "timer"]  # type: ignore[arg-type]
    assert list_kept(type_whitelist(types)) == [pair for pair in MESSAGES if pair[0] == "timer"]  # type: ignore[arg-type]
    assert list_kept(type_whitelist("timers")) == []


@pytest.mark.parametrize(
    "types", [{"timer": 4, "audit": 0}, {"timer": {"severity": 4}, "audit": {"severity": 0}}, ["timer:4", "audit: 0"]]
)
def test_severity_by_type(types: object) -> None:
    """Types that are not named pass always."""
    expected = [("timer", 0), ("timer", 4), ("oldstyle", 0), ("oldstyle", 4), ("oldstyle", 7), ("audit", 0)]
    assert list_kept(type_severity_max(types)) == expected
    assert list_kept(type_severity_max(timer=4, audit={"severity": 0})) == expected


def test_severity_by_type_of_one_line() -> None:
    """An INI file with one type has no list."""
    assert list_kept(type_severity_max("timer:0")) == [pair for pair in MESSAGES if pair[0] != "timer" or not pair[1]]


@pytest.mark.parametrize("types", [5, ["timer"], {"timer": "low"}, {"timer": None}, "timer:x"])
def test_severity_by_type_must_be_one(types: object) -> None:
    """It is found out when the filter is made."""
    with pytest.raises(ValueError, match="everit"):
        type_severity_max(types)


def test_filters_run_in_their_order() -> None:
    """The first that says no is the last that is asked."""
    asked = []

    def first(message: Message) -> bool:
        asked.append("first")
        return message["type"] != "timer"

    def second(message: Message) -> bool:
        asked.append("second")
        return True

    client = make_client(filters=[first, second])
    client.metlog("timer")
    client.metlog("audit")
    assert asked == ["first", "first", "second"]


def test_filter_changes_the_message() -> None:
    """What it puts in is made harmless; the caller's fields stay as they are."""

    def change(message: Message) -> bool:
        assert isinstance(message["fields"], dict)
        message["fields"]["secret"] = {1}
        message["payload"] = b"***"
        message["uuid"] = "u"
        del message["logger"]
        message["timestamp"] = None
        return True

    client = make_client(filters=[change])
    own = {"secret": "x"}
    client.metlog("audit", payload="password", fields=own)
    message = read_messages(client)[0]
    assert (message["payload"], message["fields"], message["uuid"], message["logger"]) == (
        "***",
        {"secret": [1]},
        "u",
        "shop",
    )
    assert own == {"secret": "x"}
    assert client.counts.mended == 1


def test_filter_sees_fields_that_are_none() -> None:
    """As they were given."""
    seen = []

    def look(message: Message) -> bool:
        seen.append(message["fields"])
        return True

    client = make_client(filters=[look])
    client.metlog("audit", fields=[1])  # type: ignore[arg-type]
    assert seen == [[1]]
    assert read_messages(client)[0]["fields"] == {"value": [1]}


@pytest.mark.parametrize("name", ["severity_max", "type_blacklist", "type_whitelist", "type_severity_max"])
def test_filters_have_both_names_of_metlog_py(name: str) -> None:
    """Its pages use the one, its code the other."""
    assert getattr(filters, f"{name}_provider") is getattr(filters, name)
