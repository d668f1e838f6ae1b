"""Our daemon and the real mtail beside each other: the same programs, the same log, and their pages over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.e2e.daemons import DEADLINE_SECONDS, HTTP_SOCKET, is_open, run_pipeline, running, wait_until
from tests.ports import find_port

OUR_LINES = re.compile(r"^syslog_pipeline_lines_total (\S+)$", re.MULTILINE)


@dataclass(slots=True)
class Pair:
    """Both daemons, which follow `log`."""

    log: Path
    ours: httpx.Client
    theirs: httpx.Client
    lines: int = 0

    def feed(self, lines: list[bytes]) -> None:
        """Append lines to the log, and wait until both have run their programs on all of them."""
        with self.log.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))
        self.lines += len(lines)
        wait_until(lambda: self.count_ours() == self.lines, f"{self.lines} lines are read by us")
        wait_until(lambda: self.count_theirs() == self.lines, f"{self.lines} lines are read by mtail")

    def count_ours(self) -> int:
        """Return how many lines we have read."""
        found = OUR_LINES.search(self.ours.get("/metrics").text)
        return int(found[1]) if found else 0

    def count_theirs(self) -> int:
        """Return how many lines mtail has read. Its /metrics would hang on a name that Prometheus does not know."""
        return int(self.theirs.get("/debug/vars").json()["lines_total"])


@contextmanager
def run_pair(
    programs: Path, folder: Path, *flags: str, our_flags: Sequence[str] = (), their_flags: Sequence[str] = ()
) -> Iterator[Pair]:
    """Run both until the block ends, on a log that is empty, with the same flags, and some of their own."""
    log, port = folder / "log", find_port()
    log.touch()
    common = ["--progs", str(programs), *flags]
    command = [
        "mtail",
        "--address",
        "127.0.0.1",
        "--port",
        str(port),
        "--logtostderr",
        "--logs",
        str(log),
        *common,
        *their_flags,
    ]
    transport = httpx.HTTPTransport(uds=str(folder / HTTP_SOCKET))
    with (
        running(command, folder / "mtail.out", ready=lambda: is_open(port)),
        run_pipeline(folder, "--logs", f"file://{log}", *common, *our_flags),
        httpx.Client(transport=transport, base_url="http://ours", timeout=DEADLINE_SECONDS) as ours,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_SECONDS) as theirs,
    ):
        yield Pair(log, ours, theirs)


def list_lines(client: httpx.Client, path: str) -> list[bytes]:
    """Return the lines of a page, sorted, since mtail's have no order."""
    answer = client.get(path).raise_for_status()
    assert answer.headers["content-type"] == "text/plain"
    *lines, rest = answer.content.split(b"\n")
    assert rest == b""
    return sorted(lines)


def list_metrics(client: httpx.Client) -> list[bytes]:
    """Return the texts of the metrics on `/json`, sorted. Strings hold no line feed, and no byte there is NUL."""
    answer = client.get("/json").raise_for_status()
    assert answer.headers["content-type"] == "application/json"
    page = answer.content
    assert (page[:4], page[-2:]) == (b"[\n  ", b"\n]")
    return sorted(page[4:-2].replace(b",\n  {\n", b"\0{\n").split(b"\0"))
