"""What every test may rely on: `--update-expected`, a clock, that no test is skipped, and that no property is timed."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator

import pytest
import trio
from hypothesis import HealthCheck, settings
from trio.testing import MockClock

from tests.patient_threads import PatientThreads

# On a busy machine any example may wait for its turn: how long it took says nothing about what it tests.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-expected",
        action="store_true",
        help="rewrite the expected results of data cases and golden files; review them like code",
    )


@pytest.fixture
def update_expected(request: pytest.FixtureRequest) -> bool:
    """Whether this run rewrites expected results instead of comparing them."""
    return bool(request.config.getoption("--update-expected"))


@pytest.fixture
def patient_clock(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> MockClock:
    """Give a clock that jumps when neither a task nor a thread has anything to do."""
    monkeypatch.setattr(trio.to_thread, "run_sync", PatientThreads(autojump_clock).run)
    return autojump_clock


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Put the root logger back as it was: each command sets it up."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure: what is not run proves nothing, and nobody reads a list of skips."""
    if report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"a test may not be skipped: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    forbid_skip(report)
    return report
