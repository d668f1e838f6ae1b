"""Settings → the parts they describe, as `run`, `replay` and `check` share them.

`check` needs the compiler and no more, so the other parts are imported when they are made.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.errors import SettingError
from pipeline.language import CompileOptions
from pipeline.metlog_settings import MetlogSettings
from pipeline.metrics import Lifetimes, Store
from pipeline.settings import (
    FormatSettings,
    LanguageSettings,
    ProgramSettings,
    SieveMode,
    SourceSettings,
    StoreSettings,
)

if TYPE_CHECKING:
    from pipeline.formats import LineOptions, PrometheusOptions
    from pipeline.runtime import ProgramLoader
    from pipeline.sources import Source, Surroundings
    from pipeline.telemetry import Telemetry


def make_compile_options(
    settings: LanguageSettings, *, sieved: bool = False, listed: bool = False, native: bool = False
) -> CompileOptions:
    """Return what the compiler needs to know: whether the functions behind the sieve are wanted, the text, or
    buckets by powers.
    """
    return CompileOptions(
        max_regexp_length=settings.max_regexp_length,
        max_recursion_depth=settings.max_recursion_depth,
        zone=settings.zone,
        use_current_year=settings.syslog_use_current_year,
        sieved=sieved,
        listed=listed,
        native_histograms=native,
    )


def make_store(settings: StoreSettings) -> Store:
    """Return an empty store with the bounds that `settings` name."""
    lifetimes = Lifetimes.of_seconds(settings.expire)
    return Store(settings.max_series_per_metric, settings.max_label_value_bytes, lifetimes)


def make_loader(settings: ProgramSettings, store: Store, telemetry: Telemetry) -> ProgramLoader:
    """Return the loader of the programs that `settings` name."""
    from pipeline.runtime import ProgramLoader

    sieved = settings.sieve is not SieveMode.OFF
    options = make_compile_options(settings.language, sieved=sieved, native=settings.native_histograms)
    return ProgramLoader(settings.progs, store, telemetry, options, logs_failures=settings.vm_logs_runtime_errors)


def make_prometheus_options(settings: FormatSettings) -> PrometheusOptions:
    """Return what the flags say about the Prometheus format."""
    from pipeline.formats import PrometheusOptions

    return PrometheusOptions(
        settings.emit_prog_label,
        settings.emit_metric_timestamp,
        settings.constant_labels,
        settings.emit_created_timestamps,
    )


def make_line_options(settings: FormatSettings, graphite_prefix: str) -> LineOptions:
    """Return what the flags and the host say about the formats of one line for each series."""
    from pipeline.formats import LineOptions

    return LineOptions(os.uname().nodename, settings.emit_prog_label, graphite_prefix)


def make_sources(
    lines: SourceSettings, metlog: MetlogSettings, surroundings: Surroundings, for_envelopes: Surroundings
) -> tuple[dict[str, Source], dict[str, Source]]:
    """Return the sources of lines and those of envelopes, by item. In envelopes nothing is joined.

    Raises `SettingError` where one would be both, or would read what an endpoint writes.
    """
    from pipeline.sources import STDIN_NAMES, parse_items

    logs = metlog.metlog_logs
    has_stdin = any(log in STDIN_NAMES for log in logs)
    items = parse_items(replace(lines, confirm=lines.confirm and not has_stdin), surroundings)
    if not logs:
        return items, {}
    settings = replace(lines, logs=logs, confirm=lines.confirm and has_stdin, records=())
    envelopes = parse_items(settings, for_envelopes)
    names = {source.name for source in items.values()}
    if not names.isdisjoint(STDIN_NAMES):
        names.update(STDIN_NAMES)
    for item, source in envelopes.items():
        if source.name in names:
            raise SettingError(f"The source {item} is one of --logs and one of envelopes: it can only be one.")
    check_circles(envelopes, metlog)
    return items, envelopes


def check_circles(envelopes: Mapping[str, Source], metlog: MetlogSettings) -> None:
    """Raise `SettingError` when an endpoint writes what a source of envelopes reads."""
    from pipeline.sources import find_reader

    for name, endpoint in metlog.endpoints.items():
        for key, path in endpoint.list_paths():
            if (reader := find_reader(envelopes, str(path.absolute()))) is not None:
                raise SettingError(
                    f"metlog.endpoint.{name}.{key} is {path}, which the source {reader} reads: messages would go round."
                )
