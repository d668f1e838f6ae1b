"""Logs from their start to their end, then the metrics: `replay`, and mtail's `--one_shot`.

It runs without an event loop: nothing here waits for anything but a file.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from pipeline.bindings import Bindings
from pipeline.formats import json, prometheus
from pipeline.runtime import Dispatcher, LoadReport
from pipeline.settings import ReplaySettings
from pipeline.sources import ReplayFile, describe_unmatched_rules
from pipeline.telemetry import Telemetry
from pipeline.wiring import make_loader, make_prometheus_options, make_store


class Replay:
    """The programs loaded and the files found, ready to run; `SettingError` when one is missing."""

    def __init__(self, settings: ReplaySettings) -> None:
        self.settings = settings
        self.files = [ReplayFile(spec, settings.sources) for spec in settings.sources.logs]
        self.total_bytes = sum(file.measure() for file in self.files)
        self.store = make_store(settings.store)
        telemetry = Telemetry(self.store)
        loader = make_loader(settings.programs, self.store, telemetry)
        self.report: LoadReport = loader.load(time.time_ns())
        origins = {file.spec: file.counts.origin for file in self.files}
        bindings = Bindings(settings.programs.bind, lambda item: (origins[item],) if item in origins else ())
        names = {*origins, *(file.name for file in self.files)}
        programs = {*loader.running, *(failure.name for failure in self.report.failures)}
        unjoined = describe_unmatched_rules(settings.sources.records, names)
        self.unmatched = [*bindings.describe_unmatched(programs, names), *unjoined]
        """What bindings and rules for records name and is not there, a sentence each."""
        self.dispatcher = Dispatcher(telemetry, settings.programs.sieve, bindings.admit)
        self.dispatcher.use(loader.programs)
        self.problems: list[str] = []
        """What the page could not hold, after `render`."""

    def run(self) -> Iterator[int]:
        """Read everything; yield after each batch how many bytes it took."""
        for file in self.files:
            read_before = 0
            for batch in file.read_batches():
                self.dispatcher.dispatch(batch, time.time_ns())
                yield file.bytes_read - read_before
                read_before = file.bytes_read

    def describe_losses(self) -> Iterator[str]:
        """Yield a sentence for each thing that the metrics are without, or not as the lines had it, for some limit."""
        for metric in self.store:
            if metric.program and metric.overflows:
                yield (
                    f"Metric `{metric.name}` at {metric.source} is incomplete: it has as many series as "
                    f"--max_series_per_metric allows, and another one was not kept {spell_times(metric.overflows)}."
                )
            if metric.program and metric.values_too_long:
                yield (
                    f"Metric `{metric.name}` at {metric.source} is incomplete: a series with a label value of more "
                    f"than --max_label_value_bytes was not kept {spell_times(metric.values_too_long)}."
                )
        for file in self.files:
            if cut := file.counts.lines_truncated:
                yield f"A line of {file.name} was cut to --max_line_bytes {spell_times(cut)}."
            yield from describe_cut_records(file)

    def render(self) -> bytes:
        """Return the metrics of the programs, without the daemon's own."""
        snapshot = self.store.view().select_programs()
        if self.settings.format_name == "json":
            return json.render_one_shot(snapshot)
        return prometheus.render(snapshot, make_prometheus_options(self.settings.formats), self.problems)


def describe_cut_records(file: ReplayFile) -> Iterator[str]:
    """Yield a sentence for each limit that the records of a file have told."""
    if (records := file.counts.records) is None:
        return
    if records.cut:
        limits = "--max_record_lines or --max_record_bytes"
        yield f"A record of {file.name} was cut to {limits} {spell_times(records.cut)}."
    if records.evicted:
        times = spell_times(records.evicted)
        yield f"A record of {file.name} ended early to make room, by --max_open_records, {times}."


def spell_times(number: int) -> str:
    """Return how often something happened."""
    return "once" if number == 1 else f"{number:,} times"
