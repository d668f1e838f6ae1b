"""What senders of metlog send arrives as it should: at the real journald, rsyslogd and syslog-ng."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.metlog.senders import JournalSender, SyslogSender
from pipeline.metlog.senders.sender import GONE
from tests.e2e.daemons import run_rsyslog, wait_until
from tests.e2e.syslog_ng import SyslogNg, running_syslog_ng
from tests.e2e.test_journal import JOURNALD_CONF, Site
from tests.metlog.senders.peers import make_message

pytestmark = pytest.mark.slow

HOSTILE = "disk full\n<0>1 - - - - - - injected\x00\x7f\tü"
ESCAPED = "disk full#012<0>1 - - - - - - injected#000#177#011ü"
"""What a syslog daemon gets of it, so that it stays one line wherever it is written to."""

RSYSLOG_REST = """
input(type="imuxsock" Socket="{folder}/5424.sock" CreatePath="off" RateLimit.Interval="0" useSpecialParser="off"
      parseHostname="on")
template(name="all" type="string" string="%syslogfacility-text%|%syslogseverity%|%app-name%|%procid%|%msgid%|\
%hostname%|%timereported:::date-rfc3339%|%msg%\\n")
action(type="omfile" file="{folder}/out" template="all")
"""

SYSLOG_NG_5424 = """
source s_5424 {{ unix-dgram("{folder}/5424.sock" flags(syslog-protocol)); }};
destination d_all {{ file("{folder}/out"
    template("$FACILITY|$LEVEL_NUM|$PROGRAM|$PID|$MSGID|$HOST|$ISODATE|$MSG\\n")); }};
log {{ source(s_5424); destination(d_all); }};
log {{ source(s_src); destination(d_all); }};
"""


@pytest.fixture
def journal(folder: Path) -> Site:
    """A place where journald can run."""
    for name in ("empty", "run/systemd/journald.conf.d"):
        (folder / name).mkdir(parents=True)
    (folder / "run/systemd/journald.conf.d/test.conf").write_text(JOURNALD_CONF)
    return Site(folder)


def wait_entries(journal: Site, count: int) -> list[dict[str, str]]:
    """Return the entries that tests have sent, as soon as there are so many."""
    found: list[dict[str, str]] = []

    def look() -> bool:
        with suppress(subprocess.CalledProcessError):  # journalctl's way to say that it has found none
            found[:] = [dict(entry) for entry in journal.read_journal("--all", "SYSLOG_IDENTIFIER=shop")]
        return len(found) >= count

    wait_until(look, f"{count} entries")
    return found


def test_messages_become_entries_of_the_journal(journal: Site) -> None:
    """With their fields, of whatever length and with whatever text."""
    sender = JournalSender(journal.run / "systemd/journal/socket")
    counter = make_message()
    log = make_message(
        "first\nMESSAGE=second", type="oldstyle", severity=3, fields={"path": "/a\nPRIORITY=0", "größe": 5, "on": True}
    )
    large = make_message("x" * 500_000, type="oldstyle")
    many = make_message("many", type="oldstyle", fields={f"n{number}": number for number in range(2000)})
    with journal.run_journald():
        for message in (counter, log, large, many):
            sender.send_message(message)
        entries = wait_entries(journal, 4)
    sender.close()
    assert (sender.counts.sent, sender.counts.dropped, sender.counts.shortened) == (4, 0, 0)
    assert json.loads(entries[0]["MESSAGE"]) == counter
    assert entries[0]["PRIORITY"] == "6"
    wanted = {
        "MESSAGE": "first\nMESSAGE=second",
        "PRIORITY": "3",
        "SYSLOG_PID": "42",
        "METLOG_TYPE": "oldstyle",
        "METLOG_TIMESTAMP": "2026-03-05T06:07:08.000000Z",
        "METLOG_HOSTNAME": "web1",
        "METLOG_FIELD_PATH": "/a\nPRIORITY=0",
        "METLOG_FIELD_GR_SSE": "5",
        "METLOG_FIELD_ON": "true",
    }
    assert {name: entries[1].get(name) for name in wanted} == wanted
    assert entries[2]["MESSAGE"] == "x" * 500_000
    assert entries[3]["METLOG_FIELD_N199"] == "199"
    assert "METLOG_FIELD_N200" not in entries[3]
    assert entries[3]["METLOG_FIELDS_LEFT_OUT"] == "1800"


def test_journald_that_goes_and_comes_back(journal: Site) -> None:
    """What is sent while it is away is dropped and counted; it is found again at once."""
    sender = JournalSender(journal.run / "systemd/journal/socket")
    for number in (1, 2):
        with journal.run_journald():
            sender.send_message(make_message(str(number), type="oldstyle"))
            assert [entry["MESSAGE"] for entry in wait_entries(journal, number)][-1] == str(number)
        sender.send_message(make_message("lost", type="oldstyle"))
    sender.close()
    assert (sender.counts.sent, sender.counts.causes) == (2, {GONE: 2})


def test_what_syslog_writes_is_understood_by_journald(journal: Site) -> None:
    """As journald reads /dev/log: application, process and priority are told apart."""
    sender = SyslogSender(journal.run / "systemd/journal/dev-log", protocol="local", facility="local3")
    with journal.run_journald():
        sender.send_message(make_message("disk full", type="oldstyle", severity=3))
        (entry,) = wait_entries(journal, 1)
    sender.close()
    wanted = {"MESSAGE": "disk full", "PRIORITY": "3", "SYSLOG_FACILITY": "19", "SYSLOG_PID": "42"}
    assert {name: entry[name] for name in wanted} == wanted


@pytest.fixture(params=["rsyslog", "syslog-ng"])
def receiver(request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[Path, Path]]:
    """A syslog daemon: its sockets for what syslog(3) writes, and for RFC 5424."""
    if request.param == "rsyslog":
        with run_rsyslog(folder, RSYSLOG_REST.format(folder=folder)) as log_socket:
            yield log_socket, folder / "5424.sock"
        return
    place = folder / "syslog-ng"
    snippets = {"metlog.conf": SYSLOG_NG_5424.format(folder=place)}
    with running_syslog_ng(SyslogNg(place, snippets, options="keep_hostname(yes);")):
        yield place / "devlog", place / "5424.sock"


def read_shop(log_socket: Path, count: int) -> list[list[str]]:
    """Return the parts of the lines that the daemon has written of the shop, as soon as there are so many."""
    path = log_socket.parent / "out"
    wait_until(lambda: path.exists() and path.read_text().count("|shop|") >= count, f"{count} lines are written")
    lines = [line.split("|", 7) for line in path.read_text().splitlines()]
    assert all(len(line) == 8 for line in lines)
    return [line for line in lines if line[2] == "shop"]


@pytest.mark.parametrize("protocol", ["rfc5424", "local"])
def test_messages_reach_a_syslog_daemon(receiver: tuple[Path, Path], protocol: str) -> None:
    """With facility, severity and application; log messages as text in one line, others as JSON."""
    path = receiver[protocol == "rfc5424"]
    sender = SyslogSender(path, protocol=protocol, facility="daemon")  # type: ignore[arg-type]
    counter = make_message()
    sender.send_message(make_message(HOSTILE, type="oldstyle", severity=3))
    sender.send_message(counter)
    sender.close()
    first, second = read_shop(path, 2)
    assert (sender.counts.sent, sender.counts.dropped) == (2, 0)
    assert first[:4] == ["daemon", "3", "shop", "42"]
    assert second[:4] == ["daemon", "6", "shop", "42"]
    assert first[7].strip() == ESCAPED
    assert json.loads(second[7]) == counter
    if protocol == "rfc5424":
        assert first[4:6] == ["oldstyle", "web1"]
        assert second[4] == "counter"
        if path.parent.name == "syslog-ng":  # rsyslogd puts its own time in the place of a local application's
            assert first[6].startswith("2026-03-05T06:07:08")


def test_header_holds_nothing_that_would_end_it(receiver: tuple[Path, Path]) -> None:
    """Neither blanks nor line feeds nor brackets; what is absent or too long is no mistake either."""
    out = receiver[0].parent / "out"
    for path, protocol in zip(receiver, ("local", "rfc5424"), strict=True):
        sender = SyslogSender(path, protocol=protocol)  # type: ignore[arg-type]
        sender.send_message(make_message("1", type="a b\n" * 100, metlog_hostname="", severity=9))
        sender.send_message(make_message("2", type="oldstyle", logger="a b[1]: \n<0>" + "x" * 100))
        sender.send_message({"type": "oldstyle", "payload": "nothing else"})
        sender.close()
        assert sender.counts.sent == 3
    wait_until(lambda: out.exists() and out.read_text().count("nothing else\n") == 2, "all are written")
    lines = [line for line in out.read_text().splitlines() if not line.startswith("syslog|")]
    assert len(lines) == 6
    assert {tuple(line.split("|")[:2]) for line in lines} == {("user", "4"), ("user", "6")}
