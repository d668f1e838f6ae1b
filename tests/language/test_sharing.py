"""Values that are computed once: where they are at hand, where not, and what they may not depend on."""

from __future__ import annotations

import ast

import pytest

from pipeline.language.sharing import Sharer
from tests.language.test_codegen import compile_text, run_program


def share(code: str, groups: int = 0) -> str:
    """Return Python code with its values shared; `int` and `pair` are pure, `m` is a match of so many groups."""
    sharer = Sharer(frozenset({"int", "pair"}), {"m": groups})
    body = sharer.share(ast.parse(code).body)
    return ast.unparse(ast.fix_missing_locations(ast.Module([*sharer.fixed, *body], [])))


@pytest.mark.parametrize(
    ("code", "shared"),
    [
        ("a.x = int(b)\nc.x = int(b)", "a.x = (g1 := int(b))\nc.x = g1"),
        ("a.x = int(b)\nif c:\n    d.x = int(b)", "a.x = (g1 := int(b))\nif c:\n    d.x = g1"),
        ("if int(b) > 0:\n    d.x = int(b)", "if (g1 := int(b)) > 0:\n    d.x = g1"),
        ("if a and int(b):\n    d.x = int(b)", "if a and (g1 := int(b)):\n    d.x = g1"),
        (
            "if a or int(b):\n    pass\nelse:\n    d.x = int(b)",
            "if a or (g1 := int(b)):\n    pass\nelse:\n    d.x = g1",
        ),
        ("if not (a or int(b)):\n    d.x = int(b)", "if not (a or (g1 := int(b))):\n    d.x = g1"),
        (
            "if a:\n    continue\nelse:\n    b.x = c[1]\nd.x = c[1]",
            "if a:\n    continue\nelse:\n    b.x = (g1 := c[1])\nd.x = g1",
        ),
        ("x = pair(a[1], a[2])\ny = pair(a[2], a[1])", "x = pair((g1 := a[1]), (g2 := a[2]))\ny = pair(g2, g1)"),
        ("d[int(b)] += int(b)", "d[(g1 := int(b))] += g1"),
    ],
)
def test_second_of_two_equal_values_is_read(code: str, shared: str) -> None:
    """Where the first has surely been computed."""
    assert share(code) == shared


@pytest.mark.parametrize(
    "code",
    [
        "if a:\n    b.x = int(c)\nd.x = int(c)",
        "if a or int(b):\n    d.x = int(b)",
        "if a and int(b):\n    pass\nelse:\n    d.x = int(b)",
        "x = a and int(b)\ny = int(b)",
        "x = int(b) if a else c\ny = int(b)",
        "a.x = int(b)\nb = c\nd.x = int(b)",
        "a.x = int(b)\nif c and (b := d):\n    pass\ne.x = int(b)",
        "a.x = int(b)\nif c:\n    b = d\ne.x = int(b)",
        "a.x = change(b)\nd.x = change(b)",
        "a.x = b.y\nd.x = b.y",
        "a.x = int(b.y)\nd.x = int(b.y)",
        "b += int(b)\nd.x = int(b)",
        "a.x = int(1)\nb.x = int('1')",
    ],
)
def test_other_values_are_computed_anew(code: str) -> None:
    """They may not have been computed, may have changed, or their computation changes something."""
    assert share(code) == code


def test_value_of_the_origin_is_computed_in_front_of_the_loop() -> None:
    """It is the same for all lines of a batch. What could fail stays where it is."""
    shared = share("if origin.find(b'x') >= 0 and int(origin):\n    pass")
    assert shared == "fixed1 = origin.find(b'x')\nfixed2 = fixed1 >= 0\nif fixed2 and int(origin):\n    pass"


def test_groups_are_read_at_once_where_most_are_needed() -> None:
    """A group that only some lines need does not count."""
    code = "if (m := search(line)):\n    x = pair(m[1], m[2])\n    y = pair(m[3], m[5])"
    unpacked = "if (m := search(line)):\n    g1, g2, g3, _, g5 = m.groups()\n    x = pair(g1, g2)\n    y = pair(g3, g5)"
    assert share(code, 5) == unpacked
    assert share(code, 9) == code
    rarely = "if (m := search(line)):\n    x = pair(m[1], m[2])\n    if x:\n        y = pair(m[3], m[5])"
    assert share(rarely, 5) == rarely


def test_match_of_any_bytes_gives_its_groups_at_once() -> None:
    """Also where invalid bytes were replaced for the search."""
    text = "counter c by a, b, d, e\n/^(.) (.) (.) (.)$/ {\n  c[$1][$2][$3][$4]++\n}\n"
    run = run_program(text, b"a \xff \xc3\xa4 d")
    assert "groups()" in run.compiled.listing
    assert list(run.metrics[0].data) == [(b"a", b"\xff", b"\xc3\xa4", b"d")]


def test_pattern_that_is_tried_twice_is_read_twice() -> None:
    """A decorator's pattern has one local, however often it is written out."""
    text = "counter c by k\ndef d {\n  /(\\w)/ {\n    next\n    c[$1]++\n  }\n}\n@d {\n  @d {\n    c[$1]++\n  }\n}\n"
    assert run_program(text, b"a").value("c", b"a") == 3


def test_origin_is_asked_once_for_a_batch() -> None:
    """So that a program for one file costs little on the lines of others."""
    listing = compile_text("counter c\ngetfilename() =~ /x.*y/ {\n  c++\n}\n").listing
    assert listing.index("(origin)") < listing.index("for line")


def test_tests_for_different_texts_exclude_each_other() -> None:
    """After one that held, the others need not be made."""
    code = "if m[1] == b'a':\n    c\nif m[1] == b'b':\n    d\nif m[1] == b'c':\n    e"
    shared = "if (g1 := m[1]) == b'a':\n    c\nelif g1 == b'b':\n    d\nelif g1 == b'c':\n    e"
    assert share(code) == shared


@pytest.mark.parametrize(
    "code",
    [
        "if m[1] == b'a':\n    c\nif m[1] == b'a':\n    d",
        "if m[1] == b'a':\n    c\nif m[1] == b'b':\n    d\nelse:\n    e",
        "if m[1] == b'a':\n    c\nelse:\n    d\nif m[1] == b'b':\n    e",
        "if m[1] == b'a':\n    c\nd\nif m[1] == b'b':\n    e",
        "if m[1] == b'a':\n    c\nif m[1] != b'b':\n    e",
    ],
)
def test_other_tests_stand_alone(code: str) -> None:
    """Where the outcome of one does not decide the next, or something stands between them."""
    assert "elif" not in share(code)
