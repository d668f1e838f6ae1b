"""metlog from end to end: applications in four processes, the router, and all it sends to; every message accounted for."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.daemons import wait_until
from tests.e2e.metlog_application import ERROR_EVERY, TIMER_NAMES
from tests.e2e.metlog_site import PROCESSES, Site, open_site
from tests.e2e.receivers import Mood
from tests.e2e.test_logrotate import KilledError, rotate

pytestmark = pytest.mark.slow

ROUNDS = 200
"""Sent at once by each process; several such in a test."""

ROTATE = """{folder}/archive.json {{
    rotate 20
    create
    postrotate
        kill -HUP {process}
    endscript
}}
"""


@pytest.fixture
def site(folder: Path) -> Iterator[Site]:
    """All but the daemon, which is started in a test."""
    with open_site(folder) as site:
        yield site


def read_archive(folder: Path) -> list[dict[str, object]]:
    """Return the messages in the file and in what was rotated."""
    return [json.loads(line) for path in folder.glob("archive.json*") for line in path.read_text().splitlines()]


def list_ids(messages: list[dict[str, object]]) -> list[str]:
    """Return the identities of messages, in order."""
    return sorted(message["fields"]["id"] for message in messages)  # type: ignore[index] # each has them


def test_every_message_arrives_where_it_belongs_once(site: Site) -> None:
    """While the HTTP server fails, goes and comes back, Sentry is busy, and the file is rotated."""
    site.audit.mood = site.sentry.mood = Mood.BUSY
    with site.running() as daemon, site.sentry.serving():
        with site.audit.serving():
            site.send(ROUNDS)
            wait_until(lambda: site.audit.failed and site.sentry.failed, "both have failed")
            site.audit.mood = Mood.HANGING_UP
            site.begin(ROUNDS)
            rotate(site.folder, ROTATE, daemon.pid)
            site.wait()
        site.begin(ROUNDS)
        rotate(site.folder, ROTATE, daemon.pid)
        site.wait()
        site.audit.mood = site.sentry.mood = Mood.GOOD
        with site.audit.serving():
            site.wait_own("metlog_lines_total", site.sent)
            wait_until(lambda: not site.read_own("metlog_queued"), "nothing waits")
            check_pages(site)
            check_accounts(site)
            check_statsd(site)
    assert list_ids(site.audit.list_messages()) == site.list_identities()
    assert sorted(event["extra"]["id"] for event in site.sentry.list_events()) == site.list_identities(ERROR_EVERY)
    errors = site.list_identities(ERROR_EVERY)
    assert list_ids(read_archive(site.folder)) == sorted([*site.list_identities(), *errors])
    assert len(list(site.folder.glob("archive.json.*"))) == 2


def check_pages(site: Site) -> None:
    """All counters, timers and gauges are in our store, by process, and all requests came to the program, and no more."""
    rounds = site.rounds
    processes = [str(number) for number in range(PROCESSES)]
    total = rounds * (rounds - 1) // 2
    assert site.read_values("rounds_total", "process") == dict.fromkeys(processes, rounds)
    assert site.read_values("numbers_total", "process") == dict.fromkeys(processes, total)
    assert site.read_values("level", "process") == dict.fromkeys(processes, rounds - 1)
    timers = [f"work_{number}_seconds" for number in range(TIMER_NAMES)]
    counts = [site.read_values(f"{name}_count", "process") for name in timers]
    assert counts == [dict.fromkeys(processes, len(range(number, rounds, TIMER_NAMES))) for number in range(TIMER_NAMES)]
    seconds = sum(value for name in timers for value in site.read_values(f"{name}_sum", "process").values())
    assert seconds == pytest.approx(PROCESSES * total / 1000)
    assert site.read_values("lines_seen_total", "kind") == {"request": PROCESSES * rounds}
    assert site.read_values("requests_seen_total", "id") == dict.fromkeys(site.list_identities(), 1)


def check_accounts(site: Site) -> None:
    """What was sent was taken, and of what an endpoint took it tells what became."""
    all_rounds, errors = PROCESSES * site.rounds, len(site.list_identities(ERROR_EVERY))
    assert site.read_own("metlog_lines_total") == site.sent
    assert site.read_own("metlog_invalid_total") == 0
    assert site.read_own("metlog_unrouted_total") == all_rounds
    taken = {
        "store": 4 * all_rounds,
        "statsd": 4 * all_rounds,
        "audit": all_rounds,
        "programs": all_rounds,
        "sentry": errors,
        "archive": all_rounds + errors,
    }
    dropped = {"drop": all_rounds}
    assert site.read_accounts("taken_total") == taken | dropped
    assert site.read_accounts("delivered_total") == taken | dict.fromkeys(dropped, 0)
    assert site.read_accounts("dropped_total") == dict.fromkeys(taken, 0) | dropped
    for name in ("refused_total", "queued"):
        assert site.read_accounts(name) == dict.fromkeys(taken | dropped, 0)


def check_statsd(site: Site) -> None:
    """It has got what our store has, of all processes together, and each time."""
    rounds = site.rounds
    statsd = site.statsd
    wait_until(lambda: statsd.list_numbers("counters").get("rounds") == PROCESSES * rounds, "statsd has all")
    assert statsd.list_numbers("counters") == {
        "rounds": PROCESSES * rounds,
        "numbers": PROCESSES * rounds * (rounds - 1) / 2,
    }
    timers = {name: sorted(json.loads(values)) for name, values in statsd.list_members("timers").items()}
    assert timers == {
        f"work_{number}": sorted([*range(number, rounds, TIMER_NAMES)] * PROCESSES) for number in range(TIMER_NAMES)
    }
    assert statsd.count_bad_lines() == 0
