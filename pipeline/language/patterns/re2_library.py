"""RE2 through pyre2, in typed functions.

pyre2 rewrites a pattern before RE2 sees it: `\\d` in UTF-8 mode, some octal and hexadecimal escapes. It
leaves `\\xHH` alone, and everything that stands in a class. A pattern that RE2 refuses would be given
to `re` by default, which backtracks: here it is an error.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import re2

from pipeline.language.patterns.tree import PatternError

SMALL_MEMORY = 8 << 20
"""RE2's own limit for one pattern: for its program, and for the states it keeps while it searches."""

LARGE_MEMORY = 1 << 28
"""For a program that does not fit in `SMALL_MEMORY`."""


class MatchLike(Protocol):
    """What `re` and RE2 return for a match, as far as it is used."""

    def __getitem__(self, index: int, /) -> bytes | None: ...

    def groups(self) -> tuple[bytes | None, ...]: ...

    def span(self, group: int = 0, /) -> tuple[int, int]: ...


class Searcher(Protocol):
    """What `re` and RE2 compile a pattern to, as far as it is used."""

    def search(self, subject: bytes, start: int = 0, /) -> MatchLike | None: ...

    def match(self, subject: bytes, start: int = 0, /) -> MatchLike | None: ...


@lru_cache(maxsize=4096)
def compile_re2(pattern: bytes, *, utf8: bool) -> Searcher:
    """Compile a pattern for bytes. With `utf8` it takes characters, and subjects must be valid UTF-8."""
    return compile_any(pattern, re2.UNICODE if utf8 else 0)


def compile_any(pattern: bytes, flags: int) -> Searcher:
    # Set each time: it is one setting for the whole process.
    re2.set_fallback_notification(re2.FALLBACK_EXCEPTION)
    try:
        compiled: Searcher = re2.compile(pattern, flags, SMALL_MEMORY)
        return compiled
    except re2.error as error:
        if "too large" not in str(error):
            raise PatternError(f"RE2 refuses the pattern: {error}", 0, len(pattern)) from error
    try:
        compiled = re2.compile(pattern, flags, LARGE_MEMORY)
    except re2.error as error:
        raise PatternError("the pattern is too large", 0, len(pattern), "lower the counts in braces") from error
    return compiled


def find_all(pattern: bytes, subject: bytes) -> list[bytes]:
    """Return what the pattern, without groups and never empty, finds in valid UTF-8."""
    compiled = compile_re2(pattern, utf8=True)
    found: list[bytes] = []
    position = 0
    while (match := compiled.search(subject, position)) is not None:
        begin, position = match.span()
        found.append(subject[begin:position])
    return found
