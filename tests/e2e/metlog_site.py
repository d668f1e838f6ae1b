"""All that takes part in metlog: the real daemon, real destinations, and processes that send."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.daemons import HTTP_SOCKET, ROOT, fetch_metrics, run_pipeline, wait_until
from tests.e2e.metlog_application import count_messages
from tests.e2e.receivers import Receiver, SentryReceiver
from tests.e2e.statsd import Statsd, make_statsd
from tests.e2e.test_logrotate import KilledError

PROCESSES = 4

SOCKET, FILE = "metlog.sock", "metlog.log"
"""What the applications send to."""

PATIENT_SECONDS = 60.0
"""So nothing is dropped while the daemon reads, however slow the machine: the kernel keeps ten datagrams for it."""

PROGRAM = """counter requests_seen_total by id
counter lines_seen_total by kind

decode metlog {
  lines_seen_total[$type]++
  $fields.status == 200 {
    requests_seen_total[$fields.id]++
  }
}
"""

SETTINGS = """
[metlog]
sources = ["{source}"]

[metlog.endpoint.store]
kind = "store"
labels = ["process"]

[metlog.endpoint.statsd]
kind = "statsd"
address = "127.0.0.1:{statsd}"

[metlog.endpoint.archive]
kind = "file"
path = "{folder}/archive.json"

[metlog.endpoint.audit]
kind = "http"
url = "{audit}"
batch_delay = "20ms"
spool = "{folder}/spool"

[metlog.endpoint.sentry]
kind = "sentry"
dsn_file = "{folder}/dsn"
"""

ROUTES = """
[[metlog.route]]
type = ["counter", "timer", "gauge"]
to = ["store", "statsd"]

[[metlog.route]]
type = "audit"
to = "audit"

[[metlog.route]]
type = "request"
to = "programs"

[[metlog.route]]
type = "oldstyle"
severity = "<=error"
to = "sentry"
continue = true

[[metlog.route]]
type = "oldstyle"
severity = "debug"
to = "drop"

[[metlog.route]]
type = ["oldstyle", "metlog.dropped"]
logger = "sh*"
to = "archive"
"""

SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Page:
    """A page of metrics: the names, labels and values of its samples."""

    samples: list[tuple[str, dict[str, str], float]]

    def list_values(self, name: str, label: str) -> dict[str, float]:
        """Return the values of a metric by one of its labels."""
        return {labels[label]: value for found, labels, value in self.samples if found == name}

    def sum_own(self, name: str) -> float:
        """Return the sum of the series of a metric that the daemon has about itself."""
        return sum(value for found, _, value in self.samples if found == f"syslog_pipeline_{name}")

    def list_accounts(self, name: str) -> dict[str, float]:
        """Return what each endpoint has counted."""
        return self.list_values(f"syslog_pipeline_metlog_{name}", "endpoint")


@dataclass(slots=True)
class Application:
    """A process that sends."""

    number: int
    process: subprocess.Popen[str]
    rounds: int = 0

    def begin(self, rounds: int) -> None:
        """Have it send so many rounds."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{rounds}\n")
        self.process.stdin.flush()
        self.rounds += rounds

    def wait(self) -> None:
        """Return when it has sent them."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "done\n"

    def end(self) -> dict[str, int]:
        """End it, and return what its sender has counted."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        counts: dict[str, int] = json.load(self.process.stdout)
        assert self.process.wait() == 0
        return counts


@dataclass
class Site:
    """The daemon in a folder, and where its messages go."""

    folder: Path
    source: str
    statsd: Statsd
    routes: str = ROUTES
    audit: Receiver = field(default_factory=Receiver)
    sentry: SentryReceiver = field(default_factory=SentryReceiver)
    applications: list[Application] = field(default_factory=list)

    def write_settings(self) -> None:
        """Write what the daemon reads."""
        (self.folder / "requests.mtail").write_text(PROGRAM)
        (self.folder / "dsn").write_text(self.sentry.dsn + "\n")
        settings = SETTINGS.format(
            folder=self.folder, source=self.source, statsd=self.statsd.port, audit=self.audit.url
        )
        (self.folder / "settings.toml").write_text(settings + self.routes)

    @property
    def flags(self) -> tuple[str, ...]:
        """What the daemon is told."""
        return ("--config", f"{self.folder}/settings.toml", "--progs", f"{self.folder}/requests.mtail")

    @property
    def command(self) -> list[str]:
        """The command of the daemon, for somebody else to run it."""
        return [sys.executable, "-m", "pipeline", "run", *self.flags, "--unix_socket", f"{self.folder}/{HTTP_SOCKET}"]

    @contextmanager
    def running(self, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run the daemon until the block ends."""
        with run_pipeline(self.folder, *self.flags, *flags) as process:
            yield process

    @contextmanager
    def killing(self, *flags: str) -> Iterator[None]:
        """Run the daemon until the block ends, and have it end in no order at all."""
        with suppress(KilledError), self.running(*flags) as process:
            yield
            process.kill()
            raise KilledError

    @property
    def log(self) -> str:
        """What the daemon has said."""
        return (self.folder / "pipeline.out").read_text()

    def begin(self, rounds: int) -> None:
        """Have each application send so many rounds."""
        for application in self.applications:
            application.begin(rounds)

    def wait(self) -> None:
        """Return when all have."""
        for application in self.applications:
            application.wait()

    def send(self, rounds: int) -> None:
        """Have each application send so many rounds, and return when all have."""
        self.begin(rounds)
        self.wait()

    @property
    def rounds(self) -> int:
        """How many each has sent."""
        (rounds,) = {application.rounds for application in self.applications}
        return rounds

    @property
    def sent(self) -> int:
        """How many messages all of them have sent."""
        return sum(count_messages(application.rounds) for application in self.applications)

    def list_identities(self, every: int = 1) -> list[str]:
        """Return the identities of the messages of one sort, each once, in order."""
        return sorted(f"{one.number}-{number}" for one in self.applications for number in range(0, one.rounds, every))

    def read(self) -> Page:
        """Return the page of metrics."""
        page = fetch_metrics(self.folder / HTTP_SOCKET)
        assert page, "the daemon is there"
        return Page(
            [
                (one["name"], dict(LABEL.findall(one["labels"] or "")), float(one["value"]))
                for one in SAMPLE.finditer(page)
            ]
        )

    def wait_own(self, name: str, least: float) -> None:
        """Return when a metric that the daemon has about itself has come so far."""
        wait_until(lambda: self.read().sum_own(name) >= least, f"{name} is {least:g}")


@contextmanager
def open_site(
    folder: Path, *, place: str = SOCKET, timeout_seconds: float = PATIENT_SECONDS, routes: str = ROUTES
) -> Iterator[Site]:
    """Give a site with a statsd that runs, applications that wait for orders, and a daemon that is to be started.

    The applications send to a socket or a file of this name, and wait for room so long at most with each message.
    """
    source = f"{'unixgram' if place == SOCKET else 'file'}://{folder}/{place}"
    site = Site(folder, source, make_statsd(folder / "statsd"), routes)
    site.write_settings()
    with site.statsd.run(), ExitStack() as stack:
        for number in range(PROCESSES):
            arguments = [str(number), str(timeout_seconds), f"{folder}/{place}"]
            command = [sys.executable, "-m", "tests.e2e.metlog_application", *arguments]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
            stack.callback(end_process, process)
            site.applications.append(Application(number, process))
        yield site


def end_process(process: subprocess.Popen[str]) -> None:
    """End what is still there, of a test that has failed."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(BrokenPipeError):  # of orders that it has not read
                stream.close()
