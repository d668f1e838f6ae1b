"""The literal text that every match of a pattern holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.language.patterns.classes import REPLACEMENT, fold_char
from pipeline.language.patterns.tree import (
    Alternate,
    Assertion,
    Capture,
    Concat,
    Empty,
    Literal,
    Node,
    Regex,
    Repeat,
    fold,
)

MAX_ALTERNATIVES = 8
MAX_LITERAL_BYTES = 256


@dataclass(frozen=True, slots=True)
class Required:
    """What the matches of a part hold.

    `exact` is the only text it matches, if there is one; every match begins with `prefix`, ends with
    `suffix`, and holds one of `inner` (nothing is known when that is empty).
    """

    exact: bytes | None = None
    prefix: bytes = b""
    suffix: bytes = b""
    inner: tuple[bytes, ...] = ()

    @property
    def begin(self) -> bytes:
        return self.prefix if self.exact is None else self.exact

    @property
    def end(self) -> bytes:
        return self.suffix if self.exact is None else self.exact

    @property
    def best(self) -> tuple[bytes, ...]:
        """The set of texts of which one must occur that says most."""
        if self.exact is not None:
            return (self.exact,) if self.exact else ()
        return better(better((self.prefix,), (self.suffix,)), self.inner)


def required_literals(regex: Regex) -> tuple[bytes, ...]:
    """Return texts of which at least one is in every subject that matches; empty if nothing is known.

    They are chosen to be long, as a long text is rare; a single one is preferred to several.
    """
    return fold(regex.root, combine).best


def required_of(node: Node) -> Required:
    """Return what every match of a part holds."""
    return fold(node, combine)


def better(left: tuple[bytes, ...], right: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Return the set whose shortest text is longer; of equals, the smaller set."""
    left, right = (texts if texts and all(texts) else () for texts in (left, right))
    return max(left, right, key=lambda texts: (min(map(len, texts), default=0), -len(texts)))


def combine(node: Node, parts: list[Required]) -> Required:
    match node:
        case Empty() | Assertion():
            return Required(exact=b"")
        case Literal(text=text, fold=folded):
            return require_text(text, folded=folded)
        case Capture():
            return parts[0]
        case Concat():
            return chain(parts)
        case Alternate():
            return choose(parts)
        case Repeat(least=least, most=most) if least:
            if least == most and parts[0].exact is not None and len(parts[0].exact) * least <= MAX_LITERAL_BYTES:
                return Required(exact=parts[0].exact * least)
            return Required(None, parts[0].begin, parts[0].end, parts[0].best)
        case _:
            return Required()


def require_text(text: str, *, folded: bool) -> Required:
    """Return what a literal requires; of its characters, those that stand for themselves only."""
    if all(stands_for_itself(char, folded=folded) for char in text):
        return Required(exact=text.encode())
    return chain(
        [Required(exact=char.encode()) if stands_for_itself(char, folded=folded) else Required() for char in text]
    )


def stands_for_itself(char: str, *, folded: bool) -> bool:
    """Whether no other character, and no invalid byte, matches; surrogates are in no subject at all."""
    if ord(char) == REPLACEMENT or 0xD800 <= ord(char) < 0xE000:
        return False
    return not folded or len(fold_char(ord(char))) == 1


def chain(parts: Sequence[Required]) -> Required:
    """Return what parts one after the other require: runs of exact text join."""
    run: bytes = b""
    prefix: bytes | None = None
    best: tuple[bytes, ...] = ()
    for part in parts:
        if part.exact is not None:
            run += part.exact
            continue
        run += part.prefix
        best = better(better(best, (run,)), part.best)
        if prefix is None:
            prefix = run
        run = part.suffix
    if prefix is None:
        return Required(exact=run)
    return Required(None, prefix, run, better(best, (run,)))


def choose(parts: Sequence[Required]) -> Required:
    """Return what one of several branches requires."""
    texts: set[bytes] = set()
    for part in parts:
        if not part.best:
            texts = set()
            break
        texts.update(part.best)
    inner = tuple(sorted(texts)) if len(texts) <= MAX_ALTERNATIVES else ()
    return Required(None, common_prefix([part.begin for part in parts]), b"", inner)


def common_prefix(texts: Sequence[bytes]) -> bytes:
    """Return what all texts begin with."""
    low, high = min(texts), max(texts)
    length = 0
    for left, right in zip(low, high, strict=False):
        if left != right:
            break
        length += 1
    return low[:length]
