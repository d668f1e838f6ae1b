"""Values on their way to the real carbon-c-relay, over its unix socket: what it passes on is what our store holds."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.daemons import answers, running, wait_until
from tests.e2e.pushed import read_own, run_pushing

pytestmark = pytest.mark.slow

CONF = """listen type linemode {folder}/relay.sock proto unix;
cluster kept file {folder}/kept;
match * send to kept stop;
"""

LINES = b"word plain\nword a.dotted value\nlevel most 9223372036854775807\nreal huge 1e300\nsum parts 1.5\n"

EXPECTED = {
    "lines_total": "5",
    "words_total.word.plain": "1",
    "words_total.word.a_dotted_value": "1",
    "level.name.most": "9223372036854775807",
    "real.name.huge": "1e+300",
    "sums_total.name.parts": "1.5",
}


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay that runs, or that can be started. It writes the lines it gets to a file."""

    folder: Path

    @property
    def socket(self) -> Path:
        """The socket that it listens on."""
        return self.folder / "relay.sock"

    @contextmanager
    def run(self) -> Iterator[None]:
        """Run it until the block ends."""
        self.folder.mkdir(exist_ok=True)
        conf = self.folder / "relay.conf"
        conf.write_text(CONF.format(folder=self.folder))
        command = ["carbon-c-relay", "-f", str(conf), "-s", "-w", "1"]
        ready = partial(answers, self.socket, socket.SOCK_STREAM)
        # Asked to end, it takes two seconds for that.
        with running(command, self.folder / "relay.out", ready=ready, stop=signal.SIGKILL, status=-signal.SIGKILL):
            yield

    def read_values(self) -> dict[str, str]:
        """Return the newest value of each path."""
        kept = self.folder / "kept"
        lines = kept.read_text().splitlines() if kept.exists() else []
        return {
            path.removeprefix("site.pushed.mtail."): value for path, value, _ in (line.split(" ") for line in lines)
        }


def test_relay_gets_every_value(tmp_path: Path) -> None:
    """It was not there at first."""
    relay = Relay(tmp_path / "relay")
    flags = ("--metric_push_interval", "100ms", "--graphite_prefix", "site.", "--graphite_host_port")
    with run_pushing(tmp_path, *flags, f"unix://{relay.socket}") as fifo:
        fifo.write_bytes(LINES)
        wait_until(lambda: read_own(tmp_path)["push_failures_total"], "a push has failed")
        with relay.run():
            wait_until(lambda: relay.read_values() == EXPECTED, "the relay has all values")
    log = (tmp_path / "pipeline.out").read_text()
    assert f"WARNING Push to graphite at {relay.socket} failed: " in log
    assert log.count(" works again, after ") == 1
