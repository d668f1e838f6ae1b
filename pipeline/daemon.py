"""The daemon: sources → programs → store → server, from start to end.

Start: everything is loaded, opened and bound before the event loop runs, so a start that fails
ends in one `SettingError` and leaves no socket behind. The server's socket comes last: whoever finds it
finds the sources too. End, on SIGTERM or SIGINT or when every source has
ended: the sources deliver what they hold, then the server stops, so a last scrape can
still see it all. A second signal ends the process at once.
"""

from __future__ import annotations

import logging
import signal
import time
from contextlib import ExitStack

import trio

from pipeline.batch import Batch
from pipeline.errors import SettingError, describe_os_error
from pipeline.metrics import Snapshot, Store
from pipeline.runtime import Dispatcher, LoadReport
from pipeline.server import Answers, ProgramStatus, SourceStatus, Status, bind_server, make_app, serve
from pipeline.settings import DaemonSettings
from pipeline.sources import Source, parse_sources
from pipeline.telemetry import ProgramCounts, Telemetry
from pipeline.unix_socket import BoundSocket
from pipeline.wiring import make_loader, make_prometheus_options

logger = logging.getLogger(__name__)

NANOSECONDS = 1_000_000_000

# A scrape sweeps too, so nobody sees what has expired; between scrapes a sweep only frees memory.
MIN_SWEEP_SECONDS = 1.0
MAX_SWEEP_SECONDS = 60.0


class Daemon:
    """All that runs, wired; `prepare` it, then run `run` on Trio."""

    def __init__(self, settings: DaemonSettings) -> None:
        self.settings = settings
        self.store = Store(settings.store.max_series_per_metric)
        self.telemetry = Telemetry(self.store)
        self.loader = make_loader(settings.programs, self.store, self.telemetry)
        self.dispatcher = Dispatcher(self.telemetry, settings.programs.sieve)
        self.sources: list[Source] = []
        self.listening: BoundSocket | None = None
        self.load_failures: dict[str, str] = {}
        self.stopping = trio.CancelScope()
        """Around the sources: to cancel them is to stop."""

    def prepare(self, stack: ExitStack) -> None:
        """Load, open and bind; `stack` undoes it. Raises `SettingError` when any of it cannot be."""
        self.sources = parse_sources(self.settings.sources)
        self.report_load(self.loader.load(time.time_ns()))
        self.dispatcher.use(self.loader.programs)
        for source in self.sources:
            stack.callback(source.close)
            source.prepare()
            self.telemetry.sources.append(source.counts)
        self.listening = bind_server(self.settings.server)
        if self.listening is not None:
            stack.callback(self.listening.close)

    def report_load(self, report: LoadReport) -> None:
        """Log what a load did, and remember its failures for the status page."""
        for warning in report.warnings:
            logger.warning("%s", warning.render())
        for failure in report.failures:
            stays = "Its old self runs on." if failure.name in self.loader.running else "The others run."
            logger.error("Program %s is not loaded. %s\n%s", failure.name, stays, failure.text)
        for name in report.loaded:
            logger.info("Program %s is loaded.", name)
        for name in report.unloaded:
            logger.info("Program %s is unloaded: its file is gone. Its metrics stay.", name)
        self.load_failures = {failure.name: failure.text for failure in report.failures}

    async def run(self) -> None:
        """Run until told to stop, or until every source has ended."""
        shutdown = trio.Event()
        async with trio.open_nursery() as server:
            if self.listening is not None:
                options = make_prometheus_options(self.settings.formats)
                app = make_app(Answers(self.take_snapshot, self.read_status), options)
                await server.start(serve, app, self.listening.socket, shutdown)
            async with trio.open_nursery() as services:
                await services.start(self.obey_signals)
                services.start_soon(self.sweep_regularly)
                with self.stopping:
                    await self.run_sources()
                services.cancel_scope.cancel()
            logger.info("All sources are closed. The metrics are no longer served.")
            shutdown.set()

    async def run_sources(self) -> None:
        """Run all sources to their end. They are open already, so we are ready before they run."""
        for source in self.sources:
            logger.info("%s is read.", source.name)
        if self.listening is None:
            logger.warning("The metrics are not served: no --unix_socket is given.")
        else:
            logger.info("Ready. The metrics are served on %s.", self.listening.path)
        async with trio.open_nursery() as nursery:
            for source in self.sources:
                nursery.start_soon(self.run_source, source)

    async def run_source(self, source: Source) -> None:
        """Run one source; when it fails the others go on."""
        try:
            await source.run(self.deliver)
        except OSError as error:
            source.counts.errors += 1
            logger.error("%s failed: %s. It is not read any more.", source.name, describe_os_error(error))
        else:
            logger.info("%s has ended.", source.name)

    def deliver(self, batch: Batch) -> None:
        """Run the programs on `batch`; here the clock is read."""
        self.dispatcher.dispatch(batch, time.time_ns())

    async def obey_signals(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reload at SIGHUP; stop at the first SIGTERM or SIGINT, and leave a second one to the kernel."""
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            task_status.started()
            while (number := await anext(signals)) == signal.SIGHUP:
                self.reload()
            logger.info("%s received. The sources are read to their end.", signal.Signals(number).name)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        self.stopping.cancel()

    def reload(self) -> None:
        """Load programs that are new or changed, and let go those that are gone."""
        try:
            self.report_load(self.loader.reload(time.time_ns()))
        except SettingError as error:
            logger.error("%s All programs run on as they were.", error)
        self.dispatcher.use(self.loader.programs)

    async def sweep_regularly(self) -> None:
        """Delete what has expired, when it does, and at the latest after the interval set."""
        interval = self.settings.store.expired_metrics_gc_interval_seconds
        while interval > 0:
            now = time.time_ns()
            self.store.sweep(now)
            await trio.sleep(find_sweep_pause(self.store.next_expiry(), now, interval))

    def take_snapshot(self) -> Snapshot:
        """Return a view of the metrics, our own included, without what has expired."""
        now = time.time_ns()
        if self.settings.store.expired_metrics_gc_interval_seconds > 0:
            self.store.sweep(now)
        self.telemetry.collect(now)
        return self.store.view()

    def read_status(self) -> Status:
        """Return what the status page shows."""
        lines = self.telemetry.log_lines
        return Status(
            programs=tuple(self.describe_program(counts) for _, counts in sorted(self.telemetry.programs.items())),
            sources=tuple(SourceStatus(source.name, lines.get(source.counts.origin, 0)) for source in self.sources),
        )

    def describe_program(self, counts: ProgramCounts) -> ProgramStatus:
        """Return what the status page shows of one program."""
        program = self.loader.running.get(counts.name)
        failure = program.report(program.last_failure, 0) if program and program.last_failure else ""
        return ProgramStatus(
            name=counts.name,
            is_running=program is not None,
            load_error=self.load_failures.get(counts.name, ""),
            runtime_errors=counts.runtime_errors,
            last_runtime_error=failure,
        )


def find_sweep_pause(next_expiry: int | None, now: int, interval: float) -> float:
    """Return how many seconds to wait for the next sweep. Lines may bring an earlier expiry any time."""
    pause = MAX_SWEEP_SECONDS
    if next_expiry is not None:
        pause = min(pause, (next_expiry - now) / NANOSECONDS)
    return min(max(pause, MIN_SWEEP_SECONDS), interval)


def run_daemon(settings: DaemonSettings) -> None:
    """Run the daemon to its end; `SettingError` when it cannot start."""
    with ExitStack() as stack:
        daemon = Daemon(settings)
        daemon.prepare(stack)
        trio.run(daemon.run)
