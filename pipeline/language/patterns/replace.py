"""`subst` with a pattern: every match replaced by a text, literally."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.language.patterns.engines import compile_re2, drop_captures
from pipeline.language.patterns.printing import UTF8, print_tree
from pipeline.language.patterns.repair import substitute_repaired
from pipeline.language.patterns.tree import Regex


def replacer(regex: Regex) -> Callable[[bytes, bytes], bytes]:
    """Return a function of subject and replacement, which has no special characters.

    An empty match right behind another match is not replaced (Go's rule, spec section 9).
    """
    substitute = compile_re2(print_tree(drop_captures(regex.root, frozenset()), UTF8), utf8=True).sub

    def replace(subject: bytes, replacement: bytes) -> bytes:
        try:
            subject.decode()
        except UnicodeDecodeError:
            return substitute_repaired(substitute, subject, replacement)
        return substitute(lambda _match: replacement, subject)

    return replace
