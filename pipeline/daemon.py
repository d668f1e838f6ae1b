"""The daemon: sources → programs → store → server and pushers, from start to end.

Start: everything is loaded, opened and bound before the event loop runs, so a start that fails
ends in one `SettingError` and leaves no socket behind. The server's socket comes last: whoever finds it
finds the sources too. Then systemd is told. End, on SIGTERM or SIGINT or when every source has
ended: the sources deliver what they hold, as long as there is time, the last values are pushed, then the
server stops, so a last scrape can still see it all. A second signal ends the process at once.
"""

from __future__ import annotations

import gc
import logging
import math
import os
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

import trio

from pipeline import systemd
from pipeline.batch import Batch
from pipeline.bindings import Bindings
from pipeline.descriptor_limit import describe_shortage, raise_descriptor_limit
from pipeline.descriptors import show_address
from pipeline.errors import SettingError
from pipeline.held_signals import release_signals
from pipeline.life import feed_watchdog, tell_status
from pipeline.metlog_settings import DEFAULT_ROUTES, PROGRAMS
from pipeline.metrics import ROUTER, Metric, Snapshot
from pipeline.pushers import PushContext, Pushes, make_pushers
from pipeline.report import Meter, describe_report, describe_status
from pipeline.runtime import Dispatcher, LoadReport
from pipeline.server import Answers, bind_server, make_app, serve
from pipeline.settings import DaemonSettings
from pipeline.sources import (
    STDIN_NAMES,
    RecordWatch,
    Source,
    Surroundings,
    count_listeners,
    describe_unmatched_rules,
    expire_records,
)
from pipeline.state import StateKeeper
from pipeline.state_file import Capture, State, capture_state, hold_state, read_state
from pipeline.status import Parts, StatusReader
from pipeline.supervision import Supervisor
from pipeline.telemetry import SourceCounts, Telemetry
from pipeline.unix_socket import BoundSocket
from pipeline.wiring import make_line_options, make_loader, make_prometheus_options, make_sources, make_store

if TYPE_CHECKING:
    from pipeline.metlog.router import RouterService

logger = logging.getLogger(__name__)

NANOSECONDS = 1_000_000_000

# A scrape sweeps too, so nobody sees what has expired; between scrapes a sweep only frees memory.
MIN_SWEEP_SECONDS = 1.0
MAX_SWEEP_SECONDS = 60.0

# Of --shutdown_timeout so much is kept for the last state and the last pushes, for the state some in any case: it can
# be all that is left of a day.
LAST_WRITE_SHARE = 0.25
MIN_LAST_WRITE_SECONDS = 1.0

# And so much for answers that are under way at the very end.
LAST_SCRAPES_SHARE = 0.25

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
OTHER_SIGNALS = (signal.SIGHUP, signal.SIGUSR1)
SIGNALS = (*STOP_SIGNALS, *OTHER_SIGNALS)


class Daemon:
    """All that runs, wired; `prepare` it, then run `run` on Trio."""

    def __init__(self, settings: DaemonSettings) -> None:
        self.settings = settings
        self.store = make_store(settings.store)
        self.telemetry = Telemetry(self.store, time.time_ns())
        self.loader = make_loader(settings.programs, self.store, self.telemetry)
        self.bindings = Bindings(settings.programs.bind, self.read_origins)
        self.dispatcher = Dispatcher(self.telemetry, settings.programs.sieve, self.bindings.admit)
        context = PushContext(os.uname().nodename, make_prometheus_options(settings.formats), time.time_ns)
        pushers = make_pushers(settings.push, context)
        self.pushes = Pushes(pushers, settings.push, self.take_program_snapshot, time.time_ns)
        self.telemetry.pushes = self.pushes.counts
        self.messages = self.make_messages()
        self.items: dict[str, Source] = {}
        self.sources: list[Source] = []
        self.envelopes: list[Source] = []
        """Those of them that carry envelopes of metlog."""
        self.keeper: StateKeeper | None = None
        self.restored: list[Metric] = []
        """What messages had made in an earlier run, until it is taken up."""
        self.watch = RecordWatch()
        self.listening: BoundSocket | None = None
        self.reload_wanted = trio.Event()
        self.is_ready = False
        """Everything is open and is read; the end has not begun."""
        self.stopping = trio.CancelScope()
        """Around the sources: to cancel them is to stop."""
        self.stop_deadline = math.inf
        """When, by `time.monotonic`, the sources must have ended."""
        self.started = time.monotonic()
        self.report_meter = Meter(self.started)
        self.status_meter = Meter(self.started)

    def make_messages(self) -> RouterService | None:
        """Return the router of metlog, None where no source has messages for it."""
        settings = self.settings.metlog
        if not settings.metlog_logs:
            return None
        from pipeline.metlog.endpoints import EndpointContext
        from pipeline.metlog.router import RouterService

        context = EndpointContext(host=os.uname().nodename, read_clock=time.time_ns)
        native = self.settings.programs.native_histograms
        service = RouterService(settings, self.store, self.dispatcher.run, context, native=native)
        self.telemetry.messages = service.counts
        return service

    def prepare(self, stack: ExitStack) -> None:
        """Load, open and bind; `stack` undoes it. Raises `SettingError` when any of it cannot be."""
        descriptors = systemd.receive_descriptors(stores=self.settings.life.store_descriptors)
        surroundings = Surroundings(
            descriptors=descriptors,
            add_counts=self.telemetry.add_source,
            remove_counts=self.forget_source,
            may_drain=lambda: time.monotonic() < self.stop_deadline,
            stop=self.stop,
        )
        self.watch = surroundings.watch
        self.restore(surroundings, stack)
        self.make_sources(surroundings)
        now = time.time_ns()
        self.report_load(self.loader.load(now))
        self.telemetry.reloads.note(successful=not self.loader.failures, now=now)
        self.dispatcher.use(self.loader.programs)
        if self.messages is not None:
            self.prepare_messages(self.messages, stack)
        stack.callback(descriptors.hand_over)
        for source in self.sources:
            stack.callback(source.close)
            source.prepare()
        self.listening = bind_server(self.settings.server, descriptors)
        if self.listening is not None:
            stack.callback(self.listening.close)
        for name in descriptors.settle():
            logger.warning("What systemd passed as %s belongs to nothing that is set. It is closed.", name)
        self.supervisor = Supervisor(self.sources, self.deliver, dict.fromkeys(self.envelopes, self.deliver_messages))
        self.report_unmatched()
        shortage = describe_shortage(
            raise_descriptor_limit(), self.settings.sources.max_connections, count_listeners(self.sources)
        )
        if shortage:
            logger.warning("%s", shortage)

    def make_sources(self, surroundings: Surroundings) -> None:
        """Make the sources of lines and those of envelopes."""
        settings, routed = self.settings, surroundings
        if self.messages is not None:
            routed = replace(surroundings, wait_room=self.messages.wait_room)
        lines, envelopes = make_sources(settings.sources, settings.metlog, surroundings, routed)
        self.items = {**lines, **envelopes}
        self.sources = list(dict.fromkeys(self.items.values()))
        self.envelopes = list(dict.fromkeys(envelopes.values()))

    def prepare_messages(self, messages: RouterService, stack: ExitStack) -> None:
        """Have the router know the programs, go on with what messages had made, and open its endpoints."""
        messages.refresh()
        messages.restore(self.restored, time.time_ns())
        self.restored = []
        messages.prepare(stack)

    def read_origins(self, item: str) -> tuple[bytes, ...]:
        """Return what comes from an item of `--logs` now."""
        source = self.items.get(item)
        return () if source is None else tuple(part.counts.origin for part in source.parts)

    def forget_source(self, counts: SourceCounts) -> None:
        """Forget a source that will not be read again."""
        self.telemetry.remove_source(counts)
        self.dispatcher.forget(counts.origin)

    def report_unmatched(self) -> None:
        """Log what settings do nothing: bindings and rules for what there is not, lifetimes of no metric, and so on."""
        metlog = self.settings.metlog
        if self.loader.path is None and self.messages is not None and PROGRAMS in self.messages.endpoints:
            logger.warning("Messages go to the programs, and there are none: name some with --progs.")
        if self.messages is None and (metlog.endpoints or metlog.routes != DEFAULT_ROUTES):
            logger.warning("The table metlog has endpoints or routes and no sources, so that no message comes.")
        parts = [part.name for source in self.sources for part in source.parts]
        names = {*self.items, *(source.name for source in self.sources), *parts}
        unbound = self.bindings.describe_unmatched({*self.loader.running, *self.loader.failures}, names)
        envelopes = {part.name for source in self.envelopes for part in source.parts}
        unjoined = describe_unmatched_rules(self.settings.sources.records, names - envelopes)
        # Which metrics messages will make nobody knows.
        lasting = self.store.lifetimes.describe_unmatched(self.loader.metrics) if self.messages is None else ()
        for problem in (*unbound, *unjoined, *lasting):
            logger.warning("%s", problem)

    def restore(self, surroundings: Surroundings, stack: ExitStack) -> None:
        """Take up what the last run has left in the state file, if there is to be one, and keep it from now on."""
        settings = self.settings.state
        if settings.state_file is None:
            return
        stack.enter_context(hold_state(settings.state_file))
        state = read_state(settings.state_file)
        if state != State():
            logger.info("The state file %s is read: it has %d series.", settings.state_file, state.series_count)
        self.loader.restore([metric for metric in state.metrics if metric.program != ROUTER])
        if self.messages is not None:
            self.restored = [metric for metric in state.metrics if metric.program == ROUTER]
        surroundings.keeps_state = True
        surroundings.positions = {
            name: position for name, position in state.positions.items() if self.keeps_position(name)
        }
        self.keeper = StateKeeper(settings.state_file, settings, self.capture_state, time.time_ns)
        self.telemetry.state = self.keeper.counts
        surroundings.save = self.keeper.save

    def capture_state(self) -> Capture:
        """Return what is to be saved, all of it as it is at this moment."""
        positions = {source.name: source.position for source in self.sources if self.keeps_position(source.name)}
        known = {name: position for name, position in positions.items() if position is not None}
        return capture_state(self.loader.metrics, known)

    def keeps_position(self, name: str) -> bool:
        """Return whether the position of a source goes over to the next run: with --confirm, records begun."""
        settings = self.settings.sources
        return settings.read_positions or (settings.confirm and name in STDIN_NAMES)

    def report_load(self, report: LoadReport) -> None:
        """Log what a load did."""
        for warning in report.warnings:
            logger.warning("%s", warning.render(), extra={"program": warning.source.name})
        for failure in report.failures:
            stays = "Its old self runs on." if failure.name in self.loader.running else "The others run."
            extra = {"program": failure.name}
            logger.error("Program %s is not loaded. %s\n%s", failure.name, stays, failure.text, extra=extra)
        for name in report.loaded:
            logger.info("Program %s is loaded.", name, extra={"program": name})
        for name in report.unloaded:
            logger.info("Program %s is unloaded, with its metrics: its file is gone.", name, extra={"program": name})

    def make_status_reader(self) -> StatusReader:
        """Return what reads the status of what runs."""
        return StatusReader(
            Parts(
                os.uname().nodename,
                self.telemetry,
                self.store,
                self.loader,
                self.bindings,
                self.sources,
                self.supervisor,
                self.pushes,
                self.keeper,
                time.time_ns,
                self.messages,
                self.envelopes,
            )
        )

    async def run(self) -> None:
        """Run until told to stop, or until every source has ended."""
        shutdown = trio.Event()
        status = self.make_status_reader()
        async with trio.open_nursery() as server:
            if self.listening is not None:
                options = make_prometheus_options(self.settings.formats)
                line_options = make_line_options(self.settings.formats, self.settings.push.graphite.graphite_prefix)
                answers = Answers(self.take_snapshot, status.read, lambda: self.is_ready, status.read_program)
                app = make_app(answers, options, line_options)
                graceful_seconds = self.settings.life.shutdown_timeout_seconds * LAST_SCRAPES_SHARE
                answer = partial(serve, graceful_seconds=graceful_seconds)
                await server.start(answer, app, self.listening.socket, shutdown, self.telemetry.server)
            async with trio.open_nursery() as services:
                if self.keeper is not None:
                    await services.start(self.keeper.run)
                await services.start(self.obey_signals)
                services.start_soon(self.sweep_regularly)
                if self.settings.sources.records:
                    await services.start(expire_records, self.watch)
                services.start_soon(status.run)
                services.start_soon(feed_watchdog, self.list_reading)
                services.start_soon(tell_status, self.describe_status)
                services.start_soon(self.reload_when_wanted)
                if self.messages is not None:
                    services.start_soon(self.messages.run)
                self.pushes.begin()
                services.start_soon(self.pushes.run)
                with self.stopping:
                    await self.run_sources()
                self.report_rest()
                await self.bring_away()
                services.cancel_scope.cancel()
            logger.info("All sources are closed. The metrics are no longer served.")
            shutdown.set()

    async def run_sources(self) -> None:
        """Run all sources to their end. They are open already, so we are ready before they run."""
        for source in self.sources:
            logger.info("%s is read.", source.name, extra={"source": source.name})
        if self.listening is None:
            logger.warning("The metrics are not served: no --unix_socket is given.")
        else:
            logger.info("Ready. The metrics are served on %s.", show_address(self.listening.socket))
        systemd.notify_ready()
        self.is_ready = True
        await self.supervisor.run()
        self.is_ready = False

    def report_rest(self) -> None:
        """Say what there was no time to read."""
        left = {part.name: part.counts.bytes_left for source in self.sources for part in source.parts}
        names = sorted(name for name, size in left.items() if size)
        if names:
            logger.warning(
                "%d bytes are left unread in %s, because there is an end to how long the end may take. "
                "The next run reads them if systemd keeps the descriptors; else they are lost.",
                sum(left.values()),
                ", ".join(names),
            )

    def deliver(self, batch: Batch) -> None:
        """Run the programs on `batch`; here the clock is read."""
        self.telemetry.count_batch(batch.origin, batch.line_count)
        self.dispatcher.run(batch, time.time_ns())

    def deliver_messages(self, batch: Batch) -> None:
        """Route the envelopes of `batch`; here the clock is read."""
        assert self.messages is not None
        self.telemetry.count_batch(batch.origin, batch.line_count)
        self.messages.router.route(batch, time.time_ns())

    async def obey_signals(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reload at SIGHUP, report at SIGUSR1, stop at SIGTERM or SIGINT; a second of these is left to the kernel."""
        for other in OTHER_SIGNALS:
            # What is in force again after the block, where one may still wait behind the one that stops.
            signal.signal(other, pass_over)
        with trio.open_signal_receiver(*SIGNALS) as signals:
            release_signals()
            task_status.started()
            while (number := await anext(signals)) not in STOP_SIGNALS:
                if number == signal.SIGHUP:
                    if self.messages is not None:
                        self.messages.reopen()
                    self.reload_wanted.set()
                else:
                    logger.info("%s", self.describe_all())
            logger.info("%s received. The sources are read to their end.", signal.Signals(number).name)
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        self.stop()

    def stop(self) -> None:
        """Have the sources end in good order, and with them the daemon."""
        systemd.notify_stopping()
        self.is_ready = False
        writes = self.keeper or self.pushes.tasks or self.messages
        share = 1.0 - LAST_SCRAPES_SHARE - (LAST_WRITE_SHARE if writes else 0.0)
        self.stop_deadline = time.monotonic() + self.settings.life.shutdown_timeout_seconds * share
        self.stopping.cancel()

    async def bring_away(self) -> None:
        """Write the state, push the last values and pass on the last messages, side by side: nothing more will come."""
        timeout = self.settings.life.shutdown_timeout_seconds
        left = min(max(self.stop_deadline - time.monotonic(), 0.0) + timeout * LAST_WRITE_SHARE, timeout)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.pushes.finish, left)
            if self.messages is not None:
                nursery.start_soon(self.messages.finish, left)
            if self.keeper is not None:
                nursery.start_soon(self.keeper.finish, max(left, MIN_LAST_WRITE_SECONDS))

    def list_reading(self) -> Sequence[Source]:
        """Return the sources that run now."""
        return self.supervisor.reading

    def describe_status(self) -> str:
        """Return how it goes, in one line."""
        rates = self.status_meter.measure(self.telemetry.log_lines, time.monotonic())
        return describe_status(self.telemetry, rates, self.list_failing())

    def describe_all(self) -> str:
        """Return the report that SIGUSR1 asks for."""
        now = time.monotonic()
        rates = self.report_meter.measure(self.telemetry.log_lines, now)
        return describe_report(self.telemetry, rates, now - self.started, self.list_failing())

    def list_failing(self) -> list[str]:
        """Return the names of the sources that are to be opened again."""
        return [source.name for source in self.supervisor.failing]

    async def reload_when_wanted(self) -> None:
        """Reload the programs each time that is asked for; who asks during a reload gets another."""
        while True:
            await self.reload_wanted.wait()
            self.reload_wanted = trio.Event()
            systemd.notify_reloading()
            await self.reload()
            systemd.notify_ready()

    async def reload(self) -> None:
        """Load programs that are new or changed, and let go those that are gone, all at the same moment.

        While they are compiled, one after the other, lines reach the programs that run.
        """
        try:
            changes = self.loader.find_changes()
        except SettingError as error:
            logger.error("%s All programs run on as they were.", error)
            self.note_reload(successful=False, failure=str(error))
            return
        for _ in self.loader.compile_changes(changes):
            await trio.lowlevel.checkpoint()
        report = self.loader.swap(changes, time.time_ns())
        if report.loaded or report.unloaded:
            self.dispatcher.use(self.loader.programs)
            if self.messages is not None:
                self.messages.refresh()
        self.report_load(report)
        self.report_unmatched()
        self.note_reload(successful=not report.failures)
        logger.info("Reload: %s.", report.summarize(self.loader.running.keys()))

    def note_reload(self, *, successful: bool, failure: str = "") -> None:
        """Count a reload."""
        counts = self.telemetry.reloads
        counts.note(successful=successful, now=time.time_ns(), failure=failure)
        counts.succeeded += successful
        counts.failed += not successful

    async def sweep_regularly(self) -> None:
        """Delete what has expired, when it does, and at the latest after the interval set."""
        interval = self.settings.store.expired_metrics_gc_interval_seconds
        while interval > 0:
            now = time.time_ns()
            for _ in self.store.sweep_in_steps(now):
                await trio.lowlevel.checkpoint()
            await trio.sleep(find_sweep_pause(self.store.next_expiry(), now, interval))

    def take_snapshot(self) -> Snapshot:
        """Return a view of the metrics, our own included, without what has expired."""
        now = time.time_ns()
        if self.settings.store.expired_metrics_gc_interval_seconds > 0:
            self.store.sweep(now)
        self.telemetry.collect(now)
        return self.store.view()

    def take_program_snapshot(self) -> Snapshot:
        """Return a view of the metrics of programs, without what has expired."""
        if self.settings.store.expired_metrics_gc_interval_seconds > 0:
            self.store.sweep(time.time_ns())
        return self.store.view().select_programs()


def pass_over(_number: int, _frame: FrameType | None) -> None:
    """Do nothing at a signal. `SIG_IGN` would throw away what has come since the start and is held back."""


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
        # What there is now are modules, which stay. To look through their 60,000 objects for garbage holds everything
        # up for 25 ms, several times while series are made (measured).
        gc.freeze()
        daemon.prepare(stack)
        trio.run(daemon.run)
