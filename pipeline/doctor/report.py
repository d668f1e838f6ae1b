"""What was found, in words: for people, and as a record for other programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from pipeline.doctor.examination import Check
from pipeline.doctor.findings import Finding, State

MARKS = {State.OK: "✓", State.WARNING: "!", State.FAILURE: "✗", State.SKIPPED: "–"}
"""What stands for a state where there is a terminal."""

SUMMARY_WORDS = (
    (State.FAILURE, "{} wrong"),
    (State.WARNING, "{} worth a look"),
    (State.OK, "{} right"),
    (State.SKIPPED, "{} not checked"),
)


def describe_check(check: Check, findings: Iterable[Finding]) -> Iterator[tuple[State, list[str]]]:
    """Yield the lines for each finding of a check: the first is the sentence, the others say why and what to type."""
    for finding in findings:
        lines = [f"{check.title}: {finding.what}"]
        if finding.why:
            lines.append(finding.why)
        lines += [f"    {command}" for command in finding.mend]
        yield finding.state, lines


def describe_waiting(results: Iterable[tuple[Check, list[Finding]]]) -> Iterator[str]:
    """Yield a line for each cause that kept checks from being made."""
    waiting: dict[str, list[str]] = {}
    for check, findings in results:
        for finding in findings:
            if finding.cause:
                waiting.setdefault(finding.cause, []).append(check.title)
    for cause, titles in waiting.items():
        yield f"Because of {cause}, this is left out: {', '.join(titles)}."


def describe_summary(findings: Iterable[Finding]) -> str:
    """Return how many findings there are of each state, in a line."""
    counts = Counter(finding.state for finding in findings)
    told = [words.format(counts[state]) for state, words in SUMMARY_WORDS if counts[state] or state is State.FAILURE]
    return ", ".join(told).replace("0 wrong", "Nothing wrong found", 1) + "."


def make_record(results: Iterable[tuple[Check, list[Finding]]]) -> dict[str, object]:
    """Return what was found as a record: a list of findings, and whether all is well."""
    rows = [
        {
            "check": check.name,
            "state": finding.state.value,
            "what": finding.what,
            "why": finding.why,
            "mend": list(finding.mend),
            "cause": finding.cause,
        }
        for check, findings in results
        for finding in findings
    ]
    return {"well": all(row["state"] != State.FAILURE.value for row in rows), "findings": rows}
