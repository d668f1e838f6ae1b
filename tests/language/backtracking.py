"""A backtracking search that counts its steps: what `re` would do with a pattern, without its shortcuts."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from pipeline.language.patterns.classes import contains_char, fold_char
from pipeline.language.patterns.tree import (
    Alternate,
    Anchor,
    Assertion,
    Capture,
    CharClass,
    CharRanges,
    Concat,
    Empty,
    Literal,
    Node,
    Repeat,
    fold,
)


@dataclass(frozen=True, slots=True)
class Fork:
    """Two instructions to go on with, as distances; the first one is tried first."""

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Run:
    """As many characters of a set as there are, none of which is given back."""

    ranges: CharRanges
    least: int


Program = list[CharRanges | Anchor | Fork | Run]


def compile_program(root: Node, decided: Set[int] = frozenset()) -> Program:
    """Return the instructions for a pattern in a row; behind the last one is a match.

    The repeats in `decided`, by their `id`, are printed so that they give nothing back.
    """

    def write(node: Node, parts: list[Program]) -> Program:
        match node:
            case Repeat(part=CharClass(ranges=ranges), least=least, most=None, greedy=True) if id(node) in decided:
                return [Run(ranges, least)]
            case _:
                return write_node(node, parts)

    return fold(root, write)


def write_node(node: Node, parts: list[Program]) -> Program:
    match node:
        case Empty():
            return []
        case Literal(text=text, fold=folds):
            chars = [fold_char(ord(char)) if folds else (ord(char),) for char in text]
            return [tuple((char, char) for char in cases) for cases in chars]
        case CharClass(ranges=ranges):
            return [ranges]
        case Assertion(anchor=anchor):
            return [anchor]
        case Concat():
            return [instruction for part in parts for instruction in part]
        case Alternate():
            return write_choice(parts)
        case Capture():
            return parts[0]
        case Repeat(least=least, most=most, greedy=greedy):
            return write_repeat(parts[0], least, most, greedy=greedy)


def write_choice(parts: list[Program]) -> Program:
    program = parts[-1]
    for part in reversed(parts[:-1]):
        leave = Fork(len(program) + 1, len(program) + 1)
        program = [Fork(1, len(part) + 2), *part, leave, *program]
    return program


def write_repeat(part: Program, least: int, most: int | None, *, greedy: bool) -> Program:
    program = part * least
    if most is None:
        back = -len(part) - 1
        return [*program, make_fork(len(part) + 2, greedy=greedy), *part, Fork(back, back)]
    tail: Program = []
    for _ in range(most - least):
        tail = [make_fork(len(part) + len(tail) + 1, greedy=greedy), *part, *tail]
    return program + tail


def make_fork(leave: int, *, greedy: bool) -> Fork:
    """Return the choice between going on and leaving."""
    return Fork(1, leave) if greedy else Fork(leave, 1)


def count_steps(program: Program, subject: str, starts: range, limit: int) -> int:
    """Return how many instructions it takes to try these places until there is a match; `limit` at most."""
    steps = 0
    for start in starts:
        pending = [(0, start)]
        while pending:
            place, position = pending.pop()
            while place < len(program) and steps < limit:
                steps += 1
                match program[place]:
                    case Fork(first, second):
                        if first != second:
                            pending.append((place + second, position))
                        place += first
                    case Anchor() as anchor:
                        if not holds(anchor, subject, position):
                            break
                        place += 1
                    case Run(ranges, least):
                        begin = position
                        while position < len(subject) and contains_char(ranges, ord(subject[position])):
                            position += 1
                        steps += position - begin
                        if position - begin < least:
                            break
                        place += 1
                    case ranges:
                        if position == len(subject) or not contains_char(ranges, ord(subject[position])):
                            break
                        position += 1
                        place += 1
            else:
                return steps
    return steps


def holds(anchor: Anchor, subject: str, position: int) -> bool:
    before, after = subject[max(0, position - 1) : position], subject[position : position + 1]
    match anchor:
        case Anchor.BEGIN_TEXT:
            return not before
        case Anchor.END_TEXT:
            return not after
        case Anchor.BEGIN_LINE:
            return before in ("", "\n")
        case Anchor.END_LINE:
            return after in ("", "\n")
        case Anchor.WORD_EDGE | Anchor.NO_WORD_EDGE:
            is_edge = (before.isalnum() or before == "_") != (after.isalnum() or after == "_")
            return is_edge == (anchor is Anchor.WORD_EDGE)
