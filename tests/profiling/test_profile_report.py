"""A profile as a text for people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.language import PatternReport, Position, SourceFile, compile_program
from pipeline.language.source import Span
from pipeline.profiling.advice import give_advice
from pipeline.profiling.costs import PatternCost, Profile, SieveTrial
from pipeline.profiling.figures import show_share
from pipeline.profiling.report import MAX_ELSEWHERE, MAX_PATTERNS, describe_profile
from pipeline.runtime import LineFailure

PROGRAM = "counter c by who\n/user (\\S+) .* from/ {\n  /x/ {\n    c[$1]++\n  }\n}\n"
BORDER = "the border between two of its repeats may lie anywhere"


def make_cost(
    line: int,
    ns: float,
    *,
    text: str = "x",
    engine: str = "literal",
    reason: str = "it is a plain text",
    searched: float | None = None,
    found: float | None = None,
) -> PatternCost:
    pattern = PatternReport(Span(0, 1), text, engine, reason)
    return PatternCost(pattern, Position(line, 1), ns, searched, found)


def make_profile(*patterns: PatternCost, program: str = PROGRAM) -> Profile:
    return Profile(
        compiled=compile_program(SourceFile("p.mtail", program)),
        lines=20_000,
        samples=1_500,
        ns=1000.0,
        around_ns=100.0,
        patterns=patterns,
        elsewhere={},
        trial=SieveTrial(0.25, 1000.0, 1100.0),
        failed=0.0,
        failure=None,
    )


RE2 = make_cost(2, 620, text="user (\\S+) .* from", engine="RE2", reason=BORDER, searched=1, found=0.034)


def test_profile_is_tables_and_sentences() -> None:
    """The dearest things first, each with its share; with the reason where the engine is the slowest."""
    profile = replace(make_profile(RE2, make_cost(3, 50.4)), elsewhere={4: 180.0, 0: 20.0})
    assert describe_profile(profile) == (
        " share  ns/line  searched   found  place    engine   pattern\n"
        "  62 %      620     100 %   3.4 %  2:1      RE2      /user (\\S+) .* from/\n"
        "                                           because the border between two of its repeats may lie anywhere\n"
        " 5.0 %       50         –       –  3:1      literal  /x/\n"
        "\n"
        " share  ns/line  line  elsewhere\n"
        "  18 %      180     4  c[$1]++\n"
        "  10 %      100        the sieve\n"
        " 2.0 %       20        the loop over the lines\n"
        "\n"
        "A line takes 1,000 ns of processor time: 1,000,000 lines take a second."
        " Measured with 1,500 samples on 20,000 lines.\n"
        "\n"
        "The sieve lets 25 % of the lines through. With it a line takes 1,000 ns, without it 1,100 ns:"
        " it pays, and the figures above are with it.\n"
        "\n"
        "The dearest pattern is the one at 2:1, with 62 % of the time. RE2 runs it, because the border between two of"
        " its repeats may lie anywhere: if it can match at the beginning only, write `^` there, and `re` will run it."
        " It is searched on 100 % of the lines and found on 3.4 %: put it into a block whose pattern is a text that"
        " those lines hold.\n"
    )


@pytest.mark.parametrize(
    ("trial", "sentence"),
    [
        (SieveTrial(0.0, 20.0, 100.0), "The sieve lets none of the lines through. With it a line takes 20 ns, "
         "without it 100 ns: it pays, and the figures above are with it."),
        (SieveTrial(1.0, 100.0, 20.0), "The sieve lets 100 % of the lines through. With it a line takes 100 ns, "
         "without it 20 ns: it does not pay, and the figures above are not with it."),
        (None, "No sieve can stand before the program here."),
    ],
)  # fmt: skip
def test_sieve_has_a_verdict(trial: SieveTrial | None, sentence: str) -> None:
    """Where there is one."""
    assert sentence in describe_profile(replace(make_profile(RE2), trial=trial)).splitlines()


def test_every_line_may_matter() -> None:
    """`explain` names the effect."""
    compiled = compile_program(SourceFile("p.mtail", "counter c\nc++\n"))
    assert (
        "No sieve stands before the program, because every line may matter: see `explain` without --profile.\n"
    ) in describe_profile(replace(make_profile(), compiled=compiled, trial=None))


def test_what_is_left_out_is_summed_up() -> None:
    """A table has an end."""
    patterns = [make_cost(line, 30.0 if line <= MAX_PATTERNS + 2 else 0.0) for line in range(1, MAX_PATTERNS + 6)]
    elsewhere = dict.fromkeys(range(1, MAX_ELSEWHERE + 2), 5.0)
    text = describe_profile(replace(make_profile(*patterns), elsewhere=elsewhere))
    assert " 6.0 %       60  2 other patterns\n   0 %        0  3 patterns without cost here\n\n" in text
    assert " 1.0 %       10        2 other lines\n\n" in text


def test_long_pattern_is_shortened() -> None:
    """Its place tells which it is."""
    assert "/" + "x" * 59 + "…/\n" in describe_profile(make_profile(make_cost(1, 5.0, text="x" * 61)))


def test_failures_are_told_with_the_last_one() -> None:
    """They are dear, and mostly not meant."""
    failure = LineFailure("division of 1 by zero", Position(3, 7), b"/log", b"1 0", 0)
    text = describe_profile(replace(make_profile(), failed=0.5, failure=failure))
    assert " The program fails on 50 % of them, last at 3:7: division of 1 by zero.\n" in text
    assert "The program fails" not in describe_profile(replace(make_profile(), failed=0.0, failure=failure))


@pytest.mark.parametrize(
    ("share", "shown"),
    [(None, "–"), (0.0, "0 %"), (0.0004, "0.0 %"), (0.0994, "9.9 %"), (0.0996, "10 %"), (1.0, "100 %")],
)
def test_share_is_in_percent(share: float | None, shown: str) -> None:
    """Small ones with a place behind the point."""
    assert show_share(share) == shown


def test_log_that_is_not_admitted_is_told() -> None:
    """The daemon would do nothing."""
    text = describe_profile(replace(make_profile(), is_admitted=False))
    assert "\n\nThe daemon would not run it on this log: its `log_filter` names others.\n\n" in text


@pytest.mark.parametrize(
    ("cost", "advice"),
    [
        (make_cost(1, 90.0, engine="RE2", reason=BORDER), ""),
        (make_cost(1, 300.0), ""),
        (make_cost(1, 300.0, engine="re", searched=1, found=0.2), ""),
        (make_cost(1, 300.0, engine="re", text="^x", searched=1, found=0), ""),
        (make_cost(1, 300.0, engine="re", searched=0.3, found=0), ""),
        (make_cost(1, 300.0, engine="re", searched=0.6, found=0.01), "It is searched on 60 % of the lines and found on "
         "1.0 %: put it into a block whose pattern is a text that those lines hold."),
        (make_cost(1, 300.0, engine="RE2", text=r"\w+\s+x", reason="a search could begin again; and more"), "RE2 runs "
         "it, because a search could begin again: if it can match at the beginning only, write `^` there, and `re` "
         "will run it."),
        (make_cost(1, 300.0, engine="RE2", text=r"(\w+)\w+ x(\w+)\w+ y", reason=BORDER), f"RE2 runs it, because "
         f"{BORDER}: let each repeat take only what cannot stand behind it, such as `[^ ]+` before a blank."),
        (make_cost(1, 300.0, engine="RE2", text=r"^.*\Bx", reason=r"`re` reads `\B` in another way"), "RE2 runs it, "
         r"because `re` reads `\B` in another way."),
    ],
)  # fmt: skip
def test_advice_is_given_where_something_can_be_done(cost: PatternCost, advice: str) -> None:
    """The dearest pattern is named in any case."""
    named = f"The dearest pattern is the one at 1:1, with {show_share(cost.ns / 1000)} of the time."
    assert give_advice(make_profile(cost)) == f"{named} {advice}".strip()


def test_field_that_keeps_the_sieve_away_is_named() -> None:
    """With what to write, which is all that is needed."""
    program = 'counter c\ndecode json {{\n  {} && $level == "error" {{\n    c++\n  }}\n}}\n'
    assert give_advice(make_profile(program=program.format('$level != "x"'))) == (
        "It has no pattern. Every line is decoded because of `$level`: where it is one of a few lines, write"
        " `defined($level)` behind the `decode`, or a pattern before it."
    )
    assert give_advice(make_profile(program=program.format("defined($level)"))) == "It has no pattern."


def test_nothing_is_dearest_where_nothing_takes_time() -> None:
    """No pattern at all, or none that is searched on these lines."""
    assert give_advice(make_profile()) == "It has no pattern."
    assert give_advice(make_profile(make_cost(1, 0.0))) == "No pattern took any time."
