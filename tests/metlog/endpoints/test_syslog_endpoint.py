"""The endpoint `syslog`: what the real rsyslogd and syslog-ng read is what was sent."""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from pipeline.endpoint_settings import SyslogEndpointSettings
from pipeline.metlog.endpoints.message import Message
from pipeline.metlog.endpoints.syslog_message import MAX_BYTES, SyslogForm, escape_control
from tests.e2e.daemons import answers, running, wait_until
from tests.e2e.syslog_ng import SyslogNg, running_syslog_ng
from tests.metlog.endpoints.messages import NOW, make_message
from tests.metlog.endpoints.running import opened, send_all

FORM = SyslogForm(facility=16, enterprise=32473, host="here")

MESSAGES = [
    make_message(
        type="oldstyle",
        logger="shop",
        severity=3,
        payload="it broke",
        metlog_pid=77,
        metlog_hostname="web1",
        fields={"user": "u 1", "n": 5},
    ),
    make_message(payload="a\nb\t\x1b[31mc\x00d\x7f", fields={"quote": 'a"b]c\\d', "x=y z": "ü\n"}),
    make_message(
        type="a b", logger="ä" * 99, severity=0, payload="ünï 🦉 \u2028<14>1 - - - - - - no", metlog_hostname="a b"
    ),
    make_message(payload="", fields={"list": [1, {"a": None}], "null": None}),
]

HEAD = "2023-11-14T22:13:20.000000Z"
EXPECTED = [
    f'<131>1 {HEAD} web1 shop 77 oldstyle [metlog@32473 user="u 1" n="5"] it broke',
    f'<134>1 {HEAD} here - - test [metlog@32473 quote="a\\"b\\]c\\\\d" x_y_z="ü#012"] a#012b#011#033[31mc#000d#177',
    f"<128>1 {HEAD} a_b {'_' * 48} - a_b - ünï 🦉 #20050<14>1 - - - - - - no",
    f'<134>1 {HEAD} here - - test [metlog@32473 list="[1,{{\\"a\\":null}}\\]" null=""]',
]


def write(message: Message) -> str:
    """Return a message as it is sent."""
    return FORM.write(message.record, message.time).decode()


@pytest.mark.parametrize(("message", "expected"), list(zip(MESSAGES, EXPECTED, strict=True)), ids=range(len(EXPECTED)))
def test_message_follows_the_rfc(message: Message, expected: str) -> None:
    """Each field of the head, the structured data, and the payload on one line."""
    assert write(message) == expected


def test_work_for_a_message_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what a stranger sends, no more is escaped than a message could hold; small fields are still found."""
    escaped: list[int] = []

    def note(text: str) -> str:
        escaped.append(len(text))
        return escape_control(text)

    monkeypatch.setattr(f"{SyslogForm.__module__}.escape_control", note)
    fields = {"large": "x" * 10**5, **{f"n{number}": number for number in range(10_000)}}
    text = write(make_message(payload="\x01" * 10**5, fields=fields))
    assert 'n0="0" n1="1"' in text
    assert len(text) == MAX_BYTES
    assert sum(escaped) < 5 * MAX_BYTES


# RFC 5424 section 6: the grammar, with the lengths of its fields.
SYSLOG_MSG = re.compile(
    r"<(?:[0-9]|[1-9][0-9]|1[0-8][0-9]|19[01])>1 "
    r"(?:-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) "
    r"[!-~]{1,255} [!-~]{1,48} [!-~]{1,128} [!-~]{1,32} "
    r'(?:-|\[metlog@32473(?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\])'
    r"(?: .*)?"
)


@given(
    st.text(),
    st.text(),
    st.text(),
    st.text(),
    st.integers(0, 7),
    st.integers(-(2**63), 2**63 - 1),
    st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text())),
    st.sampled_from(["1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"]),
)
def test_any_message_makes_one_valid_line(
    payload: str,
    logger: str,
    kind: str,
    host: str,
    severity: int,
    pid: int,
    fields: dict[str, object],
    stamp: str,
) -> None:
    """By the grammar of RFC 5424, whatever is in it."""
    more = {"metlog_hostname": host, "metlog_pid": pid, "fields": fields, "timestamp": stamp}
    text = write(make_message(payload=payload, logger=logger, type=kind, severity=severity, **more))
    assert SYSLOG_MSG.fullmatch(text), text
    assert text.splitlines() == [text]


def test_long_message_is_cut() -> None:
    """The payload at its end, the fields where they have no room; the rest is whole."""
    long = make_message(payload="ü" * 10_000, fields={"a": "x" * 3000, "b": "y" * 3000, "c": "z"})
    text = write(long)
    assert MAX_BYTES - 1 <= len(text.encode()) <= MAX_BYTES
    assert f'[metlog@32473 a="{"x" * 3000}" c="z"] üüü' in text


RSYSLOG_CONF = r"""
global(workDirectory="{folder}" net.enableDNS="off")
module(load="imuxsock" SysSock.Use="off")
module(load="imptcp")
input(type="imuxsock" Socket="{folder}/datagram" CreatePath="off" RateLimit.Interval="0" UseSpecialParser="off"
      ParseHostname="on" UseSysTimeStamp="off" IgnoreTimestamp="off")
input(type="imptcp" path="{folder}/stream" unlink="on")
template(name="all" type="string" string="{template}\n")
if $syslogtag contains "rsyslogd" then {{ stop }}
action(type="omfile" file="{folder}/out" template="all")
"""


PROPERTIES = (
    "pri", "timestamp:::date-rfc3339", "hostname", "app-name", "procid", "msgid", "structured-data", "msg",
)  # fmt: skip


@contextmanager
def reading_rsyslogd(folder: Path) -> Iterator[None]:
    """Run an rsyslogd that writes what it has read."""
    template = "|".join(f"%{name}%" for name in PROPERTIES)
    (folder / "conf").write_text(RSYSLOG_CONF.format(folder=folder, template=template))
    command = ["rsyslogd", "-n", "-f", str(folder / "conf"), "-i", str(folder / "pid")]
    with running(command, folder / "said", ready=lambda: answers_on_both(folder)):
        yield


def answers_on_both(folder: Path) -> bool:
    """Return whether the daemon has opened all that it reads."""
    return answers(folder / "datagram", socket.SOCK_DGRAM) and answers(folder / "stream", socket.SOCK_STREAM)


SYSLOG_NG_CONF = """
source s_metlog {{
    unix-dgram("{folder}/datagram" flags(syslog-protocol)); unix-stream("{folder}/lines" flags(syslog-protocol));
}};
destination d_out {{ file("{folder}/out"
    template("${{PRI}}|${{S_ISODATE}}|${{HOST}}|${{PROGRAM}}|${{PID}}|${{MSGID}}|${{SDATA}}|${{MSG}}\n")
    frac-digits(6) time-zone("+00:00")); }};
log {{ source(s_metlog); destination(d_out); flags(final); }};
"""


@contextmanager
def reading_syslog_ng(folder: Path) -> Iterator[None]:
    """Run a syslog-ng that writes what it has read."""
    conf = SYSLOG_NG_CONF.format(folder=folder)
    with running_syslog_ng(SyslogNg(folder / "ng", {"metlog.conf": conf}, options="keep_hostname(yes);")):
        yield


@pytest.fixture
def folder() -> Iterator[Path]:
    """One whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="syslog-") as name:
        yield Path(name)


DAEMONS = {
    "rsyslogd datagram": (reading_rsyslogd, "datagram"),
    "rsyslogd stream": (reading_rsyslogd, "stream"),
    "syslog-ng datagram": (reading_syslog_ng, "datagram"),
    "syslog-ng lines": (reading_syslog_ng, "lines"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", DAEMONS)
def test_real_daemon_reads_what_was_sent(kind: str, folder: Path) -> None:
    """Each field of each message, and no line more than there are messages."""
    run, transport = DAEMONS[kind]
    kind_of_socket = socket.SOCK_DGRAM if transport == "datagram" else socket.SOCK_STREAM
    with run(folder):
        wait_until(lambda: answers(folder / transport, kind_of_socket), "it listens")
        trio.run(send, SyslogEndpointSettings(socket=folder / transport, transport=transport, facility="local0"))
        wait_until(lambda: (folder / "out").exists() and count_lines(folder) >= len(MESSAGES), "it has read them")
    lines = [split_line(line) for line in (folder / "out").read_text().splitlines()]
    assert lines == [split_sent(text) for text in EXPECTED]


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["datagram", "stream"])
def test_daemon_that_was_restarted_gets_what_waits(transport: str, folder: Path) -> None:
    """Over the socket that it makes anew."""
    settings = SyslogEndpointSettings(socket=folder / transport, transport=transport)
    trio.run(send_around_restart, settings, folder)
    assert count_lines(folder) == 2 * len(MESSAGES)


async def send_around_restart(settings: SyslogEndpointSettings, folder: Path) -> None:
    """Send the messages to one daemon, and then to another in its place."""
    async with opened(settings) as endpoint:
        for number in (1, 2):
            endpoint.take(MESSAGES, NOW)
            if number == 2:
                assert not await endpoint.attempt()
            with reading_rsyslogd(folder):
                await send_all(endpoint)
                assert endpoint.counts.delivered == number * len(MESSAGES)
                wait_until(
                    lambda: (folder / "out").exists() and count_lines(folder) >= endpoint.counts.delivered,
                    "it has read them",
                )


async def send(settings: SyslogEndpointSettings) -> None:
    """Send the messages."""
    async with opened(settings) as endpoint:
        endpoint.take(MESSAGES, NOW)
        await send_all(endpoint)
        assert endpoint.counts.delivered == len(MESSAGES), endpoint.counts


def count_lines(folder: Path) -> int:
    """Return how many lines a daemon has written."""
    return (folder / "out").read_bytes().count(b"\n")


def split_line(line: str) -> list[str]:
    """Return the fields that a daemon has read. Both write a nil field as `-` or not at all."""
    pri, stamp, *fields = line.split("|", 7)
    time = re.sub(r"(\.\d{6})?(\+00:00|Z)$", ".000000Z", stamp)
    fields[4] = fields[4].partition("[meta sequenceId=")[0]  # of syslog-ng's own
    return [pri, time, *(field.strip() or "-" for field in fields)]


def split_sent(text: str) -> list[str]:
    """Return the same of what was sent."""
    found = re.fullmatch(r"<(\d+)>1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|\[.*\"\])(?: (.*))?", text)
    assert found is not None
    return [field or "-" for field in found.groups()]
