"""Random code does the same when its values are shared."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.language.sharing import Sharer

NAMES = ("a", "b", "c", "origin")
PURE = frozenset({"pair", "half"})


def extend(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return expressions made of smaller ones."""
    return st.one_of(
        st.builds("({} + {})".format, parts, parts),
        st.builds("({} < {})".format, parts, parts),
        st.builds("({} and {})".format, parts, parts),
        st.builds("({} or {})".format, parts, parts),
        st.builds("(not {})".format, parts),
        st.builds("({} if {} else {})".format, parts, parts, parts),
        st.builds("pair({}, {})".format, parts, parts),
        st.builds("half({})".format, parts),
        st.builds("change({})".format, parts),
        st.builds("(b := {})".format, parts),
        # As the generator writes it: the scratch is set by a test, and read by the branches.
        st.builds("(half(v) if (v := {}) > 2 else v + {})".format, parts, st.sampled_from("123")),
        st.builds("(v if 0 <= (v := {}) <= 5 else pair(v, {}))".format, parts, st.sampled_from("123")),
    )


def expressions() -> st.SearchStrategy[str]:
    leaves = st.sampled_from((*NAMES, "a", "b", "m[1]", "m[2]", "m[1]", "1", "3"))
    return st.recursive(leaves, extend, max_leaves=6)


def indent(block: list[str]) -> str:
    return "\n".join(f"    {line}" for statement in block for line in statement.splitlines())


def write_if(test: str, block: list[str], other: list[str]) -> str:
    return f"if {test}:\n{indent(block)}" + (f"\nelse:\n{indent(other)}" if other else "")


def statements() -> st.SearchStrategy[str]:
    simple = st.one_of(
        st.builds("note({})".format, expressions()),
        st.builds("note({})".format, expressions()),
        st.builds("{} = {}".format, st.sampled_from(("a", "b", "c")), expressions()),
        st.builds("{} += {}".format, st.sampled_from(("a", "b", "c")), expressions()),
        st.builds("m = search({})".format, expressions()),
    )

    def nest(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        block = st.lists(inner, min_size=1, max_size=3)
        tests = expressions() | st.builds("(m := search({}))".format, expressions())
        equals = st.builds("if {} == {}:\n    note({})".format, st.just("m[1]"), st.sampled_from("123"), expressions())
        leave = st.builds("if {}:\n    note({})\n    continue".format, expressions(), expressions())
        return st.one_of(st.builds(write_if, tests, block, block | st.just([])), equals, leave)

    return st.recursive(simple, nest, max_leaves=8)


def run(code: str) -> list[object]:
    """Return what a piece of code notes down, run once for each of some lines."""
    noted: list[object] = []
    changes = [0]

    def change(value: int) -> int:
        changes[0] += 1
        noted.append(("change", value))
        return changes[0]

    names: dict[str, object] = {
        "pair": lambda one, other: (one * 3 + other) % 7,
        "half": lambda value: value // 2,
        "change": change,
        "note": noted.append,
        "search": lambda value: Found(value),
        "origin": 4,
    }
    exec(f"for line in range(4):\n    a, b, c, m, v = line, 2, 3, search(1), 0\n{code}", names)  # noqa: S102 - our own
    return noted


class Found(tuple[int, ...]):
    """A match: three groups that depend on what was searched."""

    __slots__ = ()

    def __new__(cls, value: int) -> Found:
        return super().__new__(cls, (0, value % 4, value % 3, 1))

    def groups(self) -> tuple[int, ...]:
        return tuple(self[1:])


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.lists(statements(), min_size=2, max_size=6))
def test_shared_code_does_the_same(written: list[str]) -> None:
    """In the same order, whatever it tests, assigns and leaves out."""
    code = indent(written)
    body = ast.parse(f"while 0:\n{code}").body[0]
    assert isinstance(body, ast.While)
    sharer = Sharer(PURE, {"m": 3})
    shared = sharer.share(body.body)
    text = ast.unparse(ast.fix_missing_locations(ast.Module([*sharer.fixed, *shared], [])))
    assert run(indent([text])) == run(code), text
