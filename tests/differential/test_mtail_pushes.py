"""What is pushed to Graphite, statsd and collectd, by us and by the real mtail: the same lines, but for the order.

Both have the same flags; ours, `--statsd_totals`, too. Where the lines differ on purpose, `DIFFERENCES` says how.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.differential.pages import Pair, run_pair
from tests.differential.receivers import TAKEN, Receivers, receiving
from tests.differential.test_mtail_pages import KINDS, NOT_JSON, VALUES, spell_line
from tests.e2e.daemons import wait_until

pytestmark = pytest.mark.slow

SHIPPED = Path(__file__).parents[2] / "pipeline" / "programs"
DESTINATIONS = ("graphite", "statsd", "collectd")
FLAGS = ("--metric_push_interval=100ms", "--graphite_prefix=logs.100%d.", "--statsd_prefix=s.", "--collectd_prefix=c-")


@dataclass(frozen=True, slots=True)
class Difference:
    """A line of mtail's that `pattern` is found in is another one of ours: with `to` in its place, or none at all."""

    destination: str
    pattern: bytes
    to: bytes | Callable[[re.Match[bytes]], bytes] | None
    why: str


def clean_type(found: re.Match[bytes]) -> bytes:
    """Return an identifier whose last part has neither slashes nor control characters."""
    return found[1] + re.sub(rb"[\x00-\x1f\x7f/]", b"_", found[2])


DIFFERENCES = (
    Difference(
        "graphite", rb"[\x00-\x20\x7f;/](?=.* \S+ -?\d+$)", b"_", "carbon ends the path, or makes a tag or a folder"
    ),
    Difference("graphite", rb"(?<=\.count) \d+ (?=\S+$)", b" ? ", "mtail shows the count of another series"),
    Difference("graphite", rb"(?<=\.bin_)(\S+) \d+ (?=\S+$)", rb"\1 ? ", "mtail shows a bucket of another series"),
    Difference(
        "statsd", rb"[\x00-\x20\x7f:|@#;](?=.*:[^:]*$)", b"_", "statsd ends the name, or begins a rate or a tag"
    ),
    Difference("statsd", rb":(NaN|[+-]Inf)\|\w+$", None, "statsd takes no such number"),
    Difference("statsd", rb":-\d+\|ms$", None, "statsd takes no time below zero"),
    Difference("statsd", rb":-0\|g$", b":0|g", "statsd adds what begins with a sign"),
    Difference("statsd", rb"\|$", b"|g", "statsd takes no line without a type"),
    Difference("collectd", rb'(?<!^PUTVAL )["\\](?=.*" interval=)', rb"\\\g<0>", "collectd ends the identifier"),
    Difference(
        "collectd",
        rb'^(PUTVAL "[^/]*/[^/]*/)(.*?)(?=" interval=)',
        clean_type,
        "collectd ends the command, or the part",
    ),
    Difference(
        "collectd", rb" (0|-\d+):\S+$", None, "collectd refuses that time, or takes it for one in the far future"
    ),
    Difference("collectd", rb"(?<=/counter-)(.*:\d+)\.\d+$", rb"\1", "collectd counts whole numbers"),
    Difference("collectd", rb"/histogram-", b"/gauge-", "collectd knows no such type"),
    Difference("collectd", rb'/[a-z]+-(?:\\.|[^\\"]){128,}" interval=', None, "collectd refuses so long a name"),
)

ADDITIONS = {
    "graphite": rb"(?!)",
    "statsd": rb"\.(bin_\S+|count):\d+\|g$",
    "collectd": rb'/counter-.*-(bin_[^-]+|count)" ',
}
"""Lines of ours that mtail has no like of: the buckets and the count of histograms."""


def mend(destination: str, lines: Sequence[bytes]) -> list[bytes]:
    """Return what we make of lines of mtail's."""
    for one in DIFFERENCES:
        if one.destination == destination:
            lines = list(change(one, lines))
    return sorted(lines)


def change(one: Difference, lines: Sequence[bytes]) -> Iterator[bytes]:
    """Yield lines with one difference."""
    pattern = re.compile(one.pattern)
    for line in lines:
        if one.to is not None:
            yield pattern.sub(one.to, line)
        elif not pattern.search(line):
            yield line


def leave_out_additions(destination: str, lines: Sequence[bytes]) -> list[bytes]:
    """Return lines of ours without those that mtail has no like of."""
    addition = re.compile(ADDITIONS[destination])
    zeros = {line.rpartition(b":")[0] + b":0|g" for line in lines if re.search(rb":-[^:]*\|g$", line)}
    return [line for line in lines if not addition.search(line) and line not in zeros]


@dataclass(frozen=True, slots=True)
class PushingPair:
    """Both daemons, and where each pushes to."""

    pair: Pair
    ours: Receivers
    theirs: Receivers
    began: int

    def list_both(self, destination: str, program: str) -> tuple[list[bytes], list[bytes]]:
        """Return the lines of a push of ours, and of one of mtail's, without the differences."""
        marker = MARKERS[destination] % program.encode()
        if destination == "collectd":
            ours = self.list_newest()
        else:
            ours = getattr(self.ours, destination).wait_push(marker)
        theirs: Sequence[bytes] = getattr(self.theirs, destination).wait_push(marker)
        ours = leave_out_additions(destination, ours)
        if destination == "graphite":  # the buckets and counts are those of another series in mtail's lines
            ours = mend(destination, ours)
        return self.hide_now(ours), self.hide_now(mend(destination, theirs))

    def list_newest(self) -> Sequence[bytes]:
        """Return what we send to a collectd first: later, what has not changed has the time of the push."""
        self.ours.collectd.hang_up()
        before = self.count_pushes()
        wait_until(lambda: self.count_pushes() > before + 2, "a push has failed at most, and one has not")
        lines = self.ours.collectd.lines[self.ours.collectd.first :]
        return [*{line.partition(b'" interval=')[0]: line for line in reversed(lines)}.values()]

    def count_pushes(self) -> int:
        """Return how often we have pushed to collectd."""
        found = PUSHES.search(self.pair.ours.get("/metrics").text)
        return int(found[1]) if found else 0

    def hide_now(self, lines: Sequence[bytes]) -> list[bytes]:
        """Return lines without the times that were taken from the clock: each side has read the log at its own."""
        run = range(self.began, time.time_ns() // SECOND + 1)
        return sorted(TIME.sub(lambda found: b" now" if int(found[1]) in run else found[0], line) for line in lines)


MARKERS = {"graphite": b".%b ", "statsd": b".%b:", "collectd": b'-%b" '}
"""What stands in one line of each push: the name of a metric without labels."""

PUSHES = re.compile(r'^syslog_pipeline_push_total\{destination="collectd"\} (\d+)$', re.MULTILINE)
TIME = re.compile(rb" (\d{10})(?=$|:[^: ]+$)")
SECOND = 1_000_000_000


@contextmanager
def run_pushing_pair(programs: Path, folder: Path) -> Iterator[PushingPair]:
    """Run both until the block ends."""
    with receiving(folder / "ours.sock", TAKEN) as ours, receiving(folder / "theirs.sock") as theirs:
        our_flags = (*ours.flags, "--statsd_totals")
        with run_pair(programs, folder, *FLAGS, our_flags=our_flags, their_flags=theirs.flags) as pair:
            yield PushingPair(pair, ours, theirs, time.time_ns() // SECOND)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushingPair]:
    """Both, with a metric of every kind, and each value read."""
    with run_pushing_pair(KINDS, tmp_path_factory.mktemp("kinds")) as pushing:
        pushing.pair.feed([spell_line(place, value) for place, value in enumerate(VALUES)])
        pushing.pair.feed([spell_line(59 - place, value) for place, value in enumerate(NOT_JSON)])
        yield pushing


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushingPair]:
    """Both, with all programs that we ship, and the samples of their logs read."""
    logs = [path.read_bytes().splitlines() for path in sorted(SHIPPED.glob("*.log"))]
    with run_pushing_pair(SHIPPED, tmp_path_factory.mktemp("shipped")) as pushing:
        pushing.pair.feed([line for log in logs for line in log])
        yield pushing


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_lines_of_every_kind_are_mtails(kinds: PushingPair, destination: str) -> None:
    """With values that are hard to write, and labels that are."""
    ours, theirs = kinds.list_both(destination, "lines_total")
    assert ours == theirs
    assert len(ours) > 60
    assert not any(b"secret" in line for line in ours)


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_lines_of_shipped_programs_are_mtails(shipped: PushingPair, destination: str) -> None:
    """Those that come with us, with the samples of their logs."""
    ours, theirs = shipped.list_both(destination, "nginx_http_request_duration_seconds")
    assert ours == theirs
    assert len(ours) > 100
