"""Settings that reach the parts they describe."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.batch import Batch
from pipeline.metrics import HistogramDatum, Store
from pipeline.settings import LanguageSettings, ProgramSettings
from pipeline.telemetry import Telemetry
from pipeline.wiring import make_loader

NOW = 1_700_000_000_000_000_000


@pytest.mark.parametrize("native", [False, True])
def test_native_histograms_are_a_setting(tmp_path: Path, native: bool) -> None:
    """Of all programs at once; they outlive a reload."""
    program = tmp_path / "p.mtail"
    program.write_text("histogram sizes buckets 1, 10\n/^(\\d+)$/ {\n  sizes = $1\n}\n")
    settings = ProgramSettings(progs=tmp_path, language=LanguageSettings(), native_histograms=native)
    store = Store()
    loader = make_loader(settings, store, Telemetry(store))
    loader.load(NOW)
    for text in ("", "# changed\n"):
        program.write_text(program.read_text() + text)
        loader.reload(NOW)
        loader.programs[0].run(Batch.of([b"4"], b"/log"), NOW)
    (metric,) = loader.metrics
    series = metric.data[()]
    assert isinstance(series, HistogramDatum)
    assert series.count == 2
    assert (series.native.copy().positive if series.native else None) == ({16: 2} if native else None)
