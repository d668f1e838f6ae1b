"""Lines that a pattern finds hard: long runs of what it loves, and texts that nearly match, again and again."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.language.patterns.classes import contains_char
from pipeline.language.patterns.tree import Alternate, CharClass, Literal, Node, Repeat, fold

USUAL_CHARS = "a1 .:-/\"[(=,;@#'_x%A\t"
MAX_LOVED = 8
MAX_CUTS = 6


def write_sample(root: Node) -> str:
    """Return a text that the pattern matches, its anchors apart; of each repeat, one round at least."""
    return fold(root, write_node)


def write_node(node: Node, parts: list[str]) -> str:
    match node:
        case Literal(text=text):
            return text
        case CharClass(ranges=ranges):
            inside = (char for char in USUAL_CHARS if contains_char(ranges, ord(char)))
            return next(inside, chr(ranges[0][0]) if ranges else "")
        case Repeat(least=least):
            return parts[0] * max(least, 1)
        case Alternate():
            return parts[0]
        case _:
            return "".join(parts)


def loved_chars(root: Node) -> str:
    """Return characters that the pattern's sets hold and its text consists of."""
    found: dict[str, None] = {}

    def collect(node: Node, _: list[None]) -> None:
        if isinstance(node, CharClass):
            found.update(dict.fromkeys(char for char in USUAL_CHARS[:6] if contains_char(node.ranges, ord(char))))
        if isinstance(node, Literal):
            found.update(dict.fromkeys(node.text[:2]))

    fold(root, collect)
    return "".join(found)[:MAX_LOVED]


def write_pumps(root: Node) -> Iterator[tuple[str, str, str]]:
    """Yield beginnings, what to repeat behind them, and ends."""
    sample, loved = write_sample(root), loved_chars(root)
    step = max(1, len(sample) // MAX_CUTS)
    beginnings = [sample[:cut] for cut in range(0, len(sample) + 1, step)]
    for char in loved:
        yield "", char, ""
        yield "", f"{char} ", ""
        for beginning in beginnings:
            yield beginning, char, ""
    for beginning in filter(None, [*beginnings, sample[:-1]]):
        yield "", beginning, ""
        yield "", beginning, "\x00"
        yield sample[: len(sample) // 2], beginning, ""


def write_lines(root: Node, length: int) -> Iterator[bytes]:
    """Yield the lines of about `length` bytes."""
    for beginning, pump, end in write_pumps(root):
        yield (beginning + pump * (length // len(pump)) + end).encode()
