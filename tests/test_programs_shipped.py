"""The programs we ship: each has a log and the metrics that must come of it, here and in mtail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import formats
from pipeline.language import SourceFile, compile_program, note_failure
from pipeline.metrics import Store

PROGRAMS = Path(__file__).parents[1] / "pipeline" / "programs"
SHIPPED = sorted(PROGRAMS.glob("*.mtail"))
NOW = 1_771_680_000_000_000_000


def run_program(path: Path) -> str:
    """Return the metrics a program makes of its log, in the Prometheus format; no line may fail."""
    program = compile_program(SourceFile(path.name, path.read_text(encoding="utf-8")))
    store = Store()

    def fail_test(error: Exception, line: bytes) -> None:
        raise AssertionError(f"{note_failure(error).describe()} on {line!r}") from error

    bound = program.bind(store.register(program.metrics), fail_test)
    log = path.with_suffix(".log")
    bound.process_utf8(log.read_bytes().splitlines(), bytes(log), NOW)
    return formats.prometheus.render(store.snapshot()).decode()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_program_makes_the_expected_metrics_of_its_log(path: Path, *, update_expected: bool) -> None:
    """What the log beside a program yields is in the file beside both."""
    metrics = run_program(path)
    expected = path.with_suffix(".expected")
    if update_expected:
        expected.write_text(metrics, encoding="utf-8")
    assert metrics == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_log_leaves_no_metric_of_the_program_untouched(path: Path) -> None:
    """A metric that its own sample never moves is one that nobody has seen work."""
    program = compile_program(SourceFile(path.name, path.read_text(encoding="utf-8")))
    lines = path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()
    moved = {line.partition("{")[0] for line in lines if not line.startswith("#") and not line.endswith(" 0")}
    assert {metric.name for metric in program.metrics} <= {name.removesuffix("_count") for name in moved}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_program_makes_the_same_metrics_in_mtail(path: Path) -> None:
    """Our programs use nothing that the real mtail lacks."""
    command = ["mtail", "--port", "0", "--one_shot", "--one_shot_format", "prometheus", "--logtostderr"]
    command += ["--progs", str(path), "--logs", str(path.with_suffix(".log"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == path.with_suffix(".expected").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_replay_prints_the_expected_metrics(path: Path) -> None:
    """The command a user would try first."""
    command = [sys.executable, "-m", "pipeline", "replay", "--progs", str(path), "--format", "prometheus"]
    command += ["--logs", str(path.with_suffix(".log"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == path.with_suffix(".expected").read_text(encoding="utf-8")
