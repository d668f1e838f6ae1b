"""What is served at /json, /varz and /graphite, by us and by the real mtail: the same bytes, but for the order.

mtail writes metrics in no order, so that lines and objects are sorted before they are compared.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.differential.mtail import EXAMPLES, SECOND
from tests.differential.pages import Pair, list_lines, list_metrics, run_pair
from tests.generators.damage import damage_lines
from tests.generators.examples import EXAMPLE_LOGS
from tests.generators.shapes import take_lines

pytestmark = pytest.mark.slow

KINDS = Path(__file__).with_name("kinds.mtail")
FLAGS = ((), ("--emit_prog_label=false", "--graphite_prefix=logs.100%d."))

VALUES = (
    *("0", "1", "7", "1234567", "9223372036854775807", "-9223372036854775808"),
    *("0.5", "0.1", "1e300", "1e-9", "123456.75", "1e21", "-0.0", "1e6", "999999.5"),
    *("word", "a.b.c", "a-b_c", "a_b.c", "/index.html", "x=y,z={}", '"quoted"', "back\\slash", "%s%d%%", "<a&b>"),
    *("two words", "", "\t", "\x00\x01\x7f", "café", "日本語 😀"),
)
"""Each is a label value, the value of a text, and that of a number where it is one."""

NOT_JSON = ("NaN", "+Inf", "-Inf", "Infinity")
"""Numbers with which mtail answers /json with an error."""

SHARED_EXAMPLES = ("apache_common", "dhcpd", "lighttpd", "linecount", "ntpd", "postfix", "rsyncd", "sftp", "vsftpd")
LINES = 400

SERIES_PARTS = re.compile(rb"_seconds\.\S+\.(bin_|count )")
"""On /graphite the buckets and the count of a series of a histogram. mtail shows those of the first series for all."""


def spell_line(place: int, value: str) -> bytes:
    """Return a line of the log: a time, the value, where it is from. The first is before 1970, and no full second."""
    when = f"2021-03-04T05:06:{place:02}" if place else "1969-12-31T23:59:57.5"
    return f"{when} {value} of {value}{place % 3}".encode()


@pytest.fixture(scope="module", params=FLAGS, ids=["plain", "with flags"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both daemons, with a metric of every kind, and each value read that JSON can hold."""
    with run_pair(KINDS, tmp_path_factory.mktemp("pair"), *request.param) as pair:
        pair.feed([spell_line(place, value) for place, value in enumerate(VALUES)])
        yield pair


def test_json_is_mtails(pair: Pair) -> None:
    """But for the hidden metrics, which this old mtail leaves out, and for the daemon's own."""
    ours = [text for text in list_metrics(pair.ours) if b'"Program": "kinds.mtail"' in text]
    shown = [text for text in ours if b'"Hidden": true' not in text]
    assert len(ours) - len(shown) == 1
    assert shown == list_metrics(pair.theirs)


@pytest.mark.parametrize("path", ["/varz", "/graphite"])
def test_lines_are_mtails(pair: Pair, path: str) -> None:
    """Those of infinities and of what is no number, too."""
    if pair.lines == len(VALUES):
        pair.feed([spell_line(59 - place, value) for place, value in enumerate(NOT_JSON)])
    ours = list_lines(pair.ours, path)
    assert ours == list_lines(pair.theirs, path)
    assert sum(b"broken" in line and b" NaN" in line for line in ours) == 1
    assert not any(b"secret" in line for line in ours)


def test_examples_give_the_pages_mtail_gives(tmp_path: Path) -> None:
    """Programs beside each other. A time that was taken from the clock is the same as any other of this test."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in SHARED_EXAMPLES:
        shutil.copy(EXAMPLES / f"{name}.mtail", programs)
    shapes = [shape for name in SHARED_EXAMPLES for shape in EXAMPLE_LOGS[name]]
    log = [line for shape in shapes for line in damage_lines(take_lines(shape, LINES, seed=9), Random(2))]
    began = time.time_ns() // SECOND
    with run_pair(programs, tmp_path) as pair:
        pair.feed([line.encode() for line in log])
        pages = [[list_lines(client, path) for client in (pair.ours, pair.theirs)] for path in ("/varz", "/graphite")]
    run = range(began, time.time_ns() // SECOND + 1)
    for ours, theirs in pages:
        assert hide_differences(ours, run) == hide_differences(theirs, run)
        assert len(ours) > 100


def hide_differences(lines: list[bytes], run: range) -> list[bytes]:
    """Return lines without the times of this run, and without the buckets that mtail shows of another series."""
    texts = [re.sub(rb" (\d+)$", lambda found: b" now" if int(found[1]) in run else found[0], line) for line in lines]
    return sorted(text for text in texts if not SERIES_PARTS.search(text))
