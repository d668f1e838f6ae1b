"""What the real syslog daemons, and logger(1), write of a message: `decode syslog` reads each of their formats."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.decoders import DecoderOptions, Value
from pipeline.decoders.syslog import SYSLOG, decode_syslog
from pipeline.language.field_values import field_text
from tests.e2e.daemons import DEADLINE_SECONDS, wait_until
from tests.e2e.rsyslog import run_configured
from tests.e2e.syslog_ng import SyslogNg, running_syslog_ng
from tests.ports import find_port

MESSAGE = b'hello: [x] "\xc3\xa9\xff"'
SENT = (
    b"<27>Nov 21 01:13:00 myhost postfix/smtpd[42]: " + MESSAGE + b"\n",
    b'<27>1 2026-11-21T01:13:00.250+01:00 myhost postfix/smtpd 42 ID7 [x@1 a="b\\"\\]"] ' + MESSAGE + b"\n",
)
WORDS: dict[str, Value] = {"hostname": b"myhost", "app": b"postfix/smtpd", "procid": b"42"}
PRIORITY: dict[str, Value] = {"facility": 3, "severity": 3, "facility_text": b"daemon", "severity_text": b"err"}
DATA: dict[str, Value] = {"version": 1, "msgid": b"ID7", "sd": {"x@1": {"a": b'b"]'}}}

RSYSLOG_FORMATS: dict[str, dict[str, Value]] = {
    "RSYSLOG_TraditionalFileFormat": {},
    "RSYSLOG_FileFormat": {},
    "RSYSLOG_TraditionalForwardFormat": PRIORITY,
    "RSYSLOG_ForwardFormat": PRIORITY,
    "RSYSLOG_SyslogProtocol23Format": PRIORITY | DATA,
}
"""The formats of rsyslog, with what they keep beside the words."""

SYSLOG_NG_FILES = """
destination d_plain {{ file("{folder}/plain"); }};
destination d_iso {{ file("{folder}/iso" template("$ISODATE $HOST $MSGHDR$MSG\\n")); }};
destination d_protocol {{ file("{folder}/protocol" flags(syslog-protocol)); }};
log {{ source(s_src); destination(d_plain); destination(d_iso); destination(d_protocol); }};
"""


def decode(line: bytes) -> dict[str, Value]:
    """Return the fields of a line that are there; it must be syslog, with a time."""
    decoded = decode_syslog(line)
    assert decoded is not None, line
    assert SYSLOG.read_time
    assert SYSLOG.read_time(decoded[0], 1_800_000_000 * 10**9, DecoderOptions()) is not None
    return {name: value for name, value in decoded[0].items() if value is not None and name != "timestamp"}


def read_lines(path: Path) -> list[bytes]:
    """Return what a daemon has written of our messages. The formats for forwarding end no line."""
    data = path.read_bytes() if path.exists() else b""
    return [line for line in re.split(rb"\n|(?=<27>)", data) if line.endswith(MESSAGE)]


@pytest.mark.slow
def test_formats_of_rsyslog_are_read(tmp_path: Path) -> None:
    """Escapes for control characters are rsyslog's affair; there are none here."""
    rules = [f'*.* action(type="omfile" file="{tmp_path}/{name}" template="{name}")' for name in RSYSLOG_FORMATS]
    with run_configured(tmp_path, *rules) as rsyslog:
        rsyslog.send(*SENT)
        for name in RSYSLOG_FORMATS:
            wait_until(lambda path=tmp_path / name: len(read_lines(path)) == len(SENT), f"rsyslogd has written {name}")  # type: ignore[misc]
    for name, kept in RSYSLOG_FORMATS.items():
        for_5424 = WORDS | kept | {"message": MESSAGE}
        for_3164 = {key: value for key, value in for_5424.items() if key not in ("msgid", "sd")}
        if "version" in for_3164:
            for_3164["app"] = b"postfix"  # for rsyslog, the name of an application ends at a slash
        assert [decode(line) for line in read_lines(tmp_path / name)] == [for_3164, for_5424], name


@pytest.mark.slow
def test_formats_of_syslog_ng_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "syslog-ng"
    syslog_ng = SyslogNg(folder, {"files.conf": SYSLOG_NG_FILES.format(folder=folder)})
    with running_syslog_ng(syslog_ng):
        syslog_ng.send_datagram(SENT[0].replace(b"myhost ", b""))
        for name in ("plain", "iso", "protocol"):
            wait_until(lambda path=folder / name: read_lines(path), f"syslog-ng has written {name}")  # type: ignore[misc]
    kept = {"plain": {}, "iso": {}, "protocol": {**PRIORITY, "version": 1}}
    for name, others in kept.items():
        [found] = [decode(line) for line in read_lines(folder / name)]
        assert found.pop("hostname"), name
        found.pop("sd", None)  # timeQuality
        expected = {key: value for key, value in WORDS.items() if key != "hostname"}
        assert found == {**expected, **others, "message": MESSAGE}, name


# What they make of the same messages -------------------------------------------------------------

TAGGED = [b"h a[1]: m", b"h a: m: n", b"h a:m", b"h a[1] m", b"h a[1]:  m", b"h a:"]
TAGGED += [b"h.example.org b-c.d_e[x]: m", b"10.0.0.1 %ASA-6-1: m", b"h (a)[1]: m"]
STAMPS = [b"2026-11-21T01:13:00.123456Z", b"2026-11-21T01:13:00.25+01:00"]
OLD_STAMPS = [
    b"Nov  1 01:13:00",
    b"Nov 01 01:13:00",
    b"Nov 21 2026 01:13:00",
    b"Nov 21 01:13:00.123",
    b"Dec 31 23:59:60",
]
DATA_AND_MESSAGES = [b"- m", b"-", b"- ", b'[x@1 a="1"] m', b'[x@1 a="1"]', b"[x] m"]
DATA_AND_MESSAGES += [b'[x a="\\"\\]\\\\\\n" b=""][y_z c="2"] [m]']
READ_ALIKE = [
    *(b"<27>Nov 21 01:13:00 " + rest for rest in TAGGED),
    *(b"<27>" + stamp + b" h a[1]: m" for stamp in STAMPS + OLD_STAMPS),
    *(b"<27>1 " + STAMPS[0] + b" h a p i " + rest for rest in DATA_AND_MESSAGES),
    *(b"<27>1 " + stamp + b" h a p i - m" for stamp in (STAMPS[1], b"-", b"2026-11-21T01:13:60Z")),
    *(b"<%d>1 - h a p i - m" % priority for priority in (0, 7, 8, 191)),
    *(b"<%d>Nov 21 01:13:00 h a: m" % priority for priority in (0, 191)),
]
"""Each has a host name and a tag, as the RFCs want them. To rsyslog a tag ends at a slash, too; syslog-ng makes tables
of names with dots."""

RSYSLOG_NAMES = {
    "raw": "rawmsg",
    "facility": "syslogfacility",
    "severity": "syslogseverity",
    "hostname": "hostname",
    "app": "app-name",
    "procid": "procid",
    "msgid": "msgid",
    "message": "msg",
}
"""What it calls our fields."""
RSYSLOG_JSON = "".join(
    f'property(outname="{name}" name="{source}" format="jsonf")\n' for name, source in RSYSLOG_NAMES.items()
)
SYSLOG_NG_JSON = """
source s_port {{ network(ip("127.0.0.1") port({port}) flags(syslog-protocol, store-raw-message)); }};
destination d_json {{ file("{folder}/json" template("$(format-json raw=$RAWMSG facility=$FACILITY_NUM
    severity=$LEVEL_NUM hostname=$HOST app=$PROGRAM procid=$PID msgid=$MSGID message=$MESSAGE --key .SDATA.*)\\n")); }};
log {{ source(s_port); destination(d_json); }};
"""


def read_json(path: Path) -> dict[bytes, dict[str, object]]:
    """Return what a daemon has read of each of our messages."""
    data = path.read_bytes() if path.exists() else b""
    found = [json.loads(line) for line in data.split(b"\n")[:-1]]
    return {one.pop("raw").rstrip("\n").encode(): one for one in found}


def spell(line: bytes) -> dict[str, str]:
    """Return what we read of a message, as texts; what is absent is empty."""
    record = decode_syslog(line)
    assert record is not None, line
    values = ((name, record[0].get(name)) for name in RSYSLOG_NAMES if name != "raw")
    return {name: "" if value is None else field_text(name, value).decode() for name, value in values}


@pytest.mark.slow
def test_rsyslog_reads_the_same(tmp_path: Path) -> None:
    """But for the space before a message of RFC 3164, which it keeps."""
    output = tmp_path / "json"
    template = f'template(name="all" type="list" option.jsonf="on") {{ {RSYSLOG_JSON} }}'
    with run_configured(tmp_path, template, f'*.* action(type="omfile" file="{output}" template="all")') as rsyslog:
        rsyslog.send(*(line + b"\n" for line in READ_ALIKE))
        wait_until(lambda: len(read_json(output)) == len(set(READ_ALIKE)), "rsyslogd has written all")
    for line, found in read_json(output).items():
        texts = {name: "" if value == "-" else str(value) for name, value in found.items()}
        if b">1 " not in line:
            texts["message"] = texts["message"].removeprefix(" ")
        assert texts == spell(line), line


@pytest.mark.slow
def test_syslog_ng_reads_the_same(tmp_path: Path) -> None:
    """The structured data, too."""
    folder, port = tmp_path / "syslog-ng", find_port()
    output = folder / "json"
    syslog_ng = SyslogNg(
        folder, {"json.conf": SYSLOG_NG_JSON.format(folder=folder, port=port)}, options="keep_hostname(yes);"
    )
    with running_syslog_ng(syslog_ng):
        with socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS) as sender:
            sender.sendall(b"".join(line + b"\n" for line in READ_ALIKE))
        wait_until(lambda: len(read_json(output)) == len(set(READ_ALIKE)), "syslog-ng has written all")
    for line, found in read_json(output).items():
        data = found.pop("_SDATA", {})
        assert found == spell(line), line
        decoded = decode_syslog(line)
        assert decoded is not None
        ours = json.loads(field_text("$sd", decoded[0].get("sd") or {}))
        assert data == {name: parameters or "" for name, parameters in ours.items()}, line


@contextmanager
def receiving(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(DEADLINE_SECONDS)
        receiver.bind(str(path))
        yield receiver


@pytest.mark.parametrize(
    ("options", "has_host", "data"),
    [
        ((), False, None),
        (("--rfc3164",), True, None),
        (("--rfc5424",), True, b"1"),
        (("--rfc5424=notime,notq,nohost",), False, None),
        (("--rfc5424", "--sd-id", "x@1", "--sd-param", 'a="b\\"\\]"'), True, b"1"),
    ],
    ids=["local", "3164", "5424", "5424-bare", "5424-data"],
)
def test_formats_of_logger_are_read(
    options: tuple[str, ...], has_host: bool, data: bytes | None, tmp_path: Path
) -> None:
    """The first is what a program sends to /dev/log."""
    with receiving(tmp_path / "log") as receiver:
        command = ["logger", "--socket", str(tmp_path / "log"), "--tag", "app", "--id=42", "-p", "daemon.err", *options]
        subprocess.run([*command, "--", "hello: [x]"], check=True, timeout=DEADLINE_SECONDS)
        decoded = decode_syslog(receiver.recv(4096))
    assert decoded is not None
    record = {name: value for name, value in decoded[0].items() if value is not None}
    assert ("hostname" in record) == has_host
    assert {name: record[name] for name in PRIORITY} == PRIORITY
    assert (record["app"], record["procid"], record["message"]) == (b"app", b"42", b"hello: [x]")
    quality = record.get("sd", {})
    assert isinstance(quality, dict)
    assert ("timeQuality" in quality) == (data is not None)
    if "--sd-id" in options:
        assert quality["x@1"] == {"a": b'b"]'}
