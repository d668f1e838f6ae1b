"""Makes the checks, one after the other; what follows from a cause that is named already is not checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipeline.doctor.checks import CHECKS
from pipeline.doctor.examination import Check, Examination
from pipeline.doctor.findings import Finding, State
from pipeline.doctor.site import Site

BASES = ("settings", "daemon", "syslog", "entry", "line")
"""When none of these could be looked at, what needs them has nothing to go on."""


def examine(site: Site, show: Callable[[str], None]) -> Iterator[tuple[Check, list[Finding]]]:
    """Yield each check with what it found; `show` is told what is being waited for."""
    exam = Examination(site, show)
    for check in CHECKS:
        cause = find_cause(check, exam)
        exam.results[check.name] = list(check.run(exam)) if cause is None else [make_waiting(cause)]
        yield check, exam.results[check.name]


def make_waiting(cause: str) -> Finding:
    """Return that something was not checked, as the check with the title `cause` says why."""
    return Finding(State.SKIPPED, f"It is left out because of {cause}.", cause=cause)


def find_cause(check: Check, exam: Examination) -> str | None:
    """Return the title of the check that keeps another from being made; None if it can be made."""
    for needed in CHECKS:
        if needed.name not in check.needs:
            continue
        findings = exam.results[needed.name]
        if exam.failed(needed.name):
            return needed.title
        if needed.name in BASES and all(finding.state is State.SKIPPED for finding in findings):
            return findings[0].cause or needed.title
    return None
