"""What `re` is given takes linear time: counted in steps of a backtracking search, never measured."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.language.patterns import Engine, SearchPlan, parse_pattern, plan_search
from pipeline.language.patterns.proofs import find_hints, go_to_runs
from pipeline.language.patterns.simplify import flatten, make_concat
from pipeline.language.patterns.splitting import Split
from pipeline.language.patterns.tree import Anchor, Assertion, Concat, Node
from tests.language.backtracking import compile_program, count_steps

PIECES = (
    *(
        "a",
        "b",
        " ",
        '"',
        "1",
        "-",
        ":",
        r"\S+",
        r"\S*",
        r"\w+",
        r"\d+",
        r"\s+",
        ".*",
        ".+",
        '[^"]*',
        '[^"]+',
        "[ab]+",
        "a*",
    ),
    *("[a-]+", r"\d{1,3}", "(?:a+:)?", r"(?:\w+-)*", "(?:ab|a)", "(?:a|b)+", '(?:"[^"]*" )?', r"(?:\S+\s)*"),
    *(r"(\w+)", "(.*)", r"(\S+)", ".*?", r"\S+?", "(?:a|ab)(?:c|bcd)", r"\b", "(?i:a)", r"(?:-\d+)?"),
)
LETTERS = 'aab1 ".-:'
COUNTS = (30, 60, 120)
LIMIT = 400_000


def log_patterns() -> st.SearchStrategy[str]:
    """Return patterns with many repeats that may take each other's bytes."""
    rows = st.lists(st.sampled_from(PIECES), min_size=2, max_size=7).map("".join)
    return st.builds("{}{}{}".format, st.sampled_from(("", "^")), rows, st.sampled_from(("", "", "$")))


def words(most: int, least: int = 0) -> st.SearchStrategy[str]:
    return st.text(st.sampled_from(LETTERS), min_size=least, max_size=most)


def is_anchored(root: Node) -> bool:
    first = root.children[0] if isinstance(root, Concat) else root
    return first == Assertion(Anchor.BEGIN_TEXT)


def count_all(text: str, wanted: frozenset[int], pump: tuple[str, str, str]) -> list[int]:
    """Return the steps for subjects that are twice as long each time; empty if another engine does the work."""
    found = plan_search(parse_pattern(text), wanted, in_line=True)
    if found.engine is not Engine.RE and not found.reads_with_re:
        return []
    subjects = [pump[0] + pump[1] * count + pump[2] for count in COUNTS]
    return [sum(count_at(root, each, at_start=at_start) for root, at_start in list_steps(found)) for each in subjects]


def list_steps(found: SearchPlan) -> list[tuple[Node, bool]]:
    """Return what `re` searches for, and whether at the beginning of the subject only."""
    if found.split is not None:
        return list_halves(found.split)
    if found.goes_to_runs:
        return [(make_concat(go_to_runs(flatten(found.root))[0]), True)]
    return [(found.root, found.reads_with_re or is_anchored(found.root))]


def list_halves(split: Split) -> list[tuple[Node, bool]]:
    """Return the same for halves, of which the first may consist of halves again."""
    if split.nested is not None:
        return [(split.marked_root, True), *list_halves(split.nested)]
    first = make_concat(split.first)
    return [(split.marked_root, True), (first, is_anchored(first))]


def count_at(root: Node, subject: str, *, at_start: bool) -> int:
    return count_steps(
        compile_program(root, find_hints(root).decided), subject, range(1 if at_start else len(subject) + 1), LIMIT
    )


def grows_linearly(steps: list[int]) -> bool:
    """Whether twice the text takes twice the steps. (It is four times, and four times again, if not.)"""
    small, middle, large = steps
    return large < 10_000 or large < 2.7 * middle or middle < 2.7 * small


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(log_patterns(), st.tuples(words(4), words(3, 1), words(3)), st.sampled_from(("none", "groups", "all")))
def test_steps_grow_with_the_text_and_no_faster(text: str, pump: tuple[str, str, str], reads: str) -> None:
    """Whatever stretch of the text is repeated."""
    count = len(parse_pattern(text).names)
    wanted = {"none": range(0), "groups": range(1, count + 1), "all": range(count + 1)}[reads]
    steps = count_all(text, frozenset(wanted), pump)
    assume(steps)
    assert grows_linearly(steps)


@pytest.mark.parametrize(
    ("text", "pump"),
    [
        (r'^(\S+) "(\S+) (\S+) (\S+)" (\d+)', ("a ", '"a', "")),
        (r'^(\S+) "(\S+) (\S+) (\S+)" (\d+)', ('a "b c ', '"', "")),
        (r"sent (\d+) bytes  received (\d+) bytes", ("", "sent 1", "")),
        (r"sent (\d+) bytes  received (\d+) bytes", ("", "sent 1 bytes  received 1 ", "")),
        (r"a(\w+) (\w+) ", ("", "a", "")),
        (r"(?:GET|POST) /(\S*) ", ("", "GET /", "")),
        (r"(\S+) (\S+) \[\S+\] (\S+) ", ("", "a", "")),
        (r"(\S+) (\S+) \[\S+\] (\S+) ", ("", "a a [a] ", "[")),
        (r"^Completed (\d{3}) .+ in (\d+)ms .*$", ("Completed 200 x", " in 1ms", "")),
        (r"^(A|B) .* # (.*)$", ("A ", " # ", "")),
        (r"(\w+)@(\w+)\.com", ("", "a@", "")),
        (r":.*, size=(\d+)", ("", ":", "")),
        (r":.*, size=(\d+)", (":", ", size=", "1")),
        (r".*, relay=(\S+), .*, delays=(\d+)/(\d+),\s", ("", ", relay=a, , delays=1/1, ", ", relay=")),
        (r".*, relay=(\S+), .*, delays=(\d+)/(\d+),\s", (", delays=1/1, ", ", relay=a, ", "")),
        (r"^(A|B) .* # (.*);$", ("A ", " # ", ";x")),
        ('^[^"]*[^"]*$', ("", "1", '"')),
    ],
)
def test_usual_pattern_is_linear_where_it_is_hardest(text: str, pump: tuple[str, str, str]) -> None:
    """Texts that look like a match again and again."""
    steps = count_all(text, frozenset({1}), pump)
    assert not steps or grows_linearly(steps)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "counts"),
    [("(?:a+)+b", (5, 10, 20)), ("^.*.*x", (60, 120, 240)), ("a[^b]*b", (60, 120, 240)), (r"\w+ ", (60, 120, 240))],
)
def test_counting_tells_other_patterns_apart(text: str, counts: tuple[int, int, int]) -> None:
    """The search that counts is one that backtracks."""
    program = compile_program(parse_pattern(text).root)
    assert not grows_linearly([count_steps(program, "a" * count, range(count), LIMIT) for count in counts])
