"""`subst` with a pattern: every match replaced by a text, literally."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pipeline.language.patterns.certainty import find_literal
from pipeline.language.patterns.printing import UTF8, print_tree
from pipeline.language.patterns.re2_library import Searcher, compile_re2
from pipeline.language.patterns.repair import repair
from pipeline.language.patterns.simplify import drop_captures, flatten
from pipeline.language.patterns.tree import Regex


def replacer(regex: Regex) -> Callable[[bytes, bytes], bytes]:
    """Return a function of subject and replacement, which has no special characters.

    An empty match right behind another match is not replaced (Go's rule, spec section 9).
    """
    literal = find_literal(flatten(drop_captures(regex.root, frozenset())))
    if literal is not None and literal[0] == "in":
        text = literal[1]
        return lambda subject, replacement: subject.replace(text, replacement)
    pattern = compile_re2(print_tree(drop_captures(regex.root, frozenset()), UTF8), utf8=True)

    def replace(subject: bytes, replacement: bytes) -> bytes:
        try:
            subject.decode()
        except UnicodeDecodeError:
            repaired, offsets = repair(subject)
            spans = [(offsets[start], offsets[end]) for start, end in find_spans(pattern, repaired)]
            return splice(subject, spans, replacement)
        return splice(subject, find_spans(pattern, subject), replacement)

    return replace


def find_spans(pattern: Searcher, subject: bytes) -> Sequence[tuple[int, int]]:
    """Return where the matches to replace are in valid UTF-8, as Go's `ReplaceAll` finds them.

    pyre2's own `sub` replaces an empty match behind another one, and inside a character.
    """
    spans: list[tuple[int, int]] = []
    position = 0
    last_end = 0
    while position <= len(subject) and (match := pattern.search(subject, position)) is not None:
        start, end = match.span(0)
        if start < len(subject) and subject[start] & 0xC0 == 0x80:
            # RE2 finds a place without word edge (`\B`) between the bytes of a character too.
            position = start + 1
            continue
        if end > last_end or start == 0:
            spans.append((start, end))
        last_end = end
        position = max(end, next_character(subject, position))
    return spans


def next_character(subject: bytes, position: int) -> int:
    """Return where the character behind the one at `position` begins."""
    position += 1
    while position < len(subject) and subject[position] & 0xC0 == 0x80:
        position += 1
    return position


def splice(subject: bytes, spans: Iterable[tuple[int, int]], replacement: bytes) -> bytes:
    """Return the subject with `replacement` in the place of each span."""
    parts: list[bytes] = []
    place = 0
    for start, end in spans:
        parts += [subject[place:start], replacement]
        place = end
    return b"".join([*parts, subject[place:]])
