"""A line that several programs decode is decoded once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipeline.batch import Batch
from pipeline.decoders import DecoderOptions
from pipeline.language import SourceFile, compile_program
from pipeline.metrics import Store
from pipeline.runtime import Dispatcher, Program
from pipeline.settings import SieveMode
from pipeline.telemetry import Telemetry

NOW = 1_700_000_000 * 10**9
JSON = "json", DecoderOptions()
LINES = [b'{"x":"a"}', b"plain", b'{"x":"b","y":1}', b'{"x":"a"}', b'{"x":"\xc3\xa9"}']


def load(store: Store, telemetry: Telemetry, texts: Sequence[str]) -> list[Program]:
    programs = []
    for number, text in enumerate(texts):
        source = SourceFile(f"p{number}.mtail", f'counter c as "c{number}" by x\n{text}')
        compiled = compile_program(source)
        metrics = store.register(compiled.metrics)
        programs.append(Program(compiled, metrics, telemetry.program(source.name), logs_failures=False))
    return programs


def count(program: Program) -> dict[str, object]:
    (metric,) = program.metrics
    return {labels[0].decode(): datum.value for labels, datum in metric.data.items()}


DECODING = "decode json && defined($x) {\n  c[$x]++\n}\n"


@pytest.mark.parametrize("mode", [SieveMode.OFF, SieveMode.AUTO, SieveMode.CHECK])
def test_programs_that_share_records_count_as_one_alone_does(mode: SieveMode) -> None:
    store = Store()
    telemetry = Telemetry(store)
    programs = load(store, telemetry, [DECODING, DECODING, "/a/ && " + DECODING])
    dispatcher = Dispatcher(telemetry, mode)
    dispatcher.use(programs)
    for _ in range(2):
        dispatcher.dispatch(Batch.of(LINES, b"log"), NOW)
    assert [count(program) for program in programs] == [
        {"a": 4, "b": 2, "é": 2},
        {"a": 4, "b": 2, "é": 2},
        {"a": 4},
    ]


def test_records_are_forgotten_after_each_batch() -> None:
    """They take room, and other lines come."""
    store = Store()
    telemetry = Telemetry(store)
    programs = load(store, telemetry, [DECODING, DECODING])
    dispatcher = Dispatcher(telemetry, SieveMode.OFF)
    dispatcher.use(programs)
    records = dispatcher.records
    programs[0].run(Batch.of(LINES, b"log"), NOW)
    assert records.memos[JSON].keys() == set(LINES)
    dispatcher.dispatch(Batch.of(LINES, b"log"), NOW)
    assert not records.memos[JSON]


def test_what_only_one_program_decodes_is_not_shared() -> None:
    """Nor what is decoded from a part of the line."""
    store = Store()
    telemetry = Telemetry(store)
    texts = [DECODING, "decode logfmt {\n  c[$x]++\n}\n", 'decode json from "{}" {\n  c[""]++\n}\n']
    dispatcher = Dispatcher(telemetry, SieveMode.OFF)
    dispatcher.use(load(store, telemetry, texts))
    assert dispatcher.records.keys == frozenset()


def test_programs_share_as_long_as_they_are_several() -> None:
    """A reload changes what is shared."""
    store = Store()
    telemetry = Telemetry(store)
    programs = load(store, telemetry, [DECODING, DECODING])
    dispatcher = Dispatcher(telemetry, SieveMode.OFF)
    dispatcher.use(programs)
    assert dispatcher.records.keys == {JSON}
    dispatcher.use(programs[:1])
    assert dispatcher.records.keys == frozenset()
    programs[0].run(Batch.of(LINES, b"log"), NOW)
    assert count(programs[0]) == {"a": 2, "b": 1, "é": 1}
    assert not dispatcher.records.memos
