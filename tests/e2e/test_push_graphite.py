"""Values on their way to the real carbon: what is in its whisper files is what our store holds."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.carbon import Carbon, make_carbon
from tests.e2e.daemons import HTTP_SOCKET, fetch_metrics, run_pipeline, wait_until

PROGRAM = """counter lines_total
counter words_total by word
counter pairs_total by b, a
gauge level by name
histogram sizes by kind buckets 1, 2.5, 10
text said
hidden counter secret_total
lines_total++
secret_total++
/^word (?P<word>.*)$/ {
  words_total[$word]++
}
/^pair (?P<a>\\S+) (?P<b>\\S+)$/ {
  pairs_total[$b][$a]++
}
/^level (?P<name>\\S+) (?P<level>-?\\d+)$/ {
  level[$name] = $level
}
/^real (?P<name>\\S+) (?P<level>\\S+)$/ {
  said = $level
}
/^size (?P<kind>\\S+) (?P<size>[\\d.]+)$/ {
  sizes[$kind] = $size
}
"""

LINES = [
    b"word plain",
    b"word a.dotted.value",
    b"word two words",
    b"word x 1 1\tmade.up",
    b"word x\xe2\x80\xa8made.up 99 1700000000",
    b"word ../../../etc/passwd",
    b"word tag;made=up",
    b"word caf\xc3\xa9 \xff\xfe",
    b'word "quoted" \\ back',
    b"pair one two",
    b"level most 9223372036854775807",
    b"level least -9223372036854775807",
    b"size small 0.5",
    b"size small 2",
    b"size large 1000",
    b"real text 1",
]

EXPECTED = {
    "lines_total": 16.0,
    "words_total.word.plain": 1.0,
    "words_total.word.a_dotted_value": 1.0,
    "words_total.word.two_words": 1.0,
    "words_total.word.x_1_1_made_up": 1.0,
    "words_total.word.x_made_up_99_1700000000": 1.0,
    "words_total.word._________etc_passwd": 1.0,
    "words_total.word.tag_made=up": 1.0,
    "words_total.word.café_\ufffd\ufffd": 1.0,
    'words_total.word."quoted"_\\_back': 1.0,
    "pairs_total.a.one.b.two": 1.0,
    "level.name.most": float(2**63 - 1),
    "level.name.least": float(-(2**63) + 1),
    "sizes.kind.small.bin_1": 1.0,
    "sizes.kind.small.bin_2.5": 1.0,
    "sizes.kind.small.bin_10": 0.0,
    "sizes.kind.small.bin_inf": 0.0,
    "sizes.kind.small.count": 2.0,
    "sizes.kind.small": 2.5,
    "sizes.kind.large.bin_1": 0.0,
    "sizes.kind.large.bin_2.5": 0.0,
    "sizes.kind.large.bin_10": 0.0,
    "sizes.kind.large.bin_inf": 1.0,
    "sizes.kind.large.count": 1.0,
    "sizes.kind.large": 1000.0,
}

OWN = re.compile(r'^syslog_pipeline_(push_\w+)\{destination="graphite"\} (\S+)$', re.MULTILINE)


def read_own(folder: Path) -> dict[str, float]:
    """Return what the daemon counts about its pushes to Graphite."""
    page = fetch_metrics(folder / HTTP_SOCKET)
    return {name: float(value) for name, value in OWN.findall(page)}


@pytest.fixture(scope="module")
def carbon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carbon]:
    """A carbon for all tests that do not stop it."""
    made = make_carbon(tmp_path_factory.mktemp("carbon"))
    with made.run():
        yield made


def write_program(folder: Path) -> list[str]:
    """Write the program, and return the flags of a daemon that runs it."""
    (folder / "all.mtail").write_text(PROGRAM)
    return ["--progs", str(folder / "all.mtail"), "--logs", str(folder / "log.fifo")]


def list_values(carbon: Carbon, prefix: str) -> dict[str, float]:
    """Return the values below a prefix, without that and the name of the program."""
    start = f"{prefix}all.mtail."
    return {path.removeprefix(start): value for path, value in carbon.read_values().items() if path.startswith(start)}


def has_value(carbon: Carbon, prefix: str, path: str, value: float) -> bool:
    """Whether carbon has `value` there."""
    return list_values(carbon, prefix).get(path) == value


def has_more_failures(folder: Path, before: dict[str, float]) -> bool:
    """Whether a push has failed since `before`."""
    return read_own(folder)["push_failures_total"] > before["push_failures_total"]


@pytest.mark.slow
def test_every_value_reaches_a_whisper_file(carbon: Carbon, tmp_path: Path) -> None:
    """Of each kind, with labels in order; bytes of any kind in a label make no series but their own."""
    flags = [*write_program(tmp_path), "--metric_push_interval", "100ms", "--graphite_prefix", "site.one."]
    with run_pipeline(tmp_path, *flags, "--graphite_host_port", f"127.0.0.1:{carbon.port}"):
        (tmp_path / "log.fifo").write_bytes(b"\n".join(LINES) + b"\n")
        wait_until(lambda: list_values(carbon, "site.one.") == EXPECTED, "carbon has all values")
        own = read_own(tmp_path)
    assert own["push_failures_total"] == 0
    assert own["push_total"] > 0
    assert own["push_duration_seconds_count"] == own["push_total"]
    assert own["push_last_success_timestamp_seconds"] > 1e9
    assert "invalid line" not in carbon.read_log()
    assert [path for path in carbon.read_values() if not path.startswith(("site.one.", "carbon."))] == []


@pytest.mark.slow
def test_last_values_are_pushed_at_the_end(carbon: Carbon, tmp_path: Path) -> None:
    """An interval that never comes, and a stop that follows the lines at once."""
    flags = [*write_program(tmp_path), "--metric_push_interval", "1h", "--graphite_prefix", "at.the.end."]
    with run_pipeline(tmp_path, *flags, "--graphite_host_port", f"localhost:{carbon.port}"):
        (tmp_path / "log.fifo").write_bytes(b"word last\n" * 1000)
    wait_until(
        lambda: list_values(carbon, "at.the.end.") == {"lines_total": 1000.0, "words_total.word.last": 1000.0},
        "carbon has the last values",
    )


@pytest.mark.slow
def test_carbon_comes_and_goes(tmp_path: Path) -> None:
    """Pushes fail as long as it is away, each counted, and reach it when it is back; lines are counted all the time."""
    carbon = make_carbon(tmp_path / "carbon")
    flags = [*write_program(tmp_path), "--metric_push_interval", "100ms", "--graphite_prefix", "c."]
    with run_pipeline(tmp_path, *flags, "--graphite_host_port", f"127.0.0.1:{carbon.port}"):
        wait_until(lambda: read_own(tmp_path)["push_failures_total"] >= 2, "pushes have failed")
        for number in (1, 2):
            (tmp_path / "log.fifo").write_bytes(b"word again\n")
            with carbon.run():
                wait_until(partial(has_value, carbon, "c.", "words_total.word.again", number), "carbon has the value")
            wait_until(partial(has_more_failures, tmp_path, read_own(tmp_path)), "pushes fail again")
    log = (tmp_path / "pipeline.out").read_text()
    assert f"WARNING Push to graphite at 127.0.0.1:{carbon.port} failed: connection refused. The next push" in log
    assert log.count(" works again, after ") == 2


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("graphite_host_port", "localhost", "--graphite_host_port 'localhost' names no host and port"),
        ("graphite_host_port", "localhost:70000", "--graphite_host_port 'localhost:70000' names no host and port"),
        ("graphite_prefix", "a b.", "--graphite_prefix must have neither blanks nor control characters."),
        ("metric_push_interval", "10ms", "--metric_push_interval must be at least 100ms, or 0 to push nothing."),
        ("metric_push_write_deadline", "0", "--metric_push_write_deadline must be more than 0."),
    ],
)
def test_wrong_setting_stops_the_start(tmp_path: Path, flag: str, value: str, told: str) -> None:
    """One sentence, and status 2."""
    command = ["syslog-pipeline", "run", *write_program(tmp_path), f"--{flag}={value}"]
    ended = subprocess.run(
        [str(Path(__file__).parents[2] / ".venv" / "bin" / command[0]), *command[1:]], capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port to which a connection is never made: the queue of its server is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.socket() as first:
        address = server.getsockname()
        first.connect(address)
        yield address[1]


@pytest.mark.slow
def test_destination_that_hangs_holds_nothing_up(deaf_port: int, tmp_path: Path) -> None:
    """Lines are counted and scrapes answered meanwhile; the end is not put off beyond its time, and says so."""
    flags = [*write_program(tmp_path), "--metric_push_interval", "100ms", "--shutdown_timeout", "2s"]
    with run_pipeline(tmp_path, *flags, "--graphite_host_port", f"127.0.0.1:{deaf_port}"):
        (tmp_path / "log.fifo").write_bytes(b"word x\n" * 20_000)
        wait_until(
            lambda: '\nlines_total{prog="all.mtail"} 20000\n' in fetch_metrics(tmp_path / HTTP_SOCKET),
            "all lines are counted",
        )
        assert read_own(tmp_path)["push_total"] == 0
    log = (tmp_path / "pipeline.out").read_text()
    assert "WARNING The last values were not pushed to graphite within " in log
    assert log.endswith("INFO All sources are closed. The metrics are no longer served.\n")
