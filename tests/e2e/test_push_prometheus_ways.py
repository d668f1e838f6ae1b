"""The daemon before the real Pushgateway, and with a file for the real node exporter's collector."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.daemons import HTTP_SOCKET, fetch_metrics, run_pipeline, wait_until
from tests.ports import find_port
from tests.pushers.awkward import spell_sample
from tests.pushers.gateway import Gateway, run_gateway

PROGRAM = "counter words_total by word\n/^word (?P<word>.*)$/ {\n  words_total[$word]++\n}\n"

DESTINATIONS = ("pushgateway", "textfile")

OWN = re.compile(r'^syslog_pipeline_(push_\w+)\{destination="(\w+)"\} (\S+)$', re.MULTILINE)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway of the test's own."""
    with run_gateway(tmp_path) as running:
        yield running


def write_program(folder: Path) -> list[str]:
    """Write the program, and return the flags of a daemon that runs it."""
    (folder / "p.mtail").write_text(PROGRAM)
    return ["--progs", str(folder / "p.mtail"), "--logs", str(folder / "log.fifo")]


def read_own(folder: Path) -> dict[tuple[str, str], float]:
    """Return what the daemon counts about its pushes, by metric and destination."""
    return {
        (name, destination): float(value)
        for name, destination, value in OWN.findall(fetch_metrics(folder / HTTP_SOCKET))
    }


def has_value(gateway: Gateway, word: str, value: float) -> bool:
    """Whether the gateway has that value of a word."""
    samples, _ = gateway.read_page("logs")
    return samples.get(spell_sample("words_total", word=word, prog="p.mtail")) == value


@pytest.mark.slow
def test_group_has_the_values_of_the_daemon_and_goes_with_it(gateway: Gateway, tmp_path: Path) -> None:
    """While another destination gets the same, whose file stays."""
    file = tmp_path / "words.prom"
    flags = [*write_program(tmp_path), "--metric_push_interval=100ms", f"--textfile_path={file}"]
    flags += ["--pushgateway_job=logs", "--pushgateway_grouping=none", "--pushgateway_delete_on_exit"]
    with run_pipeline(tmp_path, *flags, f"--pushgateway_url={gateway.url}"):
        (tmp_path / "log.fifo").write_bytes(b'word a"\\\xff\nword b\nword b\n')
        wait_until(partial(has_value, gateway, 'a"\\\ufffd', 1), "the gateway has a")
        wait_until(partial(has_value, gateway, "b", 2), "the gateway has b")
        wait_until(partial(has_pushed_to_all, tmp_path), "both have been pushed to")
        own = read_own(tmp_path)
        (tmp_path / "log.fifo").write_bytes(b"word last\n")
    assert gateway.list_groups() == []
    assert file.read_text().splitlines()[2:] == [
        'words_total{prog="p.mtail",word="a\\"\\\\\ufffd"} 1',
        'words_total{prog="p.mtail",word="b"} 2',
        'words_total{prog="p.mtail",word="last"} 1',
    ]
    failures = {destination: value for (name, destination), value in own.items() if name == "push_failures_total"}
    assert failures == dict.fromkeys(DESTINATIONS, 0)


def has_pushed_to_all(folder: Path) -> bool:
    """Whether each destination has taken something."""
    times = [value for (name, _), value in read_own(folder).items() if name == "push_last_success_timestamp_seconds"]
    return len(times) == len(DESTINATIONS) and all(time > 1e9 for time in times)


@pytest.mark.slow
def test_gateway_comes_and_goes(tmp_path: Path) -> None:
    """It forgets everything when it goes, and has it again when it is back; what failed meanwhile is counted."""
    port = find_port()
    flags = [*write_program(tmp_path), "--metric_push_interval=100ms", "--pushgateway_job=logs"]
    flags += [f"--pushgateway_url=http://127.0.0.1:{port}", "--pushgateway_grouping=none"]
    with run_pipeline(tmp_path, *flags):
        for number in (1, 2):
            (tmp_path / "log.fifo").write_bytes(b"word again\n")
            before = read_own(tmp_path)
            wait_until(partial(has_more, tmp_path, "push_failures_total", before), "pushes fail")
            with run_gateway(tmp_path, port) as gateway:
                wait_until(partial(has_value, gateway, "again", number), "the gateway has the value")
                last_success = "push_last_success_timestamp_seconds"
                wait_until(partial(has_more, tmp_path, last_success, before), "the gateway has answered")
    log = (tmp_path / "pipeline.out").read_text()
    assert "/metrics/job/logs failed: connection refused. The next push is in 0.1 s." in log
    assert log.count(" works again, after ") == 2


def has_more(folder: Path, name: str, before: dict[tuple[str, str], float]) -> bool:
    """Whether a number about the pushes to the gateway has grown since."""
    return read_own(folder).get((name, "pushgateway"), 0) > before.get((name, "pushgateway"), 0)
