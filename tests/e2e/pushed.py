"""Lines for `pushed.mtail`, with all that is hard to push, and our daemon before a receiver."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.daemons import HTTP_SOCKET, fetch_metrics, run_pipeline, wait_until

PROGRAM = Path(__file__).with_name("pushed.mtail")

WORDS = (
    *(
        b"plain",
        b"a.dotted.value",
        b"two words",
        b"tab\there",
        b"with-dash",
        b"caf\xc3\xa9 \xff\xfe",
        b'"quoted" \\ back',
    ),
    *(b"x:9|c", b"x|g#tag:made,up", b"x@0.1", b"x;tag=made", b"../../../etc/passwd", b"\x00\x01\x7f\x1b[2J"),
    *(b"\xca\x8amade.up:9|c", b"\xe2\x80\xa8made.up 9 1700000000", b"carriage\rreturn\x85"),
    *(b'" interval=1 N:9', b'" N:9\rPUTVAL "made/up/gauge-x" N:9', b"%s %d %%", b"", b"N:U:9"),
)
"""Values of labels, as a stranger may put them into a log."""

LINES = (
    *(b"word %b" % word for word in WORDS),
    rb'{"word": "line\nmade.up:9|c\nmade.up 9 1700000000\n\nPUTVAL \"made/up/gauge-y\" N:9"}',
    *(b"word plain", b"word plain"),
    b"pair one two",
    *(b"sum whole 1e6", b"sum parts 1.5", b"sum parts 0.25", b"sum none NaN", b"sum below -7", b"sum huge 1e300"),
    *(b"level most 9223372036854775807", b"level least -9223372036854775807", b"level zero 0"),
    *(
        b"real huge 1e300",
        b"real minuszero -0.0",
        b"real nan NaN",
        b"real inf +Inf",
        b"real minf -Inf",
        b"real low -2.5",
    ),
    *(b"took some 20", b"took below -1"),
    *(b"size small 0.5", b"size small 2", b"size large 1000", b"size low -3"),
)

OWN = re.compile(r'^syslog_pipeline_(push_\w+)\{destination="\w+"\} (\S+)$', re.MULTILINE)


@contextmanager
def run_pushing(folder: Path, *flags: str) -> Iterator[Path]:
    """Run our daemon with the program until the block ends; give the pipe that it reads."""
    fifo = folder / "log.fifo"
    with run_pipeline(folder, "--progs", str(PROGRAM), "--logs", str(fifo), *flags):
        yield fifo


def read_own(folder: Path) -> dict[str, float]:
    """Return what the daemon counts about its pushes."""
    return {name: float(value) for name, value in OWN.findall(fetch_metrics(folder / HTTP_SOCKET))}


def wait_pushes(folder: Path, count: int = 1) -> None:
    """Return when so many more pushes have ended that began and ended after now."""
    before = read_own(folder)["push_total"]
    wait_until(lambda: read_own(folder)["push_total"] > before + count, "there are more pushes")
