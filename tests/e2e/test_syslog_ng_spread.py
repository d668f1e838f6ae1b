"""syslog-ng spreads messages over four instances of our daemon, each host's to one of them, with the files of ours."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.counting import Counting, run_counting
from tests.e2e.daemons import wait_until
from tests.e2e.syslog_ng import SyslogNg, make_lines, render, running_syslog_ng, send

INSTANCES = (1, 2, 3, 4)
HOSTS = [f"host{number}" for number in range(16)]
MESSAGES = 1_250
"""Of each host."""

COUNTED = re.compile(r'^e2e_messages_total{.*route="(\w+)"} (\d+)$', re.MULTILINE)

pytestmark = pytest.mark.slow


def make_syslog_ng(folder: Path) -> SyslogNg:
    """Return a syslog-ng with the files for four instances. Its source takes the names of other hosts."""
    instance = render("instance.conf", folder, {"/run/syslog-pipeline/": f"{folder}/"})
    files = {f"syslog-pipeline@{number}.conf": instance.replace("@1", f"@{number}") for number in INSTANCES}
    files["syslog-pipeline.conf"] = render("spread.conf", folder, {})
    return SyslogNg(folder / "syslog-ng", files, source="keep-hostname(yes) flags(expect-hostname)")


def start_instance(stack: ExitStack, folder: Path, number: int) -> Counting:
    """Run an instance until the stack ends."""
    logs = ("--logs", f"{folder}/log@{number}.fifo", "--state_file", f"{folder}/state@{number}")
    return stack.enter_context(run_counting(folder, *logs, socket_name=f"metrics@{number}.sock"))


def send_all(syslog_ng: SyslogNg, numbers: range) -> None:
    """Send the messages of all hosts, in their order; the last ones come when syslog-ng has the others."""
    send(syslog_ng.log_socket, b"".join(make_lines(host, numbers, f"{host} e2e") for host in HOSTS))
    for host in HOSTS:
        syslog_ng.wait_taken(host, numbers.stop)


def read_counts(counting: Counting) -> dict[str, int]:
    """Return how many messages of each host an instance has counted."""
    page = counting.client.get("/metrics").raise_for_status().text
    return {host: int(count) for host, count in COUNTED.findall(page)}


def wait_counted(instances: dict[int, Counting], hosts: list[str], count: int) -> dict[str, int]:
    """Return which instance counts each host's messages, when so many of each of `hosts` have been counted by these."""
    homes: dict[str, int] = {}

    def is_counted() -> bool:
        counts = {number: read_counts(counting) for number, counting in instances.items()}
        homes.update({host: number for number, counted in counts.items() for host in counted})
        return all(host in homes and counts[homes[host]][host] >= count for host in hosts)

    wait_until(is_counted, f"{count} messages of each host are counted")
    return homes


def test_messages_are_spread_by_host_and_counted_exactly(folder: Path) -> None:
    """The sum is what was sent. While one instance is away the others go on, and nothing of its share is lost."""
    with ExitStack() as stack, running_syslog_ng(make_syslog_ng(folder)) as syslog_ng:
        away = stack.enter_context(ExitStack())
        instances = {number: start_instance(away if number == 2 else stack, folder, number) for number in INSTANCES}
        send_all(syslog_ng, range(MESSAGES // 2))
        homes = wait_counted(instances, HOSTS, MESSAGES // 2)
        assert set(homes) == set(HOSTS)
        assert set(homes.values()) == set(INSTANCES)

        away.close()
        send_all(syslog_ng, range(MESSAGES // 2, MESSAGES))
        others = {number: counting for number, counting in instances.items() if number != 2}
        wait_counted(others, [host for host in HOSTS if homes[host] != 2], MESSAGES)
        instances[2] = start_instance(stack, folder, 2)
        wait_counted(instances, HOSTS, MESSAGES)

        found = {number: read_counts(counting) for number, counting in instances.items()}
        assert found == {number: {host: MESSAGES for host in HOSTS if homes[host] == number} for number in INSTANCES}
        for host, number in homes.items():
            instances[number].assert_exact(host, MESSAGES)
