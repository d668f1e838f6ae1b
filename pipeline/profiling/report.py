"""A profile as a text for people."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.profiling.advice import give_advice
from pipeline.profiling.costs import Profile
from pipeline.profiling.figures import count, show_place, show_share

MAX_PATTERNS = 20
MAX_ELSEWHERE = 6
"""Rows of a table. What is left out is summed up."""

MAX_SHOWN = 60
"""Characters of a pattern, or of a line of the program."""


def describe_profile(profile: Profile) -> str:
    """Return the tables, the total, what the sieve does, and which pattern is the dearest."""
    paragraphs = [
        "\n".join(list_patterns(profile)),
        "\n".join(list_elsewhere(profile)),
        describe_total(profile),
        describe_sieve(profile),
        "" if profile.is_admitted else "The daemon would not run it on this log: its `log_filter` names others.",
        give_advice(profile),
    ]
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def list_patterns(profile: Profile) -> Iterator[str]:
    """Yield the table of the patterns, the dearest first."""
    dear = [cost for cost in profile.patterns if cost.ns]
    if not dear:
        return
    yield " share  ns/line  searched   found  place    engine   pattern"
    for cost in dear[:MAX_PATTERNS]:
        pattern = cost.pattern
        searches = f"{show_share(cost.searched):>8}  {show_share(cost.found):>6}"
        place = f"{show_place(cost.position):7}"
        yield f"{show_cost(profile, cost.ns)}  {searches}  {place}  {pattern.engine:7}  /{shorten(pattern.text)}/"
        if pattern.has_slow_engine:
            yield f"{'':43}because {pattern.reason}"
    if rest := dear[MAX_PATTERNS:]:
        yield f"{show_cost(profile, sum(cost.ns for cost in rest))}  {count(len(rest), 'other pattern')}"
    if left := len(profile.patterns) - len(dear):
        yield f"{show_cost(profile, 0)}  {count(left, 'pattern')} without cost here"


def list_elsewhere(profile: Profile) -> Iterator[str]:
    """Yield the table of what is no search, the dearest first."""
    rows = [(profile.around_ns, "", "the sieve" if profile.is_sieved else "the split into lines")]
    for line, ns in profile.elsewhere.items():
        if line:
            rows.append((ns, str(line), shorten(profile.compiled.source.line_text(line).strip())))
        else:
            rows.append((ns, "", "the loop over the lines"))
    rows.sort(reverse=True)
    yield " share  ns/line  line  elsewhere"
    for ns, line_number, text in rows[:MAX_ELSEWHERE]:
        yield f"{show_cost(profile, ns)}  {line_number:>4}  {text}"
    if rest := rows[MAX_ELSEWHERE:]:
        yield f"{show_cost(profile, sum(ns for ns, _, _ in rest))}        {count(len(rest), 'other line')}"


def describe_total(profile: Profile) -> str:
    """Return what a line takes, and whether the program fails."""
    text = (
        f"A line takes {profile.ns:,.0f} ns of processor time: {1e9 / profile.ns:,.0f} lines take a second."
        f" Measured with {count(profile.samples, 'sample')} on {count(profile.lines, 'line')}."
    )
    failure = profile.failure
    if failure is None or not profile.failed:
        return text
    share, place = show_share(profile.failed), show_place(failure.position)
    return f"{text} The program fails on {share} of them, last at {place}: {failure.message}."


def describe_sieve(profile: Profile) -> str:
    """Return what the sieve does with the log, and whether it pays."""
    trial = profile.trial
    if trial is None and profile.compiled.probes is None:
        return "No sieve stands before the program, because every line may matter: see `explain` without --profile."
    if trial is None:
        return "No sieve can stand before the program here."
    passed = show_share(trial.passed) if trial.passed else "none"
    verdict = "it pays, and the figures above are" if trial.pays else "it does not pay, and the figures above are not"
    return (
        f"The sieve lets {passed} of the lines through. With it a line takes {trial.sieved_ns:,.0f} ns,"
        f" without it {trial.full_ns:,.0f} ns: {verdict} with it."
    )


def show_cost(profile: Profile, ns: float) -> str:
    """Return the first two columns of a row."""
    return f"{show_share(profile.share(ns)):>6}  {ns:7,.0f}"


def shorten(text: str) -> str:
    """Return a text that fits into a row."""
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
