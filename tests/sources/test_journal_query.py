"""What is written behind `journal://`."""

from __future__ import annotations

import pytest

from pipeline.errors import SettingError
from pipeline.sources.journal_query import COREDUMP_ID, JournalQuery, parse_query


def test_nothing_more_is_the_whole_journal() -> None:
    """Of this machine, as lines of syslog."""
    assert parse_query("journal://") == JournalQuery("", "", (), message_only=False)


def test_path_is_taken_as_it_is_written() -> None:
    """What is behind a question mark is no part of it; a percent sign is."""
    query = parse_query("journal:///var/log/journal/a%20b?format=message")
    assert query == JournalQuery("/var/log/journal/a%20b", "", (), message_only=True)


def test_same_key_admits_any_value_and_different_keys_must_all_hold() -> None:
    """As with journalctl; a value may be encoded."""
    query = parse_query("journal://?identifier=sshd&_UID=0&identifier=a%2Cb%26c&&root=/srv/x&format=traditional")
    assert query.root == "/srv/x"
    assert query.conditions == (
        (("SYSLOG_IDENTIFIER=sshd",), ("SYSLOG_IDENTIFIER=a,b&c",)),
        (("_UID=0",),),
    )


def test_unit_is_what_it_logs_and_what_is_logged_about_it() -> None:
    """The terms are those of `journalctl --unit`; what ends with no type of units is a service."""
    (terms,) = parse_query("journal://?unit=ssh").conditions
    assert terms == (
        ("_SYSTEMD_UNIT=ssh.service",),
        (f"MESSAGE_ID={COREDUMP_ID}", "_UID=0", "COREDUMP_UNIT=ssh.service"),
        ("_PID=1", "UNIT=ssh.service"),
        ("_UID=0", "OBJECT_SYSTEMD_UNIT=ssh.service"),
    )


def test_slice_is_all_that_is_in_it() -> None:
    """Besides what is logged about it."""
    (terms,) = parse_query("journal://?unit=user.slice").conditions
    assert (terms[0], terms[-1]) == (("_SYSTEMD_UNIT=user.slice",), ("_SYSTEMD_SLICE=user.slice",))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("warning", "01234"),
        ("4", "01234"),
        ("emerg", "0"),
        ("debug", "01234567"),
        ("err..warning", "34"),
        ("6..notice", "56"),
    ],
)
def test_priority_is_that_and_graver_or_a_range(text: str, numbers: str) -> None:
    """By name or number, as `journalctl --priority` has it."""
    (terms,) = parse_query(f"journal://?priority={text}").conditions
    assert terms == tuple((f"PRIORITY={number}",) for number in numbers)


PRIORITIES = "emerg, alert, crit, err, warning, notice, info, debug"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "units=x",
            "has the unknown key 'units': there are unit, identifier, priority, format, root, and the fields of the "
            "journal, in capitals.",
        ),
        ("unit", "has no value for 'unit'."),
        ("identifier=", "has no value for 'identifier'."),
        ("unit=ssh*", "has the unit 'ssh*': that is no name of a unit, and patterns are not known here."),
        ("priority=8", f"has the priority '8': there are {PRIORITIES}, the numbers 0 to 7, and ranges FROM..TO."),
        ("priority=..4", f"has the priority '..4': there are {PRIORITIES}, the numbers 0 to 7, and ranges FROM..TO."),
        ("priority=warn", f"has the priority 'warn': there are {PRIORITIES}, the numbers 0 to 7, and ranges FROM..TO."),
        ("format=json", "has the format 'json': there are traditional and message."),
        ("format=message&format=message", "has 2 values for 'format', of which it can have one."),
    ],
)
def test_what_cannot_be_asked_for_is_one_sentence(query: str, message: str) -> None:
    """The operator is told before anything is opened."""
    with pytest.raises(SettingError) as caught:
        parse_query(f"journal://?{query}")
    assert str(caught.value) == f"The source 'journal://?{query}' {message}"


def test_path_and_root_exclude_each_other() -> None:
    """Either journal files are named, or where a system is."""
    with pytest.raises(SettingError) as caught:
        parse_query("journal:///a?root=/b")
    assert str(caught.value) == "The source 'journal:///a?root=/b' has a path and a root, of which it can have one."
