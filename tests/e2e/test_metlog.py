"""metlog from end to end: four processes that send, the router, all that it sends to; every message accounted for."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemons import wait_until
from tests.e2e.manager import Manager, managing
from tests.e2e.metlog_application import ERROR_EVERY, TIMER_NAMES, count_messages
from tests.e2e.metlog_site import FILE, PROCESSES, Site, open_site
from tests.e2e.receivers import Mood
from tests.e2e.statsd import Statsd
from tests.e2e.test_logrotate import rotate

pytestmark = pytest.mark.slow

ROUNDS = 200
"""Sent at once by each process; several such in a test."""

AUDITED, ARCHIVED = frozenset({"audit user"}), frozenset({"oldstyle said", "oldstyle failed"})
"""The sorts of messages that belong to the HTTP server and into the file: their type, and how their payload begins."""

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


def read_archive(folder: Path) -> list[dict[str, Any]]:
    """Return the messages in the file and in what was rotated."""
    return [json.loads(line) for path in folder.glob("archive.json*") for line in path.read_text().splitlines()]


def list_ids(messages: list[dict[str, Any]], sorts: frozenset[str]) -> list[str]:
    """Return the identities of messages, in order. All must be of these sorts: identities alone are those of any."""
    assert {f"{message['type']} {message['payload'].partition(' ')[0]}" for message in messages} <= sorts
    return sorted(message["fields"]["id"] for message in messages)


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
            wait_until(lambda: not site.read().sum_own("metlog_queued"), "nothing waits")
            check_pages(site)
            check_accounts(site)
            check_statsd(site)
    assert list_ids(site.audit.list_messages(), AUDITED) == site.list_identities()
    assert sorted(event["extra"]["id"] for event in site.sentry.list_events()) == site.list_identities(ERROR_EVERY)
    for event in site.sentry.list_events():
        check_event(event)
    errors = site.list_identities(ERROR_EVERY)
    assert list_ids(read_archive(site.folder), ARCHIVED) == sorted([*site.list_identities(), *errors])
    assert len(list(site.folder.glob("archive.json.*"))) == 2


def test_what_comes_while_the_daemon_is_away_is_told_of(site: Site) -> None:
    """Messages find it again. What waits for the HTTP server outlives the stop; what nobody took is counted."""
    site.audit.mood = Mood.BUSY
    flags = ("--state_file", f"{site.folder}/state")
    with site.sentry.serving(), site.audit.serving():
        with site.running(*flags):
            site.send(ROUNDS)
            site.wait_own("metlog_lines_total", site.sent)
            received = site.read().sum_own("metlog_lines_total")
        site.send(ROUNDS)
        site.audit.mood = Mood.GOOD
        with site.running(*flags):
            site.send(ROUNDS)
            counts = [application.end() for application in site.applications]
            sent = sum(one["sent"] for one in counts)
            site.wait_own("metlog_lines_total", sent - received)
            wait_until(lambda: not site.read().sum_own("metlog_queued"), "nothing waits")
            page = site.read()
    rounds = [*range(ROUNDS), *range(2 * ROUNDS, 3 * ROUNDS)]
    identities = sorted(f"{process}-{number}" for process in range(PROCESSES) for number in rounds)
    assert page.sum_own("metlog_lines_total") == sent - received
    assert page.list_values("rounds_total", "process") == {str(number): 2 * ROUNDS for number in range(PROCESSES)}
    assert page.list_values("requests_seen_total", "id") == dict.fromkeys(identities, 1)
    assert list_ids(site.audit.list_messages(), AUDITED) == identities
    told = [message["fields"] for message in read_archive(site.folder) if message["type"] == "metlog.dropped"]
    assert sum(one["lost"] for one in told) == sum(one["dropped"] for one in counts)
    assert sum(one["dropped"] for one in counts) == count_messages(ROUNDS) * PROCESSES


def test_socket_that_systemd_keeps_loses_nothing(folder: Path) -> None:
    """Applications that send while nobody reads wait for the next run, after a stop and after `kill -9`."""
    with open_site(folder) as site, site.sentry.serving(), site.audit.serving():
        manager = Manager(folder, site.command, environment={"FDSTORE": "8"})
        with managing(manager):
            manager.start()
            seen = 0
            for end in (manager.kill, manager.stop, manager.stop):
                site.begin(ROUNDS)
                if seen:
                    manager.start()
                site.wait()
                site.wait_own("metlog_lines_total", site.sent - seen)
                wait_until(lambda: not site.read().sum_own("metlog_queued"), "nothing waits")
                assert site.read().sum_own("metlog_lines_total") == site.sent - seen
                seen = site.sent
                end()
            counts = [application.end() for application in site.applications]
        check_statsd(site)
    assert sum(one["dropped"] for one in counts) == 0
    assert list_ids(site.audit.list_messages(), AUDITED) == site.list_identities()
    errors = site.list_identities(ERROR_EVERY)
    assert sorted(event["extra"]["id"] for event in site.sentry.list_events()) == errors
    assert list_ids(read_archive(site.folder), ARCHIVED) == sorted([*site.list_identities(), *errors])


def test_impatient_applications_and_the_kernel_agree(folder: Path) -> None:
    """While the daemon stands still, what finds no room is dropped at once and counted; all else arrives."""
    with open_site(folder, timeout_seconds=0) as site, site.running() as daemon:
        daemon.send_signal(signal.SIGSTOP)
        wait_until(lambda: read_state(daemon.pid) == "T", "the daemon stands still")
        site.send(ROUNDS)
        daemon.send_signal(signal.SIGCONT)
        counts = [application.end() for application in site.applications]
        sent, dropped = (sum(one[name] for one in counts) for name in ("sent", "dropped"))
        site.wait_own("metlog_lines_total", sent)
        assert site.read().sum_own("metlog_lines_total") == sent
    assert dropped > 0
    assert sent + dropped == site.sent


def test_killed_daemon_delivers_at_least_once(folder: Path) -> None:
    """`kill -9` again and again: the HTTP server gets each message, and our store and the program count each once.

    The applications write a file, so that nothing is lost with the daemon's socket.
    """
    flags = ("--read_positions", "--state_file", f"{folder}/state", "--state_interval", "10ms")
    with open_site(folder, place=FILE) as site, site.sentry.serving(), site.audit.serving():
        for mood in (Mood.BUSY, Mood.FORGETFUL, Mood.GOOD):
            site.audit.mood = mood
            with site.killing(*flags):
                seen = len(site.audit.kept) + site.audit.failed
                site.begin(ROUNDS)
                wait_until(lambda: len(site.audit.kept) + site.audit.failed > seen, "the HTTP server is asked")  # noqa: B023 - called at once
            site.wait()
        with site.running(*flags):
            identities = site.list_identities()
            wait_until(
                lambda: set(list_ids(site.audit.list_messages(), AUDITED)) >= set(identities), "all have arrived"
            )
            wait_until(
                # A request comes behind all that is counted of its round.
                lambda: sum(site.read().list_values("requests_seen_total", "id").values()) >= len(identities),
                "all are counted",
            )
            check_pages(site)
            wait_until(lambda: not site.read().sum_own("metlog_queued"), "nothing waits")
    arrived = list_ids(site.audit.list_messages(), AUDITED)
    assert set(arrived) == set(identities)
    assert len(arrived) > len(identities), "those that were kept without an answer came again"


def read_state(process: int) -> str:
    """Return the state of a process, proc(5)."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]


def check_pages(site: Site) -> None:
    """All counters, timers and gauges are in our store, by process; requests came to the program, and nothing else."""
    page, rounds = site.read(), site.rounds
    processes = [str(number) for number in range(PROCESSES)]
    total = rounds * (rounds - 1) // 2
    assert page.list_values("rounds_total", "process") == dict.fromkeys(processes, rounds)
    assert page.list_values("numbers_total", "process") == dict.fromkeys(processes, total)
    assert page.list_values("level", "process") == dict.fromkeys(processes, rounds - 1)
    timers = [f"work_{number}_seconds" for number in range(TIMER_NAMES)]
    counts = [page.list_values(f"{name}_count", "process") for name in timers]
    assert counts == [
        dict.fromkeys(processes, len(range(number, rounds, TIMER_NAMES))) for number in range(TIMER_NAMES)
    ]
    seconds = sum(value for name in timers for value in page.list_values(f"{name}_sum", "process").values())
    assert seconds == pytest.approx(PROCESSES * total / 1000)
    assert page.list_values("lines_seen_total", "kind") == {"request": PROCESSES * rounds}
    assert page.list_values("requests_seen_total", "id") == dict.fromkeys(site.list_identities(), 1)


def check_event(event: dict[str, Any]) -> None:
    """Sentry is told of the exception, of where it came from, and what was said of it."""
    (exception,) = event["exception"]["values"]
    assert (event["level"], event["logger"], event["platform"]) == ("fatal", "shop", "python")
    assert (exception["type"], exception["module"]) == ("LookupError", "builtins")
    assert exception["value"] == f"no stock for {event['extra']['id']}"
    frames = exception["stacktrace"]["frames"]
    assert [frame["function"] for frame in frames] == ["send_round", "sell"]
    assert event["message"]["formatted"].startswith(f"failed at {event['extra']['id']}")


def check_accounts(site: Site) -> None:
    """What was sent was taken, and of what an endpoint took it tells what became."""
    page = site.read()
    all_rounds, errors = PROCESSES * site.rounds, len(site.list_identities(ERROR_EVERY))
    assert page.sum_own("metlog_lines_total") == site.sent
    assert page.sum_own("metlog_invalid_total") == 0
    assert page.sum_own("metlog_unrouted_total") == all_rounds
    taken = {
        "store": 4 * all_rounds,
        "statsd": 4 * all_rounds,
        "audit": all_rounds,
        "programs": all_rounds,
        "sentry": errors,
        "archive": all_rounds + errors,
    }
    dropped = {"drop": all_rounds}
    assert page.list_accounts("taken_total") == taken | dropped
    assert page.list_accounts("delivered_total") == taken | dict.fromkeys(dropped, 0)
    assert page.list_accounts("dropped_total") == dict.fromkeys(taken, 0) | dropped
    for name in ("refused_total", "queued"):
        assert page.list_accounts(name) == dict.fromkeys(taken | dropped, 0)


def count_timers(statsd: Statsd) -> int:
    """Return how many values of timers have come."""
    return sum(len(json.loads(values)) for values in statsd.list_members("timers").values())


def check_statsd(site: Site) -> None:
    """It has got what our store has, of all processes together, and each time."""
    rounds = site.rounds
    statsd = site.statsd
    wait_until(lambda: statsd.list_numbers("counters").get("rounds") == PROCESSES * rounds, "statsd has all rounds")
    # The gauge is the last of a round; it alone may be there although those of others are on their way.
    wait_until(lambda: count_timers(statsd) == PROCESSES * rounds, "statsd has all timers")
    wait_until(lambda: statsd.list_numbers("gauges") == {"level": rounds - 1}, "statsd has the last gauge")
    assert statsd.list_numbers("counters") == {
        "rounds": PROCESSES * rounds,
        "numbers": PROCESSES * rounds * (rounds - 1) / 2,
    }
    timers = {name: sorted(json.loads(values)) for name, values in statsd.list_members("timers").items()}
    assert timers == {
        f"work_{number}": sorted([*range(number, rounds, TIMER_NAMES)] * PROCESSES) for number in range(TIMER_NAMES)
    }
    assert statsd.count_bad_lines() == 0
