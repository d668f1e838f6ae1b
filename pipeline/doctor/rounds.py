"""Makes the checks, one after the other; what follows from a cause that is named already is not checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipeline.doctor.checks import CHECKS
from pipeline.doctor.examination import Check, Examination
from pipeline.doctor.findings import Finding, State, skip
from pipeline.doctor.site import Site
from pipeline.errors import describe_os_error

BASES = ("settings", "daemon", "syslog", "entry", "line")
"""When none of these could be looked at, what needs them has nothing to go on."""


def examine(site: Site, show: Callable[[str], None]) -> Iterator[tuple[Check, list[Finding]]]:
    """Yield each check with what it found; `show` is told what is being waited for."""
    exam = Examination(site, show)
    for check in CHECKS:
        cause = find_cause(check, exam)
        exam.results[check.name] = list(run_check(check, exam)) if cause is None else [make_waiting(cause)]
        yield check, exam.results[check.name]


def run_check(check: Check, exam: Examination) -> Iterator[Finding]:
    """Yield what a check finds, as far as it can look at it: folders may be closed to our user, or go meanwhile."""
    try:
        yield from check.run(exam)
    except PermissionError as error:
        yield skip(f"Your user may not look at {error.filename}. Run this as root.", "sudo syslog-pipeline doctor")
    except OSError as error:
        yield skip(f"{error.filename} cannot be looked at: {describe_os_error(error)}.")


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
