"""One rsyslogd spreads the messages of many hosts over four instances of ours."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.shipped import render_shipped
from tests.e2e.daemons import wait_until
from tests.e2e.rsyslog import Held, hold_pipeline, run_configured

INSTANCES = 4
HOSTS = [f"host{number}" for number in range(12)]
FIRST = 200
MESSAGES = 8_000
"""Of each host. What comes for one instance while it is stopped is more than its pipe holds."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def instances() -> Iterator[list[Held]]:
    """Four daemons, each behind a pipe of its own."""
    with ExitStack() as stack:
        folders = [
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"ri{number}-")))
            for number in range(1, INSTANCES + 1)
        ]
        yield [stack.enter_context(hold_pipeline(folder)) for folder in folders]


def render_instances(instances: list[Held]) -> list[str]:
    """Return what is copied once for each instance, and what spreads."""
    text = render_shipped("rsyslog/instance.conf", {})
    pipes = ("/run/syslog-pipeline/log@{}.fifo", "{}")
    copies = [
        text.replace("@1", f"@{number}").replace(pipes[0].format(number), str(held.fifo))
        for number, held in enumerate(instances, 1)
    ]
    return [*copies, render_shipped("rsyslog/spread.conf", {})]


def test_each_host_goes_to_one_instance_whatever_another_does(instances: list[Held], folder: Path) -> None:
    """Over all instances nothing is lost, doubled or out of order, and one that is stopped holds up none."""
    with run_configured(folder, *render_instances(instances)) as rsyslog:
        for host in HOSTS:
            rsyslog.send_numbers(host, range(FIRST))
        wait_until(lambda: sum(count_hosts(held, FIRST) for held in instances) == len(HOSTS), "all hosts have come")
        homes = {host: next(held for held in instances if read(held, host)) for host in HOSTS}
        stopped = homes[HOSTS[0]]
        stopped.manager.stop()
        for host in HOSTS:
            rsyslog.send_numbers(host, range(FIRST, MESSAGES))
        for host in HOSTS:
            if homes[host] is not stopped:
                homes[host].counting.wait_counted(host, MESSAGES)
        stopped.manager.start()
        wait_until(lambda: count_hosts(stopped, MESSAGES) == list(homes.values()).count(stopped), "the rest has come")
    for host in HOSTS:
        homes[host].counting.assert_exact(host, MESSAGES)
    assert sum(read(held, host) for held in instances for host in HOSTS) == MESSAGES * len(HOSTS)
    assert all(any(read(held, host) for host in HOSTS) for held in instances)


def read(held: Held, host: str) -> float:
    """Return how many messages of a host an instance has counted."""
    return held.counting.read_counter("messages", host)


def count_hosts(held: Held, messages: int) -> int:
    """Return of how many hosts an instance has counted so many messages."""
    return sum(read(held, host) == messages for host in HOSTS)
