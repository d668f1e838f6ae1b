"""Rotel, a real receiver of OTLP, which sends on what it has taken."""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.daemons import is_open, running
from tests.ports import find_port


@dataclass(frozen=True, slots=True)
class Rotel:
    """A rotel that runs."""

    port: int
    sink_port: int
    """Where it sends what it has taken, with the names of metrics and all else as it has read them."""
    log: Path

    @property
    def url(self) -> str:
        """Where it takes OTLP over HTTP."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def run_rotel(folder: Path, again: Rotel | None = None) -> Iterator[Rotel]:
    """Run rotel with its files in `folder`: a new one, or one `again`."""
    package = importlib.util.find_spec("rotel")
    assert package is not None
    assert package.origin is not None
    log = folder / "rotel.out"
    receiver = again or Rotel(find_port(), find_port(), log)
    command = [
        str(Path(package.origin).with_name("rotel-agent")),
        "start",
        f"--otlp-http-endpoint=127.0.0.1:{receiver.port}",
        f"--otlp-grpc-endpoint=127.0.0.1:{find_port()}",
        "--exporter=otlp",
        "--otlp-exporter-protocol=http",
        f"--otlp-exporter-endpoint=http://127.0.0.1:{receiver.sink_port}",
        "--otlp-exporter-compression=none",
        "--batch-timeout=20ms",
        f"--pid-file={folder / 'rotel.pid'}",
        f"--log-file={folder / 'rotel.log'}",
    ]
    # Asked to end, it would try for long to send on what came last, to a test that is over.
    end = signal.SIGKILL
    with running(command, log, ready=lambda: is_open(receiver.port), stop=end, status=-end):
        yield receiver
